// Stream consumers whose target is an HTTP endpoint: AWS's events, retries, halving, partial answers, timeouts, absence, kill -9. Nothing is lost, nothing skipped.
// ST-1, ST-4, ST-5, ST-8, OP-5
import test from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { DescribeStreamCommand, DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams'
import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { request, start, until } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const config = (url, more = '') => `
apis:
  shop:
    tables:
      orders-{env}: { hash: id S, changes: true, ttl: ttl }
      shop-failures: { hash: id S }
    streams:
      - { table: "orders-{env}", url: "${url}", name: watch, start: TRIM_HORIZON${more} }
    routes:
      $default: ${new URL('/route', url).href}
`
const TableName = 'orders-dev'
const put = (server, id, value = 1) => dynamodb(server, 'PutItem', { TableName, Item: { id: { S: id }, value: { N: String(value) } } })
const ids = (event) => event.Records.map((record) => record.dynamodb.Keys.id.S)
const sequence = (record) => record.dynamodb.SequenceNumber
const taken = (server, count) => until(`${count} taken`, async () => {
  await server.pass(1000)
  return (await server.counters()).stream_records >= count
})
const failed = async (server) => (await request(server, 'GET', '/shop/@streams/watch/failed?limit=1000')).json.failed

/** An endpoint that keeps the ids it has accepted; `judge` says what becomes of a batch. */
async function shop(t, judge = () => undefined, more = '', options = {}) {
  const accepted = []
  const back = await backend(t, async (event, where) => {
    const verdict = await judge(event, where)
    if (verdict === 'silence') return undefined
    if (verdict?.status && verdict.status >= 300) return verdict
    const bad = verdict?.body ? JSON.parse(verdict.body).batchItemFailures?.map((f) => f.itemIdentifier) ?? [] : []
    const stop = event.Records.findIndex((record) => bad.includes(sequence(record)))
    accepted.push(...ids(event).slice(0, stop < 0 ? undefined : stop))
    return verdict ?? '{}'
  })
  const server = await start(t, { config: config(`${back.url}/hook`, more), ...options })
  return { server, back, accepted }
}

test("the event is AWS's, for INSERT, MODIFY, REMOVE and what expires", async (t) => {
  const { server, back } = await shop(t, undefined, ', window: 60s')
  const now = await server.now()
  await put(server, 'a', '12345678901234567890.5')
  await put(server, 'a', 2)
  await dynamodb(server, 'DeleteItem', { TableName, Key: { id: { S: 'a' } } })
  await dynamodb(server, 'PutItem', { TableName, Item: { id: { S: 'brief' }, ttl: { N: String(Math.floor(now / 1000) + 5) }, blob: { B: 'AAEC' } } })
  await server.advance(60000)
  await taken(server, 4)
  const [{ event, headers }] = back.events
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(headers['x-weir-stream'], 'watch')
  const [insert, modify, remove] = event.Records
  assert.deepEqual(insert, {
    eventID: insert.eventID, eventName: 'INSERT', eventVersion: '1.1', eventSource: 'aws:dynamodb', awsRegion: 'us-east-1', eventSourceARN: insert.eventSourceARN,
    dynamodb: {
      ApproximateCreationDateTime: insert.dynamodb.ApproximateCreationDateTime, Keys: { id: { S: 'a' } }, NewImage: { id: { S: 'a' }, value: { N: '12345678901234567890.5' } },
      SequenceNumber: sequence(insert), SizeBytes: insert.dynamodb.SizeBytes, StreamViewType: 'NEW_AND_OLD_IMAGES',
    },
  })
  assert.match(insert.eventID, /^[0-9a-f]{32}$/)
  assert.match(insert.eventSourceARN, /^arn:aws:dynamodb:us-east-1:123456789012:table\/orders-dev\/stream\//)
  assert.match(sequence(insert), /^\d{21,40}$/)
  assert.ok(Math.abs(insert.dynamodb.ApproximateCreationDateTime * 1000 - now) < 60000)
  assert.ok(insert.dynamodb.SizeBytes > 10)
  assert.deepEqual([modify.eventName, modify.dynamodb.OldImage.value.N, modify.dynamodb.NewImage.value.N], ['MODIFY', '12345678901234567890.5', '2'])
  assert.deepEqual([remove.eventName, remove.dynamodb.OldImage.value.N, remove.dynamodb.NewImage, remove.userIdentity], ['REMOVE', '2', undefined, undefined])
  assert.ok(sequence(insert) < sequence(modify) && sequence(modify) < sequence(remove), 'in order')
  await until('the expiry', async () => {
    await server.pass(2000)
    return back.events.some(({ event: e }) => e.Records.some((record) => record.userIdentity))
  })
  const expired = back.events.flatMap(({ event: e }) => e.Records).at(-1)
  assert.deepEqual([expired.eventName, expired.userIdentity, expired.dynamodb.OldImage.blob], ['REMOVE', { type: 'Service', principalId: 'dynamodb.amazonaws.com' }, { B: 'AAEC' }])
})

test('an event and the wire of streams name a change alike', async (t) => {
  const { server, back } = await shop(t)
  await put(server, 'a')
  await taken(server, 1)
  const [{ event }] = back.events
  const client = new DynamoDBStreamsClient({ endpoint: server.http, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })
  t.after(() => client.destroy())
  const { Table: { LatestStreamArn: StreamArn } } = await dynamodb(server, 'DescribeTable', { TableName })
  const { StreamDescription: { Shards: [shard] } } = await client.send(new DescribeStreamCommand({ StreamArn }))
  const { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamArn, ShardId: shard.ShardId, ShardIteratorType: 'TRIM_HORIZON' }))
  const { Records: [record] } = await client.send(new GetRecordsCommand({ ShardIterator }))
  const [ours] = event.Records
  assert.equal(ours.eventSourceARN, StreamArn)
  assert.deepEqual([ours.eventID, sequence(ours), ours.dynamodb.SizeBytes, ours.dynamodb.NewImage], [record.eventID, record.dynamodb.SequenceNumber, record.dynamodb.SizeBytes, record.dynamodb.NewImage])
})

