// What a kept data folder holds: fill() puts one of everything in, read() takes all of it out over the wires again. scripts/make-folder.sh makes the folders of
// tests/folders with the one; folders.test.mjs compares what the other reads with what was read when the folder was made. A new kind of thing is a new row of
// `parts`: folders that were made before it have nothing of it in their expectation, and are not asked.
import assert from 'node:assert/strict'
import * as tables from '../dynamodb/lib.mjs'
import * as metrics from '../cloudwatch/lib.mjs'
import * as logs from '../logs/lib.mjs'
import * as kinesis from '../kinesis/lib.mjs'
import { raw } from '../dynamodb/streams.mjs'
import { connect } from './client.mjs'
import { secret, seconds, token } from './token.mjs'
import { request, start, until } from './weir.mjs'

export const MADE = '2026-01-15T12:00:00Z'
export const OPENED = '2026-01-15T12:45:00Z' // the history of notes' rooms is kept for an hour
const ENCRYPTION_KEY = '6b'.repeat(32)
const at = (text) => Date.parse(text)

/** A server on the folder, at a time of its own. */
export async function open(t, folder, { time, encrypted, driven = true }) {
  const env = { JWT_SECRET: secret, ...(encrypted ? { WEIR_ENCRYPTION_KEY: ENCRYPTION_KEY } : {}) }
  const server = await start(t, { folder, driven, args: ['--clock-start', time], env })
  server.skew = (await server.now()) - Date.now()
  return server
}

export const verifyEnvironment = (encrypted) => (encrypted ? { WEIR_ENCRYPTION_KEY: ENCRYPTION_KEY } : {})

const socket = async (server, api, sub, role = 'user') =>
  connect(`${server.ws}/${api}?token=${token({ sub, role, exp: seconds(await server.now(), 86400) })}`)

const post = async (server, path, body) => {
  const answer = await request(server, 'POST', path, { body: JSON.stringify(body) })
  assert.ok(answer.status < 300, `${path}: ${answer.body}`)
  return answer.json
}

const byJson = (list) => list.map((one) => JSON.stringify(one)).sort().map((text) => JSON.parse(text))

/** Every record of a stream's shard, by pages. */
async function records(start, take) {
  const all = []
  for (let next = start, empty = 0; next && empty < 3;) {
    const page = await take(next)
    all.push(...page.Records)
    empty = page.Records.length ? 0 : empty + 1
    next = page.NextShardIterator
  }
  return all
}

// ---- tables: every type, indexes, expiry, a stream ----
const item = (i) => ({
  id: { S: `item-${i % 7}` }, number: { N: `${i}` }, group: { S: i % 2 ? 'odd' : 'even' }, score: { N: `${i * 1.5}` }, text: { S: `größer ${i} \u{1F30A}` },
  bytes: { B: Buffer.from([0, i, 255]).toString('base64') }, yes: { BOOL: i % 3 === 0 }, nothing: { NULL: true },
  map: { M: { deep: { L: [{ N: '-0.1' }, { S: '' }, { M: {} }] } } }, names: { SS: ['a', `b${i}`] }, numbers: { NS: ['1', `${i}e10`] }, blobs: { BS: ['AQ==', 'Ag=='] },
  precise: { N: '1234567890123456789012345678901234567.8' },
  ...(i === 5 ? { until: { N: `${at(MADE) / 1000 + 1800}` } } : {}), // gone when the folder is opened
  ...(i === 6 ? { until: { N: `${at(MADE) / 1000 + 7200}` } } : {}), // still there
})

