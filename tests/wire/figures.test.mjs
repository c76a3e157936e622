// Weir's own figures are metrics under the names that their services have on AWS: after some traffic each of them is there, through the SDK's GetMetricData.
// ME-4 … ME-7, ST-8, TB-15, TB-16, FO-13, SE-8; docs/figures.md
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { atEnd, request, start, until } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { call as dynamodb, ok, table } from './dynamodb/lib.mjs'
import { CreateStreamCommand, GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand, PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { client as kinesisClient } from './kinesis/lib.mjs'
import { client as logsClient } from './logs/lib.mjs'
import { ListMetricsCommand, client, minute, values } from './cloudwatch/lib.mjs'

async function open(t, options) {
  const server = await start(t, options)
  const cloudwatch = client(server)
  atEnd(t, () => cloudwatch.destroy())
  return { server, cloudwatch }
}

const dimensions = (pairs) => Object.entries(pairs).map(([Name, Value]) => ({ Name, Value }))

/** The statistic over the last minutes. */
async function total(server, cloudwatch, space, name, pairs, Stat = 'Sum') {
  const all = await values(cloudwatch, space, name, Stat, await minute(server, -5), await minute(server, 2), { Dimensions: dimensions(pairs) })
  return Stat === 'Maximum' ? Math.max(0, ...all) : all.reduce((sum, value) => sum + value, 0)
}

/** Waits until the sum is that: a figure is a second late. */
const reaches = ({ server, cloudwatch }, space, name, pairs, wanted, Stat) =>
  until(`${space} ${name} ${JSON.stringify(pairs)} ${Stat ?? 'Sum'} ${wanted}`, async () => {
    const value = await total(server, cloudwatch, space, name, pairs, Stat)
    if (typeof wanted === 'function' ? wanted(value) : value === wanted) return true
    throw new Error(`it is ${value}`)
  }, { every: 200 })

test('connections, messages and broadcasts', async (t) => {
  const house = await open(t, { config: 'apps:\n  echo: {}\n' })
  const { server } = house, api = { ApiId: 'echo' }
  const route = (Route) => ({ ApiId: 'echo', Stage: 'prod', Route })
  const clients = await Promise.all([1, 2, 3].map(() => connect(`${server.ws}/echo`)))
  for (let i = 0; i < 5; i++) {
    clients[0].send('hello')
    assert.equal(await clients[0].text(), 'hello')
  }
  await reaches(house, 'AWS/ApiGateway', 'ConnectCount', api, 3)
  await reaches(house, 'AWS/ApiGateway', 'MessageCount', route('$default'), 5)
  await reaches(house, 'AWS/ApiGateway', 'MessageCount', { ApiId: 'echo', Stage: 'prod' }, 5)
  await reaches(house, 'AWS/ApiGateway', 'IntegrationLatency', route('$default'), 5, 'SampleCount')
  await reaches(house, 'AWS/Lambda', 'Invocations', { FunctionName: 'echo-default' }, 5)
  await reaches(house, 'AWS/Lambda', 'Duration', { FunctionName: 'echo-default' }, 5, 'SampleCount')
  await reaches(house, 'Weir', 'ActiveConnections', api, 3, 'Maximum')
  await reaches(house, 'Weir', 'MessagesOut', api, 5)
  await reaches(house, 'Weir', 'BytesIn', api, 25)
  await reaches(house, 'Weir', 'BytesOut', api, 5 * 7)
  const told = await request(server, 'POST', '/echo/@broadcast', { body: 'to all' })
  assert.deepEqual(told.json, { delivered: 3, dropped: 0, gone: 0 })
  for (const each of clients) assert.equal(await each.text(), 'to all')
  await reaches(house, 'Weir', 'BroadcastSuccessRate', api, 3, 'SampleCount')
  await reaches(house, 'Weir', 'BroadcastSuccessRate', api, 300)
  const id = (await request(server, 'GET', '/echo/@connections')).json.connections[0].connectionId
  await request(server, 'DELETE', `/echo/@connections/${encodeURIComponent(id)}`)
  await until('it is gone', async () => (await request(server, 'POST', `/echo/@connections/${encodeURIComponent(id)}`, { body: 'x' })).status === 410)
  await reaches(house, 'Weir', 'StaleConnections', api, (n) => n >= 1)
  await server.advance(60000)
  await reaches(house, 'Weir', 'ConnectionMinutes', api, (n) => n >= 2 && n < 5)
  for (const each of clients) each.socket.terminate()
  await reaches(house, 'Weir', 'ConnectionErrors', api, (n) => n >= 2)
})

test('handlers, their tables, and what fails', async (t) => {
  const house = await open(t)
  const { server } = house
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (let i = 0; i < 4; i++) assert.equal((await player.ask({ action: 'logPerformance', data: { metricName: 'm', duration: i, timestamp: 1 } })).type, 'ack')
  assert.equal((await player.ask({ action: 'logPerformance', data: { metricName: 7 } })).type, 'error')
  player.send({ action: 'nothing like it' })
  await player.message()
  const route = { ApiId: 'riddle-rush', Stage: 'prod', Route: 'logPerformance' }
  await reaches(house, 'AWS/ApiGateway', 'MessageCount', route, 5)
  await reaches(house, 'AWS/ApiGateway', 'IntegrationError', route, 1)
  await reaches(house, 'AWS/ApiGateway', 'IntegrationLatency', route, 5, 'SampleCount')
  await reaches(house, 'AWS/ApiGateway', 'ConnectCount', { ApiId: 'riddle-rush' }, 1)
  const names = (await house.cloudwatch.send(new ListMetricsCommand({ Namespace: 'AWS/Lambda', MetricName: 'Invocations' }))).Metrics.map((metric) => metric.Dimensions[0].Value)
  assert.ok(names.length >= 1, 'functions')
  await until('the writes', async () => {
    const metrics = (await house.cloudwatch.send(new ListMetricsCommand({ Namespace: 'AWS/DynamoDB', MetricName: 'ConsumedWriteCapacityUnits' }))).Metrics
    return metrics.some((metric) => metric.Dimensions[0].Value.startsWith('riddle-rush-'))
  }, { every: 200 })
  await server.advance(60000)
  await reaches(house, 'AWS/DynamoDB', 'ItemCount', { TableName: 'riddle-rush-ws-connections-dev' }, 1, 'Maximum')
  await player.close(1000)
})

test('the DynamoDB wire', async (t) => {
  const house = await open(t)
  const { server } = house
  await table(server, 'orders')
  const of = { TableName: 'orders' }
  await ok(server, 'PutItem', { ...of, Item: { id: { S: 'a' }, text: { S: 'x'.repeat(1500) } } })
  await ok(server, 'PutItem', { ...of, Item: { id: { S: 'b' } } })
  await ok(server, 'GetItem', { ...of, Key: { id: { S: 'a' } } })
  await ok(server, 'GetItem', { ...of, Key: { id: { S: 'a' } }, ConsistentRead: true })
  await ok(server, 'Scan', of)
  assert.equal((await dynamodb(server, 'PutItem', { ...of, Item: { id: { S: 'a' } }, ConditionExpression: 'attribute_not_exists(id)' })).status, 400)
  assert.equal((await dynamodb(server, 'PutItem', { ...of, Item: { other: { S: 'a' } } })).status, 400)
  assert.equal((await dynamodb(server, 'GetItem', { TableName: 'no-such-table', Key: { id: { S: 'a' } } })).status, 400)
  await reaches(house, 'AWS/DynamoDB', 'ConsumedWriteCapacityUnits', of, 2 + 1 + 1)
  await reaches(house, 'AWS/DynamoDB', 'ConsumedReadCapacityUnits', of, 0.5 + 1 + 0.5)
  await reaches(house, 'AWS/DynamoDB', 'ConditionalCheckFailedRequests', of, 1)
  await reaches(house, 'AWS/DynamoDB', 'UserErrors', of, 1)
  await reaches(house, 'AWS/DynamoDB', 'UserErrors', {}, 2)
  await reaches(house, 'AWS/DynamoDB', 'SuccessfulRequestLatency', { ...of, Operation: 'PutItem' }, 2, 'SampleCount')
  await reaches(house, 'AWS/DynamoDB', 'ReturnedItemCount', { ...of, Operation: 'Scan' }, 2)
  await ok(server, 'UpdateTimeToLive', { ...of, TimeToLiveSpecification: { Enabled: true, AttributeName: 'ends' } })
  await ok(server, 'PutItem', { ...of, Item: { id: { S: 'c' }, ends: { N: String(Math.floor((await server.now()) / 1000) + 5) } } })
  await server.advance(60000)
  server.skew = 60000
  await reaches(house, 'AWS/DynamoDB', 'TimeToLiveDeletedItemCount', of, 1)
  await server.advance(60000)
  await reaches(house, 'AWS/DynamoDB', 'ItemCount', of, (n) => n >= 2, 'Maximum')
  await reaches(house, 'AWS/DynamoDB', 'TableSizeBytes', of, (bytes) => bytes > 1500, 'Maximum')
})

test('streams, logs and REST routes', async (t) => {
  const house = await open(t)
  const { server } = house
  const kinesis = kinesisClient(server), logs = logsClient(server)
  atEnd(t, () => {
    kinesis.destroy()
    logs.destroy()
  })
  await kinesis.send(new CreateStreamCommand({ StreamName: 'clicks', ShardCount: 1 }))
  await until('the stream', async () => (await kinesis.send(new ListShardsCommand({ StreamName: 'clicks' }))).Shards.length === 1)
  await kinesis.send(new PutRecordsCommand({ StreamName: 'clicks', Records: [1, 2].map((n) => ({ PartitionKey: 'key', Data: Buffer.from(`data ${n}`) })) }))
  const { ShardIterator } = await kinesis.send(new GetShardIteratorCommand({ StreamName: 'clicks', ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' }))
  await kinesis.send(new GetRecordsCommand({ ShardIterator }))
  await reaches(house, 'AWS/Kinesis', 'IncomingRecords', { StreamName: 'clicks' }, 2)
  await reaches(house, 'AWS/Kinesis', 'IncomingBytes', { StreamName: 'clicks' }, 2 * (3 + 6))
  await reaches(house, 'AWS/Kinesis', 'GetRecords.IteratorAgeMilliseconds', { StreamName: 'clicks' }, (n) => n >= 1, 'SampleCount')
  const group = { logGroupName: '/shop/orders' }
  await logs.send(new CreateLogGroupCommand(group))
  await logs.send(new CreateLogStreamCommand({ ...group, logStreamName: 's' }))
  await logs.send(new PutLogEventsCommand({ ...group, logStreamName: 's', logEvents: [{ timestamp: Date.now(), message: 'one' }, { timestamp: Date.now(), message: 'three' }] }))
  await reaches(house, 'AWS/Logs', 'IncomingLogEvents', { LogGroupName: '/shop/orders' }, 2)
  await reaches(house, 'AWS/Logs', 'IncomingBytes', { LogGroupName: '/shop/orders' }, 3 + 5 + 2 * 26)
  assert.equal((await request(server, 'GET', '/clash-bot/no/such/route')).status, 403)
  await reaches(house, 'AWS/ApiGateway', 'Count', { ApiId: 'clash-bot' }, 1)
  await reaches(house, 'AWS/ApiGateway', '4XXError', { ApiId: 'clash-bot' }, 1)
  await reaches(house, 'AWS/ApiGateway', '5XXError', { ApiId: 'clash-bot' }, 1, 'SampleCount')
})

test('abuse is a figure, by kind', async (t) => {
  const house = await open(t, { config: `
apis:
  guarded:
    auth: jwt
    jwt: { secret: "a secret of the wire tests, at least 32 bytes long" }
    routes: { $default: { url: "http://127.0.0.1:9/" } }
apps:
  echo:
    rates: { connection: 6/m burst 2 }
` })
  const { server } = house
  for (let i = 0; i < 3; i++) assert.equal((await refused(`${server.ws}/guarded?token=a.b.c`)).status, 401)
  await reaches(house, 'Weir', 'Abuse', { ApiId: 'guarded' }, 3)
  await reaches(house, 'Weir', 'Abuse', { ApiId: 'guarded', Kind: 'RejectedToken' }, 3)
  await reaches(house, 'Weir', 'AuthFailures', { ApiId: 'guarded' }, 3)
  await reaches(house, 'Weir', 'ConnectionErrors', { ApiId: 'guarded' }, 3)
  await reaches(house, 'AWS/ApiGateway', 'ClientError', { ApiId: 'guarded', Stage: 'prod', Route: '$connect' }, 3)
  const loud = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 10; i++) loud.send('again')
  for (let i = 0; i < 10; i++) await loud.text()
  await reaches(house, 'Weir', 'RateLimited', { ApiId: 'echo' }, (n) => n >= 5)
  await reaches(house, 'Weir', 'Abuse', { ApiId: 'echo', Kind: 'LimitHit' }, (n) => n >= 5)
  await reaches(house, 'AWS/Lambda', 'Throttles', { FunctionName: 'echo-default' }, (n) => n >= 5)
  loud.socket._socket.write(Buffer.from([0xff, 0x00, 0x00]))
  await loud.closed()
  await reaches(house, 'Weir', 'ProtocolErrors', { ApiId: 'echo' }, 1)
  await reaches(house, 'Weir', 'Abuse', { ApiId: 'echo', Kind: 'MalformedFrame' }, 1)
})

test('the server itself, and an idle one writes once a minute at most', async (t) => {
  const house = await open(t)
  const { server } = house
  for (const name of ['TickDuration', 'FsyncDuration', 'MemoryBytes', 'DiskFreeBytes', 'JournalBytes']) await reaches(house, 'Weir', name, {}, (n) => n > 0, 'SampleCount')
  await reaches(house, 'Weir', 'MemoryBytes', {}, (bytes) => bytes > 1 << 20, 'Maximum')
  for (const Queue of ['Tick', 'Output', 'Fetch', 'Jobs']) await reaches(house, 'Weir', 'QueueDepth', { Queue }, (n) => n > 0, 'SampleCount')
  const records = async () => (await server.counters()).journal_records
  // The first second after the last put may carry one more; then it is silent until the minute ends.
  let last = -1
  await until('silence', async () => {
    const now = await records()
    const same = now === last
    last = now
    return same
  }, { every: 2500 })
  await server.advance(60000)
  await until('the minute is written', async () => (await records()) > last)
})

test('without them nothing is kept', async (t) => {
  const house = await open(t, { config: 'figures: false\napps: { echo: {} }\n' })
  const client = await connect(`${house.server.ws}/echo`)
  client.send('x')
  await client.text()
  await house.server.advance(120000)
  await until('two seconds of its own', async () => (await house.server.counters()).tick_ticks >= 0 && true)
  const { Metrics } = await house.cloudwatch.send(new ListMetricsCommand({ Namespace: 'AWS/ApiGateway' }))
  assert.deepEqual(Metrics, [])
  await client.close(1000)
})

test('docs/figures.md lists them all', () => {
  const table = readFileSync(new URL('../../src/gateway/figure_table.h', import.meta.url), 'utf8').replaceAll('\\\n', ' ')
  const page = readFileSync(new URL('../../docs/figures.md', import.meta.url), 'utf8')
  const rows = [...table.matchAll(/X\((\w+), "([^"]+)", "([^"]+)", "([^"]+)", (\w+), ([01]), "([^"]*)", ([\w |]+),\s*"([^"]+)"\)/g)]
  assert.ok(rows.length >= 49, `${rows.length} rows`)
  for (const [, , space, name, unit, , , dims, , help] of rows) assert.ok(page.includes(`| ${space} | ${name} | ${unit} | ${dims.replaceAll(',', ', ') || '—'} | ${help} |`), `${space} ${name}`)
})
