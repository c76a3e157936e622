// Enhanced fan-out with the SDK: consumers, and SubscribeToShard over HTTP/1.1 and HTTP/2.
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  DeleteStreamCommand, DeregisterStreamConsumerCommand, DescribeStreamConsumerCommand, DescribeStreamSummaryCommand, KinesisClient, ListStreamConsumersCommand,
  ListTagsForResourceCommand, RegisterStreamConsumerCommand, SplitShardCommand, SubscribeToShardCommand, TagResourceCommand,
} from '@aws-sdk/client-kinesis'
import { start, until, within } from '../lib/weir.mjs'
import { credentials } from '../dynamodb/lib.mjs'
import { advance, client, create, fails, ok, put, putMany } from './lib.mjs'

const arnOf = (name) => `arn:aws:kinesis:us-east-1:123456789012:stream/${name}`
const register = async (kinesis, stream, ConsumerName, more = {}) =>
  (await kinesis.send(new RegisterStreamConsumerCommand({ StreamARN: arnOf(stream), ConsumerName, ...more }))).Consumer
const SHARD = 'shardId-000000000000'

/** A subscription whose events gather: {events, texts(), done}; done settles with the error that ended it, or undefined. */
async function subscribe(kinesis, ConsumerARN, StartingPosition = { Type: 'TRIM_HORIZON' }, ShardId = SHARD) {
  const answer = await kinesis.send(new SubscribeToShardCommand({ ConsumerARN, ShardId, StartingPosition }))
  const events = []
  const done = (async () => {
    try {
      for await (const event of answer.EventStream) if (event.SubscribeToShardEvent) events.push(event.SubscribeToShardEvent)
    } catch (error) {
      return error
    }
  })()
  return { events, done, texts: () => events.flatMap((event) => event.Records.map((record) => Buffer.from(record.Data).toString())) }
}

test('consumers are registered, listed, described, tagged and dropped', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const made = await register(kinesis, 's', 'b', { Tags: { team: 'x' } })
  assert.equal(made.ConsumerStatus, 'CREATING')
  assert.match(made.ConsumerARN, /^arn:aws:kinesis:us-east-1:123456789012:stream\/s\/consumer\/b:[0-9]{10}$/)
  for (const name of ['a', 'c']) await register(kinesis, 's', name)
  const described = (await kinesis.send(new DescribeStreamConsumerCommand({ ConsumerARN: made.ConsumerARN }))).ConsumerDescription
  assert.equal(described.ConsumerStatus, 'ACTIVE')
  assert.equal(described.StreamARN, arnOf('s'))
  assert.ok(Math.abs(described.ConsumerCreationTimestamp - Date.now()) < 3600e3)
  const first = await kinesis.send(new ListStreamConsumersCommand({ StreamARN: arnOf('s'), MaxResults: 2 }))
  const second = await kinesis.send(new ListStreamConsumersCommand({ StreamARN: arnOf('s'), NextToken: first.NextToken }))
  assert.deepEqual([...first.Consumers, ...second.Consumers].map((c) => c.ConsumerName), ['a', 'b', 'c'])
  assert.equal(second.NextToken, undefined)
  assert.equal((await kinesis.send(new DescribeStreamSummaryCommand({ StreamName: 's' }))).StreamDescriptionSummary.ConsumerCount, 3)
  await kinesis.send(new TagResourceCommand({ ResourceARN: made.ConsumerARN, Tags: { more: '1' } }))
  assert.deepEqual((await kinesis.send(new ListTagsForResourceCommand({ ResourceARN: made.ConsumerARN }))).Tags, [{ Key: 'more', Value: '1' }, { Key: 'team', Value: 'x' }])
  await fails(server, 'RegisterStreamConsumer', { StreamARN: arnOf('s'), ConsumerName: 'a' }, 'ResourceInUseException')
  await fails(server, 'RegisterStreamConsumer', { StreamARN: arnOf('nobody'), ConsumerName: 'a' }, 'ResourceNotFoundException')
  await fails(server, 'RegisterStreamConsumer', { StreamARN: 'x', ConsumerName: '*' }, 'ValidationException', /^2 validation errors detected: .*streamARN.*; .*consumerName/)
  await fails(server, 'DescribeStreamConsumer', {}, 'InvalidArgumentException')
  await fails(server, 'DescribeStreamConsumer', { StreamARN: arnOf('s'), ConsumerName: 'x' }, 'ResourceNotFoundException')
  await fails(server, 'ListStreamConsumers', { StreamARN: arnOf('s'), StreamCreationTimestamp: 1 }, 'ResourceNotFoundException')
  await fails(server, 'DeleteStream', { StreamName: 's' }, 'ResourceInUseException', /consumers/)
  await kinesis.send(new DeregisterStreamConsumerCommand({ StreamARN: arnOf('s'), ConsumerName: 'c' }))
  await fails(server, 'DeregisterStreamConsumer', { StreamARN: arnOf('s'), ConsumerName: 'c' }, 'ResourceNotFoundException')
  await kinesis.send(new DeleteStreamCommand({ StreamName: 's', EnforceConsumerDeletion: true }))
  await create(kinesis, 'many')
  for (let i = 0; i < 20; i++) await ok(server, 'RegisterStreamConsumer', { StreamARN: arnOf('many'), ConsumerName: `c${i}` })
  await fails(server, 'RegisterStreamConsumer', { StreamARN: arnOf('many'), ConsumerName: 'one-more' }, 'LimitExceededException')
})

