// Records put and read: order, every kind of iterator, pages, sizes, and each of many records seen once.
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { PutRecordsCommand } from '@aws-sdk/client-kinesis'
import { quiet, start } from '../lib/weir.mjs'
import { advance, call, client, create, fails, get, iterator, ok, put, putMany, readAll, shards, texts } from './lib.mjs'

const only = 'shardId-000000000000'

test('five thousand records over four shards: each once, in order for each key, where MD5 puts it', async (t) => {
  const server = await start(t, { threads: 2 })
  const kinesis = client(server, { maxAttempts: 3 })
  await create(kinesis, 's', 4)
  const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`)
  // Ten writers, each with its own keys, so that the order of a key is known.
  const answered = new Map()
  await Promise.all(Array.from({ length: 10 }, async (_, writer) => {
    const own = keys.filter((_key, i) => i % 10 === writer)
    for (let batch = 0; batch < 5; batch++) {
      const list = Array.from({ length: 100 }, (_unused, i) => [own[i % 5], `${own[i % 5]}:${String(batch * 20 + Math.floor(i / 5)).padStart(4, '0')}`])
      const answer = await putMany(kinesis, 's', list)
      assert.equal(answer.FailedRecordCount, 0)
      answer.Records.forEach((record, i) => {
        assert.equal(record.ErrorCode, undefined)
        answered.set(list[i][1], record)
      })
    }
  }))
  assert.equal(answered.size, 5000)
  const seen = new Map()
  let total = 0
  for (const shard of await shards(kinesis, 's')) {
    const { records } = await readAll(kinesis, await iterator(kinesis, 's', shard.ShardId), { Limit: 333 })
    let last = ''
    for (const record of records) {
      const text = Buffer.from(record.Data).toString()
      assert.equal(answered.get(text).ShardId, shard.ShardId)
      assert.equal(answered.get(text).SequenceNumber, record.SequenceNumber)
      assert.ok(record.SequenceNumber > last, 'numbers grow')
      last = record.SequenceNumber
      assert.ok(Math.abs(record.ApproximateArrivalTimestamp - Date.now()) < 60000)
      const place = BigInt(`0x${createHash('md5').update(record.PartitionKey).digest('hex')}`)
      assert.ok(place >= BigInt(shard.HashKeyRange.StartingHashKey) && place <= BigInt(shard.HashKeyRange.EndingHashKey))
      const [key, number] = text.split(':')
      assert.equal(key, record.PartitionKey)
      assert.equal(Number(number), seen.get(key) ?? 0, `${key} in order`)
      seen.set(key, Number(number) + 1)
      total++
    }
  }
  assert.equal(total, 5000)
  const counters = await server.counters()
  assert.equal(counters.records_written, 5000)
  assert.equal(counters.records_read, 5000)
  kinesis.destroy()
  await quiet(server)
})

test('iterators', async (t) => {
  const server = await start(t)
  let kinesis = client(server)
  await create(kinesis, 's', 1)
  const latest = await iterator(kinesis, 's', only, 'LATEST')
  const numbers = []
  const times = []
  for (const text of ['a', 'b', 'c', 'd']) {
    times.push(await advance(server, 1000))
    kinesis = client(server)
    numbers.push((await put(kinesis, 's', 'k', text)).SequenceNumber)
  }
  assert.deepEqual(await texts(kinesis, 's', only), ['a', 'b', 'c', 'd'])
  assert.deepEqual(await texts(kinesis, 's', only, 'AT_SEQUENCE_NUMBER', { StartingSequenceNumber: numbers[1] }), ['b', 'c', 'd'])
  assert.deepEqual(await texts(kinesis, 's', only, 'AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: numbers[1] }), ['c', 'd'])
  assert.deepEqual(await texts(kinesis, 's', only, 'AT_TIMESTAMP', { Timestamp: new Date(times[2]) }), ['c', 'd'])
  assert.deepEqual(await texts(kinesis, 's', only, 'AT_TIMESTAMP', { Timestamp: new Date(times[0] - 5000) }), ['a', 'b', 'c', 'd'])
  assert.deepEqual((await readAll(kinesis, latest)).records.length, 4)
  assert.deepEqual(await texts(kinesis, 's', only, 'LATEST'), [])
  const [shard] = await shards(kinesis, 's')
  assert.deepEqual(await texts(kinesis, 's', only, 'AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: shard.SequenceNumberRange.StartingSequenceNumber }), ['a', 'b', 'c', 'd'])

  // One at a time: how far behind is how long the next one has waited.
  const first = await get(kinesis, await iterator(kinesis, 's', only), { Limit: 1 })
  const now = await server.now()
  assert.equal(first.Records.length, 1)
  assert.ok(first.MillisBehindLatest >= 2000 && first.MillisBehindLatest <= now - times[1] + 1000, String(first.MillisBehindLatest))
  // The same iterator may be used again; a caught-up reader's next one waits for what comes.
  assert.deepEqual((await get(kinesis, first.NextShardIterator)).Records.length, 3)
  const rest = await get(kinesis, first.NextShardIterator)
  assert.equal(rest.MillisBehindLatest, 0)
  assert.deepEqual((await get(kinesis, rest.NextShardIterator)).Records, [])
  await put(kinesis, 's', 'k', 'e')
  assert.deepEqual((await get(kinesis, rest.NextShardIterator)).Records.map((record) => Buffer.from(record.Data).toString()), ['e'])

  // Five minutes.
  await advance(server, 299_000)
  kinesis = client(server)
  assert.equal((await get(kinesis, rest.NextShardIterator)).Records.length, 1)
  await advance(server, 10_000)
  await fails(server, 'GetRecords', { ShardIterator: rest.NextShardIterator }, 'ExpiredIteratorException', /^Iterator expired\. The iterator was created at time /)
  // Cut, changed, and that of a stream that is gone.
  const good = await iterator(client(server), 's', only)
  await fails(server, 'GetRecords', { ShardIterator: good.slice(0, -4) }, 'InvalidArgumentException', 'Invalid ShardIterator.')
  for (const at of [0, 10, 20, 40]) {
    const other = good.slice(0, at) + (good[at] === 'A' ? 'B' : 'A') + good.slice(at + 1)
    await fails(server, 'GetRecords', { ShardIterator: other }, 'InvalidArgumentException', 'Invalid ShardIterator.')
  }
  await ok(server, 'DeleteStream', { StreamName: 's' })
  await fails(server, 'GetRecords', { ShardIterator: good }, 'ResourceNotFoundException')
  await ok(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  await fails(server, 'GetRecords', { ShardIterator: good }, 'InvalidArgumentException', 'Invalid ShardIterator.')
})

test('an explicit hash key decides, and is kept', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's', 4)
  const all = await shards(kinesis, 's')
  for (const [i, shard] of all.entries()) {
    for (const edge of ['StartingHashKey', 'EndingHashKey'])
      assert.equal((await put(kinesis, 's', 'same', `${i}`, { ExplicitHashKey: shard.HashKeyRange[edge] })).ShardId, shard.ShardId)
    assert.deepEqual(await texts(kinesis, 's', shard.ShardId), [`${i}`, `${i}`])
  }
  const one = await put(kinesis, 's', 'k', 'x', { ExplicitHashKey: '0' })
  await fails(server, 'GetShardIterator',
    { StreamName: 's', ShardId: 'shardId-000000000001', ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: one.SequenceNumber },
    'InvalidArgumentException', /It encodes shardId-000000000000, while it was used in a call to a shard with shardId-000000000001/)
  await put(kinesis, 's', 'k', 'y', { ExplicitHashKey: '0', SequenceNumberForOrdering: one.SequenceNumber })
  await fails(server, 'PutRecord', { StreamName: 's', Data: 'YQ==', PartitionKey: 'k', SequenceNumberForOrdering: '12' }, 'InvalidArgumentException')
  kinesis.destroy()
})

test('large records, large batches, large pages', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's', 1)
  const mib = 1048576
  await put(kinesis, 's', 'k', Buffer.alloc(mib - 1, 'x'))
  await fails(server, 'PutRecord', { StreamName: 's', PartitionKey: 'kk', Data: Buffer.alloc(mib - 1).toString('base64') }, 'InvalidArgumentException')
  await fails(server, 'PutRecord', { StreamName: 's', PartitionKey: 'k', Data: Buffer.alloc(mib + 1).toString('base64') }, 'ValidationException', /at 'data' .* less than or equal to 1048576/)
  // Ten MiB in one request, all bytes of it different from one another's.
  const Records = Array.from({ length: 10 }, (_, i) => ({ PartitionKey: 'p', Data: Buffer.alloc(mib - 1, i) }))
  const answer = await kinesis.send(new PutRecordsCommand({ StreamName: 's', Records }))
  assert.equal(answer.FailedRecordCount, 0)
  await assert.rejects(kinesis.send(new PutRecordsCommand({ StreamName: 's', Records: [...Records, { PartitionKey: 'p', Data: Buffer.alloc(20) }] })),
    { name: 'InvalidArgumentException', message: /exceeds 10 MB/ })
  const from = await iterator(kinesis, 's', only, 'AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber: (await shards(kinesis, 's'))[0].SequenceNumberRange.StartingSequenceNumber })
  const page = await get(kinesis, from)
  assert.ok(page.Records.length >= 10 && page.Records.length <= 11, 'ten MiB a page')
  const { records } = await readAll(kinesis, from)
  assert.equal(records.length, 11)
  records.slice(1).forEach((record, i) => assert.deepEqual(Buffer.from(record.Data), Buffer.from(Records[i].Data)))
  kinesis.destroy()
})

test('an answer without output has an empty body, and no checksum', async (t) => {
  const server = await start(t)
  const answer = await call(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  assert.deepEqual([answer.status, answer.body], [200, ''])
  assert.equal(answer.headers['content-type'], 'application/x-amz-json-1.1')
  assert.equal(answer.headers['x-amz-crc32'], undefined)
  assert.match(answer.headers['x-amzn-requestid'], /./)
})
