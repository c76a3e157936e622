// Subscription filters: what matches goes into a Kinesis stream, gzip'ed as AWS sends it, and nothing is lost on the way. Destinations stand for streams.
import test from 'node:test'
import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import { DeleteSubscriptionFilterCommand, DescribeSubscriptionFiltersCommand, PutDestinationCommand, PutSubscriptionFilterCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, start, until } from '../lib/weir.mjs'
import { call as signed } from '../dynamodb/lib.mjs'
import { client, fails, INVALID, NOT_FOUND, now, ok, put, stream } from './lib.mjs'

async function kinesis(server, operation, body) {
  const answer = await signed(server, operation, body, { service: 'kinesis', headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Kinesis_20131202.${operation}` } })
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.body ? answer.json : undefined
}

const arnOf = (name) => `arn:aws:kinesis:us-east-1:123456789012:stream/${name}`
const role = 'arn:aws:iam::123456789012:role/logs'

/** Every record of a stream: {key, message}. */
async function records(server, StreamName) {
  const found = []
  for (const { ShardId } of (await kinesis(server, 'ListShards', { StreamName })).Shards) {
    let { ShardIterator } = await kinesis(server, 'GetShardIterator', { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' })
    for (;;) {
      const page = await kinesis(server, 'GetRecords', { ShardIterator })
      for (const r of page.Records) found.push({ key: r.PartitionKey, shard: ShardId, message: JSON.parse(gunzipSync(Buffer.from(r.Data, 'base64'))) })
      if (!page.MillisBehindLatest) break
      ShardIterator = page.NextShardIterator
    }
  }
  return found
}
const delivered = async (server, name) => (await records(server, name)).filter((r) => r.message.messageType === 'DATA_MESSAGE')
const texts = (list) => list.flatMap((r) => r.message.logEvents.map((e) => e.message))

test('events that match are in the stream', async (t) => {
  const server = await start(t)
  const logs = client(server)
  await kinesis(server, 'CreateStream', { StreamName: 'to', ShardCount: 2 })
  await stream(server, '/app', 's1')
  await ok(server, 'CreateLogStream', { logGroupName: '/app', logStreamName: 's2' })
  await put(server, '/app', 's1', ['ERROR before the filter'])
  await logs.send(new PutSubscriptionFilterCommand({ logGroupName: '/app', filterName: 'errors', filterPattern: 'ERROR', destinationArn: arnOf('to'), roleArn: role }))
  const [control] = await records(server, 'to')
  assert.equal(control.message.messageType, 'CONTROL_MESSAGE')
  assert.equal(control.message.owner, 'CloudwatchLogs')
  assert.match(control.message.logEvents[0].message, /^CWL CONTROL MESSAGE: Checking health of destination/)

  const at = now(server)
  await put(server, '/app', 's1', [['ERROR one', at], ['fine', at], ['ERROR "two" ü', at + 1]])
  await put(server, '/app', 's2', [['ERROR three', at]])
  const list = await until('three events', async () => { const all = await delivered(server, 'to'); return texts(all).length === 3 && all })
  const first = list.find((r) => r.message.logStream === 's1').message
  const { events } = await ok(server, 'FilterLogEvents', { logGroupName: '/app', logStreamNames: ['s1'], filterPattern: 'ERROR -before' })
  assert.deepEqual(first, { messageType: 'DATA_MESSAGE', owner: '123456789012', logGroup: '/app', logStream: 's1', subscriptionFilters: ['errors'],
    logEvents: events.map((e) => ({ id: e.eventId, timestamp: e.timestamp, message: e.message })) })
  assert.deepEqual(texts(list).sort(), ['ERROR "two" ü', 'ERROR one', 'ERROR three'])

  const { subscriptionFilters: [filter] } = await logs.send(new DescribeSubscriptionFiltersCommand({ logGroupName: '/app' }))
  assert.ok(Math.abs(filter.creationTime - at) < 600000)
  assert.deepEqual({ ...filter, creationTime: 0 }, { filterName: 'errors', logGroupName: '/app', filterPattern: 'ERROR', destinationArn: arnOf('to'), roleArn: role, distribution: 'ByLogStream', creationTime: 0 })
  // By stream: one key for all of a stream.
  await put(server, '/app', 's2', ['ERROR four'])
  const four = await until('the fourth', async () => { const all = await delivered(server, 'to'); return texts(all).length === 4 && all })
  assert.equal(new Set(four.filter((r) => r.message.logStream === 's2').map((r) => r.key)).size, 1)
  await logs.send(new DeleteSubscriptionFilterCommand({ logGroupName: '/app', filterName: 'errors' }))
  await put(server, '/app', 's1', ['ERROR five'])
  assert.deepEqual((await ok(server, 'DescribeSubscriptionFilters', { logGroupName: '/app' })).subscriptionFilters, [])
  await put(server, '/app', 's1', ['ERROR six'])
  assert.equal(texts(await delivered(server, 'to')).length, 4)
  logs.destroy()
  await quiet(server)
})

test('a large put is several records; a kill loses none', async (t) => {
  const server = await start(t)
  await kinesis(server, 'CreateStream', { StreamName: 'to', ShardCount: 1 })
  await stream(server, 'g', 's')
  await ok(server, 'PutSubscriptionFilter', { logGroupName: 'g', filterName: 'all', filterPattern: '', destinationArn: arnOf('to'), distribution: 'Random' })
  const lines = Array.from({ length: 900 }, (_, i) => `${i} ${'x'.repeat(1000)}`)
  await put(server, 'g', 's', lines)
  await server.kill9()
  await server.restart()
  const list = await until('all lines', async () => { const all = await delivered(server, 'to'); return texts(all).length >= 900 && all })
  assert.deepEqual(texts(list), lines)
  assert.ok(list.length >= 4)
  assert.equal(new Set(list.map((r) => r.key)).size, list.length)
  await quiet(server)
})

test('destinations', async (t) => {
  const server = await start(t)
  const logs = client(server)
  await kinesis(server, 'CreateStream', { StreamName: 'to', ShardCount: 1 })
  const input = { destinationName: 'central', targetArn: arnOf('to'), roleArn: role }
  await fails(server, 'PutDestination', { ...input, targetArn: arnOf('none') }, INVALID, /^Could not deliver test message to specified destination/)
  const { destination } = await logs.send(new PutDestinationCommand({ ...input, tags: { team: 'x' } }))
  const arn = 'arn:aws:logs:us-east-1:123456789012:destination:central'
  assert.deepEqual({ ...destination, creationTime: 0 }, { ...input, arn, creationTime: 0 })
  const accessPolicy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: 'logs:PutSubscriptionFilter', Resource: arn }] })
  await ok(server, 'PutDestinationPolicy', { destinationName: 'central', accessPolicy })
  await fails(server, 'PutDestinationPolicy', { destinationName: 'central', accessPolicy: 'no' }, INVALID, /not a JSON object/)
  await fails(server, 'PutDestinationPolicy', { destinationName: 'other', accessPolicy }, NOT_FOUND)
  assert.deepEqual((await ok(server, 'DescribeDestinations', { DestinationNamePrefix: 'cen' })).destinations, [{ ...destination, accessPolicy }])
  assert.deepEqual((await ok(server, 'DescribeDestinations', { DestinationNamePrefix: 'x' })).destinations, [])
  await ok(server, 'PutDestination', { ...input, destinationName: 'second' })
  const page = await ok(server, 'DescribeDestinations', { limit: 1 })
  assert.equal(page.destinations[0].destinationName, 'central')
  assert.equal((await ok(server, 'DescribeDestinations', { limit: 1, nextToken: page.nextToken })).destinations[0].destinationName, 'second')

  assert.deepEqual((await ok(server, 'ListTagsForResource', { resourceArn: arn })).tags, { team: 'x' })
  await ok(server, 'TagResource', { resourceArn: arn, tags: { stage: 'dev' } })
  await ok(server, 'UntagResource', { resourceArn: arn, tagKeys: ['team'] })
  assert.deepEqual((await ok(server, 'ListTagsForResource', { resourceArn: arn })).tags, { stage: 'dev' })

  await stream(server, 'g', 's')
  await ok(server, 'PutSubscriptionFilter', { logGroupName: 'g', filterName: 'f', filterPattern: '{ $.level = "ERROR" }', destinationArn: arn })
  await put(server, 'g', 's', ['{"level":"ERROR","n":1}', '{"level":"INFO"}'])
  await until('one event', async () => texts(await delivered(server, 'to')).join() === '{"level":"ERROR","n":1}')
  // What has nowhere to go any more is dropped, counted, and holds nothing up.
  await ok(server, 'DeleteDestination', { destinationName: 'central' })
  await fails(server, 'DeleteDestination', { destinationName: 'central' }, NOT_FOUND, 'The specified destination does not exist.')
  await put(server, 'g', 's', ['{"level":"ERROR","n":2}'])
  await until('the drop', async () => (await server.counters()).logs_deliveries_dropped === 1)
  logs.destroy()
  await quiet(server)
})

test('a route of an application', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  await ok(server, 'PutSubscriptionFilter', { logGroupName: 'g', filterName: 'f', filterPattern: 'hello', destinationArn: 'weir:clash-bot/@register' })
  await put(server, 'g', 's', ['hello'])
  // The message is no workflow's, and the route says so.
  await until('the handler', async () => {
    const { events } = await ok(server, 'FilterLogEvents', { logGroupName: '/weir/clash-bot/_register' })
    return events.some((e) => JSON.parse(e.message).field === 'executionId')
  })
  await quiet(server)
})

test('what is refused', async (t) => {
  const server = await start(t)
  await kinesis(server, 'CreateStream', { StreamName: 'to', ShardCount: 1 })
  await stream(server, 'g', 's')
  const input = { logGroupName: 'g', filterName: 'f', filterPattern: '', destinationArn: arnOf('to') }
  await fails(server, 'PutSubscriptionFilter', { ...input, logGroupName: 'none' }, NOT_FOUND, 'The specified log group does not exist.')
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: arnOf('none') }, INVALID, /^Could not deliver test message to specified Kinesis stream\. Check if the given kinesis stream is in ACTIVE state\./)
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: 'arn:aws:lambda:us-east-1:123456789012:function:f' }, INVALID, /^Could not execute the lambda function/)
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: 'arn:aws:firehose:us-east-1:123456789012:deliverystream/d' }, INVALID, /Firehose/)
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: 'arn:aws:sqs:us-east-1:123456789012:q' }, INVALID, 'PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs')
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: 'weir:echo/@none' }, INVALID, /There is no route/)
  await fails(server, 'PutSubscriptionFilter', { ...input, destinationArn: 'x' }, INVALID, 'Invalid destinationArn: x')
  await fails(server, 'PutSubscriptionFilter', { ...input, filterPattern: '{' }, INVALID, /^Invalid filter pattern/)
  await fails(server, 'PutSubscriptionFilter', { ...input, distribution: 'Even' }, INVALID, /enum value set: \[Random, ByLogStream\]/)
  await fails(server, 'PutSubscriptionFilter', { logGroupName: 'g*', filterName: 'a:b', filterPattern: '', destinationArn: arnOf('to') }, INVALID, /^2 validation errors detected: /)
  await ok(server, 'PutSubscriptionFilter', input)
  await ok(server, 'PutSubscriptionFilter', { ...input, filterPattern: 'ERROR' })
  await ok(server, 'PutSubscriptionFilter', { ...input, filterName: 'second' })
  await fails(server, 'PutSubscriptionFilter', { ...input, filterName: 'third' }, 'LimitExceededException', 'Resource limit exceeded.')
  const names = async (more) => (await ok(server, 'DescribeSubscriptionFilters', { logGroupName: 'g', ...more })).subscriptionFilters.map((f) => f.filterName)
  assert.deepEqual(await names({}), ['f', 'second'])
  assert.deepEqual(await names({ filterNamePrefix: 's' }), ['second'])
  const page = await ok(server, 'DescribeSubscriptionFilters', { logGroupName: 'g', limit: 1 })
  assert.deepEqual(await names({ limit: 1, nextToken: page.nextToken }), ['second'])
  await fails(server, 'DeleteSubscriptionFilter', { logGroupName: 'g', filterName: 'third' }, NOT_FOUND, 'The specified subscription filter does not exist.')
  await fails(server, 'DescribeSubscriptionFilters', { logGroupName: 'none' }, NOT_FOUND)
  await ok(server, 'CreateLogGroup', { logGroupName: 'rare', logGroupClass: 'INFREQUENT_ACCESS' })
  await fails(server, 'PutSubscriptionFilter', { ...input, logGroupName: 'rare' }, 'InvalidOperationException')
  await ok(server, 'DeleteLogGroup', { logGroupName: 'g' })
  await ok(server, 'CreateLogGroup', { logGroupName: 'g' })
  assert.deepEqual(await names({}), [])
  await quiet(server)
})
