// iops_dashboard as its document has it: registry, every change to every client in batches, messages refused; written over the DynamoDB wire.
// GW-8, AU-11, FO-2, FO-3, FO-4, FO-14, TB-5, TB-6, ST-2, ST-4 … ST-7, ST-9, IN-5, DB-5, OP-10, X-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { dynamodb as ok } from './lib/dynamodb.mjs'
import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'

const TableName = 'iops-dashboard-metrics'
const metric = (id, value) => ({ entity_id: { S: id }, entity_type: { S: 'stream' }, metric_value: { N: String(value) }, timestamp: { S: '2024-11-04T12:34:56Z' } })
const plain = (id, value) => ({ entity_id: id, entity_type: 'stream', metric_value: value, timestamp: '2024-11-04T12:34:56Z' })

/** The document's way to try it. */
const aws = (server, ...args) => new Promise((resolve, reject) => {
  const env = { PATH: '/usr/bin:/bin', HOME: server.folder, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true', AWS_PAGER: '' }
  execFile('/usr/bin/aws', [...args, '--endpoint-url', server.http], { env, timeout: 300000 }, (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)))
})

/** A window in which a slow machine, too, makes a few changes; it passes when they are made. */
const wide = 'apps:\n  iops-dashboard:\n    streamWindow: 60s\n'
const pass = async (server, taken) => {
  let polls = 0
  await until('the batch is taken', async () => {
    if (polls++ % 100 === 0) await server.advance(60000) // again when the changes had not been seen yet
    return (await server.counters()).stream_records >= taken
  })
}

test('INSERT, MODIFY and REMOVE reach every client, in one message of a window', { timeout: 600000 }, async (t) => {
  const server = await start(t, { threads: 2, config: wide })
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(`${server.ws}/iops-dashboard/prod`)))
  const started = await server.now()
  await ok(server, 'PutItem', { TableName, Item: metric('a', 1234) })
  await ok(server, 'PutItem', { TableName, Item: metric('a', '12345678901234567890.5') })
  await ok(server, 'DeleteItem', { TableName, Key: { entity_id: { S: 'a' } } })
  assert.equal((await server.counters()).stream_records, 0, 'the window is open')
  await pass(server, 3)
  for (const client of clients) {
    const text = await client.text()
    assert.match(text, /"metric_value":12345678901234567890\.5[,}]/, 'all digits')
    const message = JSON.parse(text)
    for (const update of message.updates) {
      assert.ok(update.timestamp >= started && update.timestamp <= started + 60000)
      delete update.timestamp
    }
    assert.deepEqual(message, {
      type: 'METRICS_UPDATE',
      updates: [
        { eventType: 'INSERT', data: plain('a', 1234) },
        { eventType: 'MODIFY', data: plain('a', 12345678901234567890.5) },
        { eventType: 'REMOVE', data: plain('a', 12345678901234567890.5) },
      ],
    })
  }
  for (const client of clients) await client.close(1000)
  await quiet(server)
})

test('at most 100 in a message, in order; a window of its own', async (t) => {
  const server = await start(t, { config: 'apps:\n  iops-dashboard:\n    streamWindow: 0\n' })
  const client = await connect(`${server.ws}/iops-dashboard`)
  const writes = []
  for (let i = 0; i < 250; i += 25) {
    writes.push(ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: Array.from({ length: 25 }, (_, n) => ({ PutRequest: { Item: metric(`m${i + n}`, i + n) } })) } }))
  }
  await Promise.all(writes)
  const seen = []
  while (seen.length < 250) {
    const { updates } = await client.json()
    assert.ok(updates.length >= 1 && updates.length <= 100)
    seen.push(...updates.map((update) => update.data.metric_value))
  }
  assert.deepEqual([...seen].sort((a, b) => a - b), Array.from({ length: 250 }, (_, i) => i))
  await client.close(1000)
})

test('a full batch does not wait for its window', async (t) => {
  const server = await start(t, { config: wide })
  const client = await connect(`${server.ws}/iops-dashboard`)
  for (let i = 0; i < 100; i += 25) {
    await ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: Array.from({ length: 25 }, (_, n) => ({ PutRequest: { Item: metric(`m${i + n}`, 1) } })) } })
  }
  assert.equal((await client.json()).updates.length, 100)
  await client.close(1000)
})

test('nothing is lost over a crash, and a client hears only what comes after it', async (t) => {
  const server = await start(t, { config: wide })
  const before = await connect(`${server.ws}/iops-dashboard`)
  await ok(server, 'PutItem', { TableName, Item: metric('early', 1) })
  await server.kill9() // within the window
  await before.closed()
  await server.restart()
  const after = await connect(`${server.ws}/iops-dashboard`)
  await pass(server, 1)
  assert.deepEqual((await after.json()).updates.map((u) => u.data), [plain('early', 1)])
  await after.close(1000)
})