async function fillTables(server) {
  await tables.ok(server, 'CreateTable', {
    TableName: 'kept', BillingMode: 'PAY_PER_REQUEST', StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    AttributeDefinitions: [['id', 'S'], ['number', 'N'], ['group', 'S'], ['score', 'N']].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }, { AttributeName: 'number', KeyType: 'RANGE' }],
    GlobalSecondaryIndexes: [{ IndexName: 'ByGroup', KeySchema: [{ AttributeName: 'group', KeyType: 'HASH' }, { AttributeName: 'score', KeyType: 'RANGE' }], Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['text'] } }],
    LocalSecondaryIndexes: [{ IndexName: 'ByScore', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }, { AttributeName: 'score', KeyType: 'RANGE' }], Projection: { ProjectionType: 'KEYS_ONLY' } }],
  })
  await tables.ok(server, 'UpdateTimeToLive', { TableName: 'kept', TimeToLiveSpecification: { Enabled: true, AttributeName: 'until' } })
  await tables.ok(server, 'UpdateContinuousBackups', { TableName: 'kept', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })
  for (let i = 0; i < 40; i++) await tables.ok(server, 'PutItem', { TableName: 'kept', Item: item(i) })
  await tables.ok(server, 'UpdateItem', { TableName: 'kept', Key: { id: { S: 'item-1' }, number: { N: '1' } }, UpdateExpression: 'SET score = score + :one REMOVE nothing', ExpressionAttributeValues: { ':one': { N: '1' } } })
  await tables.ok(server, 'DeleteItem', { TableName: 'kept', Key: { id: { S: 'item-2' }, number: { N: '2' } } })
  await tables.ok(server, 'TransactWriteItems', { TransactItems: [{ Put: { TableName: 'kept', Item: { id: { S: 'transact' }, number: { N: '1' } } } }, { Delete: { TableName: 'kept', Key: { id: { S: 'item-3' }, number: { N: '3' } } } }] })
  await tables.ok(server, 'TagResource', { ResourceArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/kept', Tags: [{ Key: 'team', Value: 'weir' }] })
}

async function readTables(server) {
  const { Table } = await tables.ok(server, 'DescribeTable', { TableName: 'kept' })
  const { Items } = await tables.ok(server, 'Scan', { TableName: 'kept' })
  const query = async (IndexName, name, value) => (await tables.ok(server, 'Query', {
    TableName: 'kept', IndexName, KeyConditionExpression: '#k = :v', ExpressionAttributeNames: { '#k': name }, ExpressionAttributeValues: { ':v': { S: value } }, ScanIndexForward: false })).Items
  const { TimeToLiveDescription } = await tables.ok(server, 'DescribeTimeToLive', { TableName: 'kept' })
  const { Tags } = await tables.ok(server, 'ListTagsOfResource', { ResourceArn: Table.TableArn })
  return {
    keys: Table.KeySchema, attributes: byJson(Table.AttributeDefinitions), indexes: byJson([...Table.GlobalSecondaryIndexes, ...Table.LocalSecondaryIndexes].map(({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }))),
    stream: Table.LatestStreamArn, expiry: TimeToLiveDescription, tags: Tags, items: byJson(Items), even: await query('ByGroup', 'group', 'even'), scores: await query('ByScore', 'id', 'item-1'),
  }
}

async function readStream(server) {
  const { Table } = await tables.ok(server, 'DescribeTable', { TableName: 'kept' })
  const ask = async (operation, body) => {
    const answer = await raw(server, operation, body)
    assert.equal(answer.status, 200, answer.body)
    return answer.json
  }
  const { StreamDescription } = await ask('DescribeStream', { StreamArn: Table.LatestStreamArn })
  const all = []
  for (const { ShardId } of StreamDescription.Shards) {
    const { ShardIterator } = await ask('GetShardIterator', { StreamArn: Table.LatestStreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' })
    all.push(...await records(ShardIterator, (next) => ask('GetRecords', { ShardIterator: next })))
  }
  // The row that expires in between has its REMOVE whenever it is swept.
  return all.filter((record) => !record.userIdentity).map(({ eventID, eventName, dynamodb }) => ({ eventID, eventName, dynamodb }))
}

// ---- Kinesis ----
async function fillKinesis(server) {
  await kinesis.ok(server, 'CreateStream', { StreamName: 'clicks', ShardCount: 2 })
  for (let i = 0; i < 20; i++) await kinesis.ok(server, 'PutRecord', { StreamName: 'clicks', PartitionKey: `user-${i % 5}`, Data: Buffer.from(`click ${i}`).toString('base64') })
}

async function readKinesis(server) {
  const { Shards } = await kinesis.ok(server, 'ListShards', { StreamName: 'clicks' })
  const found = {}
  for (const { ShardId, HashKeyRange } of Shards) {
    const { ShardIterator } = await kinesis.ok(server, 'GetShardIterator', { StreamName: 'clicks', ShardId, ShardIteratorType: 'TRIM_HORIZON' })
    found[ShardId] = { HashKeyRange, records: await records(ShardIterator, (next) => kinesis.ok(server, 'GetRecords', { ShardIterator: next })) }
  }
  return found
}

// ---- logs and metrics ----
async function fillLogs(server) {
  await logs.stream(server, '/kept/log', 'first')
  await logs.ok(server, 'PutRetentionPolicy', { logGroupName: '/kept/log', retentionInDays: 30 })
  await logs.ok(server, 'PutMetricFilter', { logGroupName: '/kept/log', filterName: 'slow', filterPattern: '{ $.ms > 90 }', metricTransformations: [{ metricName: 'Slow', metricNamespace: 'Kept', metricValue: '$.ms' }] })
  for (let batch = 0; batch < 4; batch++)
    await logs.put(server, '/kept/log', 'first', Array.from({ length: 25 }, (_, i) => [JSON.stringify({ ms: batch * 25 + i, mode: i % 2 ? 'classic' : 'fast', name: 'naïve' }), at(MADE) - 60000 + batch * 1000 + i]))
}

async function readLogs(server) {
  const { logGroups } = await logs.ok(server, 'DescribeLogGroups', { logGroupNamePrefix: '/kept/log' })
  const { metricFilters } = await logs.ok(server, 'DescribeMetricFilters', { logGroupName: '/kept/log' })
  const { queryId } = await logs.ok(server, 'StartQuery', {
    logGroupName: '/kept/log', startTime: at(MADE) / 1000 - 600, endTime: at(MADE) / 1000 + 600, queryString: 'filter name like /na.ve/ | stats count(*) as n, avg(ms) as mean, pct(ms, 90) as p by mode | sort mode',
  })
  const query = await until('the query', async () => {
    const answer = await logs.ok(server, 'GetQueryResults', { queryId })
    return answer.status === 'Complete' && answer
  })
  return {
    group: { ...logGroups[0], storedBytes: undefined }, filters: metricFilters, events: (await logs.filter(server, '/kept/log')).map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
    warm: (await logs.messages(server, '/kept/log', { filterPattern: '{ $.ms > 95 && $.mode = "fast" }' })), query: query.results,
  }
}

async function fillMetrics(server) {
  const put = async (MetricData) => {
    const answer = await metrics.json(server, 'PutMetricData', { Namespace: 'Kept', MetricData })
    assert.equal(answer.status, 200, answer.body)
  }
  for (let minute = 0; minute < 5; minute++)
    await put(Array.from({ length: 20 }, (_, i) => ({ MetricName: 'Latency', Unit: 'Milliseconds', Value: minute * 100 + i * i, Timestamp: at(MADE) / 1000 - 600 + minute * 60, Dimensions: [{ Name: 'Route', Value: 'GET /orders' }] })))
  await put([{ MetricName: 'Sets', StatisticValues: { SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 4 }, Timestamp: at(MADE) / 1000 - 300 }])
}

async function readMetrics(server) {
  const found = {}
  const get = async (MetricName, Dimensions, asked) => {
    const { json } = await metrics.json(server, 'GetMetricStatistics', {
      Namespace: 'Kept', MetricName, Dimensions, Period: 60, StartTime: at(MADE) / 1000 - 900, EndTime: at(MADE) / 1000 + 900, ...asked })
    return json.Datapoints.sort((a, b) => a.Timestamp - b.Timestamp)
  }
  found.latency = await get('Latency', [{ Name: 'Route', Value: 'GET /orders' }], { Statistics: ['Sum', 'Minimum', 'Maximum', 'SampleCount', 'Average'] })
  found.percentiles = await get('Latency', [{ Name: 'Route', Value: 'GET /orders' }], { ExtendedStatistics: ['p50', 'p99'] })
  found.sets = await get('Sets', [], { Statistics: ['Sum', 'SampleCount', 'Minimum'] })
  found.slow = await get('Slow', [], { Statistics: ['Sum', 'SampleCount'] })
  found.list = byJson((await metrics.json(server, 'ListMetrics', { Namespace: 'Kept' })).json.Metrics)
  return found
}

// ---- applications: tables of their own, counted ranks, rooms with history, a consumer's position, a workflow that waits ----
async function fillApplications(server) {
  const ada = await socket(server, 'notes', 'ada')
  for (let i = 0; i < 5; i++) assert.equal((await ada.ask({ action: 'put', board: 'kitchen', id: `${i}`, text: `note ${i}`, stars: i })).type, 'ack')
  assert.equal((await ada.ask({ action: 'take-down', board: 'kitchen', id: '2' })).type, 'ack')
  for (const text of ['one', 'two', 'three']) assert.equal((await ada.ask({ action: 'say', board: 'tea', text })).type, 'ack')
  await ada.close()
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (const score of [500, 700, 500, 900]) assert.equal((await player.ask({ action: 'updateLeaderboard', data: { gameMode: 'classic', score, playerName: `P${score}` } })).type, 'ack')
  await player.close()
  await until('the counts', async () => (await tables.ok(server, 'GetItem', { TableName: 'notes-counts', Key: { board: { S: 'kitchen' } } })).Item?.REMOVE?.N === '1')
  await post(server, '/clash-bot/tournaments', { tournamentId: 'cup', name: 'Friday night', startTime: '2026-01-15T18:00:00Z' })
  await post(server, '/clash-bot/tournaments/cup/players', { players: ['p1', 'p2', 'p3', 'p4'] })
  await post(server, '/clash-bot/tournaments/cup/start', { stepDelay: 5 * 60000 })
}

async function readApplications(server) {
  const item = async (TableName, Key) => (await tables.ok(server, 'GetItem', { TableName, Key })).Item
  const notes = (await tables.ok(server, 'Scan', { TableName: 'notes' })).Items
  const ada = await socket(server, 'notes', 'ada')
  const said = []
  ada.send({ action: 'resume', room: 'tea', after: '0.0' })
  for (let message = await ada.json(); message.type !== 'resumed'; message = await ada.json()) said.push(message)
  await ada.close()
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const board = await player.ask({ action: 'getLeaderboard', data: { gameMode: 'classic', limit: 10 } })
  await player.close()
  return { notes: byJson(notes), counts: await item('notes-counts', { board: { S: 'kitchen' } }), said, board: board.data }
}

/** The workflow waited in a deferred call when the folder was closed; it goes on by itself. */
async function readDeferred(server) {
  return until('the workflow', async () => {
    await tables.advance(server, 60000)
    const { json } = await request(server, 'GET', '/clash-bot/tournaments/cup')
    return json.status === 'locked' && { status: json.status, playerCount: json.playerCount }
  })
}

/** In this order: the last part moves the clock. */
const parts = { tables: readTables, stream: readStream, kinesis: readKinesis, logs: readLogs, metrics: readMetrics, applications: readApplications, deferred: readDeferred }

export async function fill(server) {
  for (const part of [fillTables, fillKinesis, fillLogs, fillMetrics, fillApplications]) await part(server)
}

/** `names`: those that the expectation has; all of them when the folder is being made. */
export async function read(server, names = Object.keys(parts)) {
  const found = {}
  for (const name of Object.keys(parts).filter((one) => names.includes(one))) found[name] = JSON.parse(JSON.stringify(await parts[name](server)))
  return found
}
