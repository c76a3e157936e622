// Retention by the server's clock: what is past it is invisible at once and gone soon; a longer one keeps what is there.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, fails, given, iterator, ok, put, putMany, readAll, shards, texts } from './lib.mjs'

const HOUR = 3600_000
const only = 'shardId-000000000000'

test('a record lives for the retention in force', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  await put(client(server), 's', 'k', 'a')
  await advance(server, 10 * HOUR)
  const { SequenceNumber } = await put(client(server), 's', 'k', 'b')
  await advance(server, 13 * HOUR)
  assert.deepEqual(await texts(client(server), 's', only), ['a', 'b'])
  // Longer, while they are all there: a is kept past its first day.
  await ok(server, 'IncreaseStreamRetentionPeriod', { StreamName: 's', RetentionPeriodHours: 48 })
  await advance(server, 13 * HOUR)
  assert.deepEqual(await texts(client(server), 's', only), ['a', 'b'])
  assert.equal((await server.counters()).records_expired, 0)
  // Shorter: a is 36 hours old, b 26.
  await ok(server, 'DecreaseStreamRetentionPeriod', { StreamName: 's', RetentionPeriodHours: 30 })
  assert.deepEqual(await texts(client(server), 's', only), ['b'])
  assert.deepEqual(await texts(client(server), 's', only, 'AT_SEQUENCE_NUMBER', { StartingSequenceNumber: SequenceNumber }), ['b'])
  await advance(server, 2 * HOUR)
  await until('the sweep', async () => (await server.counters()).records_expired === 1)
  assert.deepEqual(await texts(client(server), 's', only), ['b'])
  await advance(server, 6 * HOUR)
  assert.deepEqual(await texts(client(server), 's', only), [])
  await until('the sweep', async () => (await server.counters()).records_expired === 2)
  await put(client(server), 's', 'k', 'c')
  assert.deepEqual(await texts(client(server), 's', only), ['c'])
  await quiet(server)
})

test('many records go in slices, and what is young stays', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 3 })
  for (let batch = 0; batch < 4; batch++) await putMany(client(server), 's', Array.from({ length: 500 }, (_, i) => [`k${i}`, `old ${batch}.${i}`]))
  await advance(server, 23 * HOUR)
  await putMany(client(server), 's', Array.from({ length: 300 }, (_, i) => [`k${i}`, `young ${i}`]))
  await advance(server, 2 * HOUR)
  const read = []
  for (const shard of await shards(client(server), 's')) read.push(...(await texts(client(server), 's', shard.ShardId)))
  assert.equal(read.length, 300)
  assert.ok(read.every((text) => text.startsWith('young')))
  await until('the sweep', async () => (await server.counters()).records_expired === 2000)
  // A restart does not lose the sweep.
  await server.stop()
  await server.restart()
  server.skew = 0
  await advance(server, 48 * HOUR)
  await until('the sweep after a restart', async () => (await server.counters()).records_expired === 300)
})

test('closed shards go when retention has passed', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  await put(client(server), 's', 'k', 'a')
  await ok(server, 'SplitShard', { StreamName: 's', ShardToSplit: only, NewStartingHashKey: '1000' })
  const token = await iterator(client(server), 's', only)
  assert.equal((await readAll(client(server), token)).records.length, 1)
  await advance(server, 23 * HOUR)
  assert.equal((await shards(client(server), 's')).length, 3)
  await advance(server, 3 * HOUR)
  await until('the parent is gone', async () => (await shards(client(server), 's')).length === 2)
  await fails(server, 'GetShardIterator', { StreamName: 's', ShardId: only, ShardIteratorType: 'TRIM_HORIZON' }, 'ResourceNotFoundException')
  await put(client(server), 's', 'k', 'b')
})

test('a deleted stream leaves nothing behind', async (t) => {
  const server = await start(t)
  const before = await given(server)
  for (let round = 0; round < 3; round++) {
    await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 10 })
    await putMany(client(server), 's', Array.from({ length: 500 }, (_, i) => [`k${i}`, 'x']))
    await ok(server, 'DeleteStream', { StreamName: 's' })
  }
  assert.deepEqual(await given(server).then(({ names, shards: count }) => [names, count]), [before.names, before.shards])
  await quiet(server)
})