test('batches are bounded and in order; a status other than 2xx is tried again', async (t) => {
  let refusals = 3
  const { server, back, accepted } = await shop(t, () => (refusals-- > 0 ? { status: 503, body: 'later' } : undefined), ', batchSize: 7, retries: 5')
  const all = []
  for (let i = 0; i < 60; i++) all.push(put(server, `o${i}`))
  await Promise.all(all)
  await taken(server, 60)
  assert.equal(accepted.length, 60)
  assert.equal(new Set(accepted).size, 60)
  assert.ok(back.events.every(({ event }) => event.Records.length <= 7))
  const seen = back.events.slice(3).flatMap(({ event }) => event.Records.map(sequence))
  assert.deepEqual(seen, [...seen].sort(), 'the order of commits')
  assert.deepEqual(await failed(server), [])
  const { streams } = (await request(server, 'GET', '/shop/@streams')).json
  assert.deepEqual([streams[0].route, streams[0].table, streams[0].url], ['watch', 'orders-dev', `${back.url}/hook`])
  const { body } = await request(server, 'GET', '/metrics')
  assert.match(body, /^weir_consumer_iterator_age_ms\{api="shop",source="orders-dev",consumer="watch"\} \d+$/m)
})

test('a record that fails is found by halving and becomes an item; the others are taken', async (t) => {
  const { server, accepted } = await shop(t, (event) => (ids(event).includes('poison') ? { status: 500, body: 'no' } : undefined), ', bisect: true, retries: 2, onFailure: shop-failures')
  const all = []
  for (let i = 0; i < 40; i++) all.push(put(server, i === 23 ? 'poison' : `o${i}`))
  await Promise.all(all)
  await taken(server, 39)
  assert.equal(new Set(accepted).size, 39)
  await until('it is given up', async () => {
    await server.pass(1000)
    return (await failed(server)).length === 1
  })
  const [row] = await failed(server)
  assert.deepEqual([row.error, row.message, row.attempts, row.record.dynamodb.Keys], ['ENDPOINT_FAILED', 'the endpoint answered with status 500', 3, { id: { S: 'poison' } }])
  const { Items: [item] } = await dynamodb(server, 'Scan', { TableName: 'shop-failures' })
  assert.match(item.id.S, /^shop\/watch\/\d+\.\d+$/)
  assert.match(item.at.S, /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual([item.error.S, item.consumer.S, item.attempts.N], ['ENDPOINT_FAILED', 'watch', '3'])
  assert.deepEqual(JSON.parse(item.record.S), row.record)
  const { body } = await request(server, 'GET', '/metrics')
  assert.match(body, /^weir_consumer_given_up_total\{.*consumer="watch"\} 1$/m)
})

test('an answer that names what failed: what lies before is taken, the rest comes again', async (t) => {
  const named = []
  const judge = (event) => {
    const at = event.Records.findIndex((record) => record.dynamodb.Keys.id.S === 'bad')
    if (at < 0) return undefined
    named.push(ids(event))
    return { status: 200, body: JSON.stringify({ batchItemFailures: [{ itemIdentifier: sequence(event.Records[at]) }] }) }
  }
  const { server, accepted } = await shop(t, judge, ', window: 60s, retries: 2')
  for (const id of ['a', 'b', 'bad', 'c', 'd']) await put(server, id)
  await server.advance(60000)
  await taken(server, 4)
  assert.deepEqual(accepted, ['a', 'b', 'c', 'd'], 'each once: nothing before the failure comes again')
  assert.deepEqual(named.slice(1), Array(3).fill(['bad', 'c', 'd']), 'the rest of the batch, 1 + 2 times')
  const rows = await failed(server)
  assert.deepEqual(rows.map((row) => [row.error, row.record.dynamodb.Keys.id.S]), [['BATCH_ITEM_FAILURES', 'bad']], 'the record that was named, and no other')
})

test('an answer that names no record of the batch fails all of it', async (t) => {
  let times = 0
  const answers = ['{"batchItemFailures":[{"itemIdentifier":""}]}', '{"batchItemFailures":[{"itemIdentifier":"17"}]}', '{"batchItemFailures":[{}]}', '{"batchItemFailures":[]}']
  const { server, accepted, back } = await shop(t, () => ({ status: 200, body: answers[Math.min(times++, 3)] }), ', retries: 5')
  await put(server, 'x')
  await taken(server, 1)
  assert.equal(back.events.length, 4)
  assert.equal(accepted.at(-1), 'x')
  assert.deepEqual(await failed(server), [])
})

test('an endpoint that is silent has failed in time', async (t) => {
  let silent = true
  const { server, accepted, back } = await shop(t, () => (silent ? 'silence' : undefined), ', timeout: 3s, retries: 10') // in time for the second answer
  await put(server, 'x')
  await until('it was asked', () => back.events.length === 1)
  silent = false
  await taken(server, 1)
  assert.deepEqual(accepted, ['x'])
  assert.ok((await server.counters()).stream_failures >= 1)
})

test('an endpoint that is away is waited for, and nothing is given up', async (t) => {
  const parked = http.createServer()
  await new Promise((resolve) => parked.listen(0, '127.0.0.1', resolve))
  const { port } = parked.address()
  await new Promise((resolve) => parked.close(resolve))
  const server = await start(t, { config: config(`http://127.0.0.1:${port}/hook`, ', retries: 0') })
  for (let i = 0; i < 10; i++) await put(server, `o${i}`)
  for (let i = 0; i < 30; i++) await server.advance(1000)
  await until('its age is shown', async () => {
    await server.advance(1000)
    const { body } = await request(server, 'GET', '/metrics')
    return Number(/^weir_consumer_iterator_age_ms\{.*consumer="watch"\} (\d+)$/m.exec(body)[1]) >= 30000
  })
  const seen = []
  const back = http.createServer(async (asked, answer) => {
    let text = ''
    for await (const piece of asked) text += piece
    seen.push(...ids(JSON.parse(text)))
    answer.end()
  })
  t.after(() => (back.closeAllConnections(), back.close()))
  await new Promise((resolve) => back.listen(port, '127.0.0.1', resolve))
  await taken(server, 10)
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, i) => `o${i}`))
  assert.deepEqual(await failed(server), [])
})