for (const [name, make] of [
  ['HTTP/1.1', client],
  ['HTTP/2, as the client comes', (server) => new KinesisClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })],
]) {
  test(`records are pushed over ${name}`, async (t) => {
    const server = await start(t, { threads: 2 })
    const kinesis = make(server)
    const writer = client(server)
    await create(writer, 's')
    const { ConsumerARN } = await register(writer, 's', 'c')
    await putMany(writer, 's', Array.from({ length: 300 }, (_, i) => ['k', `before ${i}`]))
    const sub = await subscribe(kinesis, ConsumerARN)
    const latest = await subscribe(kinesis, (await register(writer, 's', 'd')).ConsumerARN, { Type: 'LATEST' })
    await until('what was there', () => sub.texts().length === 300)
    for (let i = 0; i < 10; i++) await put(writer, 's', 'k', `after ${i}`)
    await until('what came', () => sub.texts().length === 310)
    assert.deepEqual(sub.texts(), [...Array.from({ length: 300 }, (_, i) => `before ${i}`), ...Array.from({ length: 10 }, (_, i) => `after ${i}`)])
    await until('what came', () => latest.texts().length === 10)
    const last = sub.events.at(-1)
    assert.equal(last.MillisBehindLatest, 0)
    assert.equal(last.Records.at(-1).PartitionKey, 'k')
    assert.ok(last.Records.at(-1).ApproximateArrivalTimestamp instanceof Date)
    // Nothing is said, nothing is lost: an event without records now and then, and the end after five minutes.
    const before = sub.events.length
    await advance(server, 6000)
    await until('a sign of life', () => sub.events.length > before)
    assert.deepEqual(sub.events.at(-1).Records, [])
    await advance(server, 300_000)
    assert.equal(await within('the end', sub.done), undefined)
    assert.equal(await within('the end', latest.done), undefined)
    // Going on from where it ended.
    writer.config.systemClockOffset = kinesis.config.systemClockOffset = server.skew ?? 0
    await put(writer, 's', 'k', 'later')
    const again = await subscribe(kinesis, ConsumerARN, { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: sub.events.at(-1).ContinuationSequenceNumber })
    await until('what came meanwhile', () => again.texts().length)
    assert.deepEqual(again.texts(), ['later'])
    const since = await subscribe(kinesis, (await register(writer, 's', 'e')).ConsumerARN, { Type: 'AT_TIMESTAMP', Timestamp: again.events[0].Records[0].ApproximateArrivalTimestamp })
    await until('what came since', () => since.texts().length)
    assert.deepEqual(since.texts(), ['later'])
    kinesis.destroy()
    writer.destroy()
    await advance(server, 301_000) // an HTTP/2 client that is destroyed lets its streams come to their end
    await until('nobody is subscribed', async () => (await server.counters()).records_subscriptions === 0)
  })
}

