// Splits and merges: a reader that goes from parents to children sees everything once, in order for each key.
import test from 'node:test'
import assert from 'node:assert/strict'
import { MergeShardsCommand, SplitShardCommand, UpdateShardCountCommand } from '@aws-sdk/client-kinesis'
import { quiet, start } from '../lib/weir.mjs'
import { client, create, fails, get, iterator, ok, putMany, readAll, shards } from './lib.mjs'

const half = '170141183460469231731687303715884105728'

/** Reads a stream the way the Kinesis Client Library does: a shard when its parents have been read to their end. */
async function readByLineage(kinesis, stream) {
  const list = await shards(kinesis, stream)
  const known = new Set(list.map((shard) => shard.ShardId))
  const done = new Set()
  const records = []
  while (done.size < list.length) {
    const before = done.size
    for (const shard of list) {
      const parents = [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id && known.has(id))
      if (done.has(shard.ShardId) || !parents.every((id) => done.has(id))) continue
      const read = await readAll(kinesis, await iterator(kinesis, stream, shard.ShardId), { Limit: 7 })
      assert.equal(read.ended, shard.SequenceNumberRange.EndingSequenceNumber !== undefined, shard.ShardId)
      if (read.ended) {
        const children = list.filter((one) => [one.ParentShardId, one.AdjacentParentShardId].includes(shard.ShardId))
        assert.deepEqual(read.children.map((child) => [child.ShardId, child.ParentShards.slice().sort(), child.HashKeyRange]),
          children.map((child) => [child.ShardId, [child.ParentShardId, child.AdjacentParentShardId].filter(Boolean).sort(), child.HashKeyRange]))
      }
      records.push(...read.records)
      done.add(shard.ShardId)
    }
    assert.ok(done.size > before, 'a shard whose parents never end')
  }
  return records
}

/** The open shards cover all hash keys, each once. */
function covers(list) {
  const open = list.filter((shard) => !shard.SequenceNumberRange.EndingSequenceNumber)
    .map((shard) => [BigInt(shard.HashKeyRange.StartingHashKey), BigInt(shard.HashKeyRange.EndingHashKey)]).sort((a, b) => (a[0] < b[0] ? -1 : 1))
  let next = 0n
  for (const [from, to] of open) {
    assert.equal(from, next)
    next = to + 1n
  }
  assert.equal(next, 2n ** 128n)
  return open.length
}

test('split, merge and scale under writers', async (t) => {
  const server = await start(t, { threads: 2 })
  const kinesis = client(server, { maxAttempts: 3 })
  await create(kinesis, 's', 2)
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  let stop = false
  let rounds = 0
  const writer = (async () => {
    while (!stop) {
      const answer = await putMany(kinesis, 's', keys.map((key) => [key, `${key}:${rounds}`]))
      assert.equal(answer.FailedRecordCount, 0)
      rounds++
    }
  })()
  const after = async (n) => {
    const goal = rounds + n
    while (rounds < goal) await new Promise((resolve) => setImmediate(resolve))
  }
  await after(3)
  await kinesis.send(new SplitShardCommand({ StreamName: 's', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: '85070591730234615865843651857942052864' }))
  await after(3)
  assert.equal(covers(await shards(kinesis, 's')), 3)
  await kinesis.send(new MergeShardsCommand({ StreamName: 's', ShardToMerge: 'shardId-000000000003', AdjacentShardToMerge: 'shardId-000000000001' }))
  await after(3)
  assert.equal(covers(await shards(kinesis, 's')), 2)
  const scaled = await kinesis.send(new UpdateShardCountCommand({ StreamName: 's', TargetShardCount: 4, ScalingType: 'UNIFORM_SCALING' }))
  assert.deepEqual([scaled.CurrentShardCount, scaled.TargetShardCount, scaled.StreamName], [2, 4, 's'])
  await after(3)
  await kinesis.send(new UpdateShardCountCommand({ StreamName: 's', TargetShardCount: 3, ScalingType: 'UNIFORM_SCALING' }))
  await after(3)
  stop = true
  await writer
  const list = await shards(kinesis, 's')
  assert.equal(covers(list), 3)
  assert.deepEqual(list.filter((shard) => !shard.SequenceNumberRange.EndingSequenceNumber).map((shard) => shard.HashKeyRange.StartingHashKey).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)),
    ['0', '113427455640312821154458202477256070485', '226854911280625642308916404954512140970'])
  const merged = list.find((shard) => shard.ShardId === 'shardId-000000000004')
  assert.deepEqual([merged.ParentShardId, merged.AdjacentParentShardId], ['shardId-000000000003', 'shardId-000000000001'])
  for (const shard of list) {
    const { StartingSequenceNumber: from, EndingSequenceNumber: to } = shard.SequenceNumberRange
    if (to) assert.ok(from < to)
    for (const parent of list.filter((one) => [shard.ParentShardId, shard.AdjacentParentShardId].includes(one.ShardId)))
      assert.ok(parent.SequenceNumberRange.EndingSequenceNumber < from, 'a child begins behind its parents')
  }
  const seen = new Map()
  for (const record of await readByLineage(kinesis, 's')) {
    const [key, n] = Buffer.from(record.Data).toString().split(':')
    assert.equal(Number(n), seen.get(key) ?? 0, key)
    seen.set(key, Number(n) + 1)
  }
  for (const key of keys) assert.equal(seen.get(key), rounds)
  kinesis.destroy()
  await quiet(server)
})