test('an endpoint that is away for more than a day has failed', async (t) => {
  const back = await backend(t, () => '')
  back.server.close()
  const server = await start(t, { config: config(`${back.url}/hook`, ', retries: 1') })
  await put(server, 'x')
  for (let hours = 0; hours < 23;) hours += await server.pass(3600 * 1000)
  assert.deepEqual(await failed(server), [])
  await until('it is given up', async () => {
    await server.pass(30 * 60000)
    return (await failed(server)).length === 1
  })
  const [row] = await failed(server)
  assert.ok(['IO', 'TIMEOUT'].includes(row.error), row.error) // late when the clock leapt over a request that waited for its turn
  assert.equal(row.attempts, 2)
})

test('an answer that is too large is no answer', async (t) => {
  let times = 0
  const { server, accepted } = await shop(t, () => (times++ ? undefined : { status: 200, body: ' '.repeat(2 << 20) + '{}' }), ', retries: 5')
  await put(server, 'x')
  await taken(server, 1)
  assert.ok(times >= 2)
  assert.equal(accepted.at(-1), 'x')
  assert.ok((await server.counters()).stream_failures >= 1)
})

test('kill -9 whenever: each record arrives at least once, in order, none is skipped', async (t) => {
  const seen = []
  let slow = 0
  const { server } = await shop(t, async (event) => {
    await new Promise((resolve) => setTimeout(resolve, slow++ % 4)) // so that it is killed with requests under way
    seen.push(...event.Records.map((record) => [record.dynamodb.Keys.id.S, sequence(record)]))
  }, ', batchSize: 5')
  const acknowledged = []
  let at = 0
  for (let round = 0; round < 6; round++) {
    const goal = acknowledged.length + 30 + 17 * round
    let alive = true
    const writers = Array.from({ length: 4 }, async () => {
      while (alive && acknowledged.length < goal + 8) {
        const id = `o${at++}`
        await put(server, id).then(() => acknowledged.push(id), () => (alive = false))
      }
    })
    await until('acknowledgements', () => acknowledged.length >= goal, { every: 1 })
    await server.kill9()
    alive = false
    await Promise.all(writers)
    await server.restart()
  }
  const missing = () => acknowledged.filter((id) => !seen.some(([s]) => s === id))
  await until('all have arrived', async () => {
    await server.pass(500)
    return missing().length === 0
  })
  // Going back is allowed (again from the position that was stored), going forward over something is not: first arrivals are in the order of commits.
  const firsts = []
  for (const [, number] of seen) if (!firsts.includes(number)) firsts.push(number)
  assert.deepEqual(firsts, [...firsts].sort())
  assert.deepEqual(await failed(server), [])
})