test('a newer subscription takes over, but not at once', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const { ConsumerARN } = await register(kinesis, 's', 'c')
  const first = await subscribe(kinesis, ConsumerARN)
  await fails(server, 'SubscribeToShard', { ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'LATEST' } }, 'ResourceInUseException')
  await advance(server, 5001)
  const second = await subscribe(client(server), ConsumerARN)
  assert.equal((await within('the first one ends', first.done))?.name, 'ResourceInUseException')
  await put(client(server), 's', 'k', 'x')
  await until('the second goes on', () => second.texts().length)
  await fails(server, 'SubscribeToShard', { ConsumerARN, ShardId: 'shardId-000000000007', StartingPosition: { Type: 'LATEST' } }, 'ResourceNotFoundException')
  await fails(server, 'SubscribeToShard', { ConsumerARN: ConsumerARN.replace(/\d+$/, '17'), ShardId: SHARD, StartingPosition: { Type: 'LATEST' } }, 'ResourceNotFoundException')
  await fails(server, 'SubscribeToShard', { ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'AT_TIMESTAMP' } }, 'InvalidArgumentException')
  await fails(server, 'SubscribeToShard', { ConsumerARN: 'x', ShardId: '', StartingPosition: { Type: 'x' } }, 'ValidationException', /^[34] validation errors detected/)
  await client(server).send(new DeregisterStreamConsumerCommand({ ConsumerARN }))
  assert.equal((await within('the consumer is gone', second.done))?.name, 'ResourceNotFoundException')
})

test('a shard that is closed ends with its children, a stream that is deleted with an exception', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const { ConsumerARN } = await register(kinesis, 's', 'c')
  await put(kinesis, 's', 'k', 'one')
  const sub = await subscribe(kinesis, ConsumerARN)
  await until('the record', () => sub.texts().length)
  await kinesis.send(new SplitShardCommand({ StreamName: 's', ShardToSplit: SHARD, NewStartingHashKey: String(1n << 127n) }))
  assert.equal(await within('the end', sub.done), undefined)
  const last = sub.events.at(-1)
  assert.equal(last.ContinuationSequenceNumber, undefined)
  assert.deepEqual(last.ChildShards.map((s) => [s.ShardId, s.ParentShards]), [['shardId-000000000001', [SHARD]], ['shardId-000000000002', [SHARD]]])
  const child = await subscribe(kinesis, ConsumerARN, { Type: 'TRIM_HORIZON' }, 'shardId-000000000002')
  await kinesis.send(new DeleteStreamCommand({ StreamName: 's', EnforceConsumerDeletion: true }))
  assert.equal((await within('the stream is gone', child.done))?.name, 'ResourceNotFoundException')
})

test('a reader that is slow is waited for, and costs no memory', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const { ConsumerARN } = await register(kinesis, 's', 'c')
  const answer = await kinesis.send(new SubscribeToShardCommand({ ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'TRIM_HORIZON' } }))
  const data = 'x'.repeat(500_000)
  for (let i = 0; i < 24; i++) await putMany(kinesis, 's', [['k', data], ['k', data]])
  assert.ok((await server.counters()).net_queue_bytes < 4 << 20)
  let records = 0
  for await (const event of answer.EventStream) {
    records += event.SubscribeToShardEvent?.Records.length ?? 0
    if (records === 48) break
  }
  assert.equal(records, 48)
})