test('the connections table, and messages that have no route', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/iops-dashboard`, { headers: { 'user-agent': 'dashboard/1' } })
  const answer = await client.ask({ action: 'anything' })
  assert.deepEqual(Object.keys(answer), ['message', 'connectionId', 'requestId'])
  assert.equal(answer.message, 'Forbidden')
  const found = await ok(server, 'Query', {
    TableName: 'iops-dashboard-websocket-connections', IndexName: 'ConnectedAtIndex',
    KeyConditionExpression: '#k = :k AND connectedAt > :t', ExpressionAttributeNames: { '#k': 'kind' },
    ExpressionAttributeValues: { ':k': { S: 'connection' }, ':t': { S: '2000' } },
  })
  assert.equal(found.Count, 1)
  const [row] = found.Items
  assert.equal(row.connectionId.S, answer.connectionId)
  assert.equal(row.userAgent.S, 'dashboard/1')
  assert.equal(row.ip.S, '127.0.0.1')
  const now = await server.now()
  assert.ok(Math.abs(Number(row.ttl.N) - (now / 1000 + 86400)) < 60)
  assert.match(row.connectedAt.S, /^\d{4}-\d\d-\d\dT/)
  await client.close(1000)
  await quiet(server)
})

test("the document's put-item", { timeout: 600000 }, async (t) => {
  const server = await start(t, { config: 'apps:\n  iops-dashboard:\n    streamWindow: 0\n' })
  const client = await connect(`${server.ws}/iops-dashboard/prod`)
  await aws(server, 'dynamodb', 'put-item', '--table-name', TableName, '--item', `{
    "entity_id": {"S": "test-stream-001"},
    "entity_type": {"S": "stream"},
    "metric_value": {"N": "1234"},
    "timestamp": {"S": "2024-11-04T12:34:56Z"}
  }`)
  const { updates } = await client.json()
  assert.deepEqual([updates[0].eventType, updates[0].data], ['INSERT', plain('test-stream-001', 1234)])
  assert.equal((await request(server, 'GET', '/iops-dashboard/@streams')).json.streams[0].route, '@metrics')
  await client.close(1000)
})

/* ---- the Kinesis stream that fills the table ---- */

const StreamName = 'iops-dashboard-events'
const kinesis = (t, server, more) => { // as it comes it speaks HTTP/2
  const client = new KinesisClient({ endpoint: server.http, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, ...more })
  t.after(() => client.destroy())
  return client
}
const record = (id, value) => ({ PartitionKey: id, Data: Buffer.from(JSON.stringify(plain(id, value))) })

test("records of the stream become rows, and every client hears of them: `aws kinesis put-record` and the SDK", { timeout: 600000 }, async (t) => {
  const server = await start(t, { config: 'apps:\n  iops-dashboard:\n    streamWindow: 0\n' })
  const client = await connect(`${server.ws}/iops-dashboard/prod`)
  const put = JSON.parse(await aws(server, 'kinesis', 'put-record', '--stream-name', StreamName, '--partition-key', 'test-stream-001', '--cli-binary-format', 'raw-in-base64-out',
    '--data', JSON.stringify(plain('test-stream-001', 1234))))
  assert.match(put.SequenceNumber, /^\d+$/)
  const first = await client.json()
  assert.deepEqual([first.type, first.updates[0].eventType, first.updates[0].data], ['METRICS_UPDATE', 'INSERT', plain('test-stream-001', 1234)])
  const { Item } = await ok(server, 'GetItem', { TableName, Key: { entity_id: { S: 'test-stream-001' } } })
  assert.deepEqual(Item, metric('test-stream-001', 1234))

  const sdk = kinesis(t, server, { requestHandler: new NodeHttpHandler() })
  const { FailedRecordCount } = await sdk.send(new PutRecordsCommand({ StreamName, Records: Array.from({ length: 120 }, (_, i) => record(`s${i}`, i)) }))
  assert.equal(FailedRecordCount ?? 0, 0)
  const seen = new Map()
  while (seen.size < 120) for (const { data } of (await client.json()).updates) seen.set(data.entity_id, data)
  for (let i = 0; i < 120; i++) assert.deepEqual(seen.get(`s${i}`), plain(`s${i}`, i))
  await client.close(1000)
})

test('what is no metric goes to the failures, and blocks nobody', { timeout: 600000 }, async (t) => {
  const server = await start(t, { config: 'apps:\n  iops-dashboard:\n    streamWindow: 0\n' })
  const sdk = kinesis(t, server)
  const wrong = ['no JSON', '{"entity_id":"x"}', '[]', '{"entity_id":"x","entity_type":"t","timestamp":"now","metric_value":"12"}', '']
  const Records = []
  for (let i = 0; i < 30; i++) Records.push(record(`m${i}`, i))
  for (const [i, text] of wrong.entries()) Records.splice(4 + 6 * i, 0, { PartitionKey: 'bad', Data: Buffer.from(text) })
  await sdk.send(new PutRecordsCommand({ StreamName, Records }))
  await until('all that are good', async () => {
    await server.advance(2000)
    const { Count } = await ok(server, 'Scan', { TableName, Select: 'COUNT' })
    return Count === 30
  })
  const failures = await until('those that are not', async () => {
    await server.advance(2000)
    const { Items } = await ok(server, 'Scan', { TableName: 'iops-dashboard-failures' })
    return Items.length === wrong.length && Items
  })
  for (const item of failures) {
    assert.deepEqual([item.error.S, item.consumer.S], ['MALFORMED', '@events'])
    assert.ok(wrong.includes(Buffer.from(JSON.parse(item.record.S).data, 'base64').toString()))
  }
  const listed = (await request(server, 'GET', '/iops-dashboard/@streams/events/failed')).json.failed
  assert.equal(listed.length, wrong.length)
  await server.kill9()
  await server.restart()
  assert.equal((await ok(server, 'Scan', { TableName: 'iops-dashboard-failures', Select: 'COUNT' })).Count, wrong.length, 'each once')
})