test("a Kinesis stream's records, declared in the configuration, as AWS gives them to a function", async (t) => {
  const back = await backend(t, () => '{}')
  const server = await start(t, { config: `
apis:
  clicks:
    kinesis:
      clicks-{env}: { shards: 2, retention: 48h }
    streams:
      - { kinesis: "clicks-{env}", url: "${back.url}/clicks", start: TRIM_HORIZON }
` })
  const client = new KinesisClient({ endpoint: server.http, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, requestHandler: new NodeHttpHandler() })
  t.after(() => client.destroy())
  const before = await server.now()
  const { Records } = await client.send(new PutRecordsCommand({ StreamName: 'clicks-dev', Records: Array.from({ length: 50 }, (_, i) => ({ PartitionKey: `k${i}`, Data: Buffer.from([i, 0, 255]) })) }))
  await taken(server, 50)
  const seen = back.events.flatMap(({ event }) => event.Records)
  assert.equal(seen.length, 50)
  for (const [i, put] of Records.entries()) {
    const record = seen.find((r) => r.kinesis.partitionKey === `k${i}`)
    assert.deepEqual(record, {
      kinesis: {
        kinesisSchemaVersion: '1.0', partitionKey: `k${i}`, sequenceNumber: put.SequenceNumber, data: Buffer.from([i, 0, 255]).toString('base64'),
        approximateArrivalTimestamp: record.kinesis.approximateArrivalTimestamp,
      },
      eventVersion: '1.0', eventID: `${put.ShardId}:${put.SequenceNumber}`, eventName: 'aws:kinesis:record', eventSource: 'aws:kinesis', awsRegion: 'us-east-1',
      eventSourceARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks-dev',
    })
    assert.ok(Math.abs(record.kinesis.approximateArrivalTimestamp * 1000 - before) < 60000)
  }
  assert.deepEqual((await request(server, 'GET', '/clicks/@streams')).json.streams.map((s) => [s.route, s.kinesis]), [['clicks-dev', 'clicks-dev']])
})

test("a configuration's consumer beside those of an application, to an endpoint and to a handler", async (t) => {
  const back = await backend(t, () => '')
  const server = await start(t, { config: `
apps:
  iops-dashboard:
    streamWindow: 0
    streams:
      - { table: iops-dashboard-metrics, url: "${back.url}/metrics" }
` })
  await dynamodb(server, 'PutItem', { TableName: 'iops-dashboard-metrics', Item: { entity_id: { S: 'a' } } })
  const { event } = await back.event('/metrics')
  assert.deepEqual(event.Records.map((r) => r.dynamodb.Keys.entity_id.S), ['a'])
  await taken(server, 2)
  assert.deepEqual((await request(server, 'GET', '/iops-dashboard/@streams')).json.streams.map((s) => s.route), ['@metrics', '@events', 'iops-dashboard-metrics'])
})