test('a reader at the end of a shard that is split goes on in its children', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's', 1)
  const { next } = await readAll(kinesis, await iterator(kinesis, 's', 'shardId-000000000000', 'LATEST'))
  await kinesis.send(new SplitShardCommand({ StreamName: 's', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: half }))
  const end = await get(kinesis, next)
  assert.equal(end.NextShardIterator, undefined)
  assert.deepEqual(end.ChildShards.map((child) => [child.ShardId, child.ParentShards, child.HashKeyRange.StartingHashKey]),
    [['shardId-000000000001', ['shardId-000000000000'], '0'], ['shardId-000000000002', ['shardId-000000000000'], half]])
  const at = async (ShardFilter) => (await shards(kinesis, 's', { ShardFilter })).map((shard) => shard.ShardId.slice(-1))
  assert.deepEqual(await at({ Type: 'AT_LATEST' }), ['1', '2'])
  assert.deepEqual(await at({ Type: 'FROM_TRIM_HORIZON' }), ['0', '1', '2'])
  assert.deepEqual(await at({ Type: 'AT_TRIM_HORIZON' }), ['0'])
  assert.deepEqual(await at({ Type: 'AFTER_SHARD_ID', ShardId: 'shardId-000000000001' }), ['2'])
  assert.deepEqual(await at({ Type: 'FROM_TIMESTAMP', Timestamp: new Date(Date.now() + 60000) }), ['1', '2'])
  assert.deepEqual(await at({ Type: 'AT_TIMESTAMP', Timestamp: new Date(Date.now() + 60000) }), ['1', '2'])
  kinesis.destroy()
})

test('what is refused', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 3 })
  const split = (ShardToSplit, NewStartingHashKey) => ({ StreamName: 's', ShardToSplit, NewStartingHashKey })
  await fails(server, 'SplitShard', split('shardId-000000000000', '0'), 'InvalidArgumentException', /is not both greater than one plus the shard's StartingHashKey/)
  await fails(server, 'SplitShard', split('shardId-000000000000', half), 'InvalidArgumentException')
  await fails(server, 'SplitShard', split('shardId-000000000000', 'x'), 'ValidationException', /newStartingHashKey/)
  await fails(server, 'SplitShard', split('shardId-000000000007', half), 'ResourceNotFoundException')
  await fails(server, 'MergeShards', { StreamName: 's', ShardToMerge: 'shardId-000000000000', AdjacentShardToMerge: 'shardId-000000000002' }, 'InvalidArgumentException', /not an adjacent pair/)
  await fails(server, 'MergeShards', { StreamName: 's', ShardToMerge: 'shardId-000000000000', AdjacentShardToMerge: 'shardId-000000000000' }, 'InvalidArgumentException')
  await fails(server, 'SplitShard', split('shardId-000000000000', '1'), 'InvalidArgumentException')
  await ok(server, 'SplitShard', split('shardId-000000000000', '2'))
  await fails(server, 'SplitShard', split('shardId-000000000000', '7'), 'InvalidArgumentException', /already been merged or split/)
  await fails(server, 'UpdateShardCount', { StreamName: 's', TargetShardCount: 9, ScalingType: 'UNIFORM_SCALING' }, 'InvalidArgumentException', /up over double/)
  await fails(server, 'UpdateShardCount', { StreamName: 's', TargetShardCount: 1, ScalingType: 'UNIFORM_SCALING' }, 'InvalidArgumentException')
  await ok(server, 'CreateStream', { StreamName: 'auto', StreamModeDetails: { StreamMode: 'ON_DEMAND' } })
  await fails(server, 'UpdateShardCount', { StreamName: 'auto', TargetShardCount: 5, ScalingType: 'UNIFORM_SCALING' }, 'ValidationException', /On-Demand/)
})
