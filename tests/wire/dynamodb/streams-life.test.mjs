// Streams are switched on and off, outlive their tables for a day, and are listed and described in pages.
// ST-1, ST-3, OP-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, fails, ok, table } from './lib.mjs'
import { all, arnOf, del, fine, iterator, put, raw, readFrom, refused, shardOf, streamed } from './streams.mjs'

const HOUR = 3600000
const item = (id, n = 0) => ({ id: { S: id }, n: { N: String(n) } })
const ids = (records) => records.map((r) => r.dynamodb.Keys.id.S).join('')
const stream = (server, TableName, view) =>
  ok(server, 'UpdateTable', { TableName, StreamSpecification: view ? { StreamEnabled: true, StreamViewType: view } : { StreamEnabled: false } })
const list = async (server, TableName) => (await fine(server, 'ListStreams', { TableName })).Streams.map((s) => s.StreamArn)

test('a description', async (t) => {
  const server = await start(t)
  const made = await ok(server, 'CreateTable', {
    TableName: 'described',
    AttributeDefinitions: [{ AttributeName: 'p', AttributeType: 'S' }, { AttributeName: 'r', AttributeType: 'N' }],
    KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'r', KeyType: 'RANGE' }],
    BillingMode: 'PAY_PER_REQUEST',
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' },
  })
  const { LatestStreamArn: arn, LatestStreamLabel: label } = made.TableDescription
  const { Table } = await ok(server, 'DescribeTable', { TableName: 'described' })
  assert.deepEqual([Table.LatestStreamArn, Table.LatestStreamLabel], [arn, label])
  assert.match(label, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/)
  assert.equal(arn, `${Table.TableArn}/stream/${label}`)
  const { StreamDescription } = await fine(server, 'DescribeStream', { StreamArn: arn })
  const { CreationRequestDateTime, Shards, ...rest } = StreamDescription
  assert.deepEqual(rest, {
    StreamArn: arn, StreamLabel: label, StreamStatus: 'ENABLED', StreamViewType: 'KEYS_ONLY', TableName: 'described',
    KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'r', KeyType: 'RANGE' }],
  })
  assert.equal(Math.round(CreationRequestDateTime * 1000), Date.parse(`${label}Z`))
  assert.equal(Shards.length, 1)
  assert.match(Shards[0].ShardId, /^shardId-\d{20}-[0-9a-f]{8}$/)
  assert.match(Shards[0].SequenceNumberRange.StartingSequenceNumber, /^\d{21,40}$/)
  assert.deepEqual((await fine(server, 'ListStreams', { TableName: 'described' })).Streams, [{ StreamArn: arn, TableName: 'described', StreamLabel: label }])
  const { ShardId } = Shards[0]
  const shards = async (more) => (await fine(server, 'DescribeStream', { StreamArn: arn, ...more })).StreamDescription.Shards.length
  assert.equal(await shards({ Limit: 1 }), 1)
  assert.equal(await shards({ ExclusiveStartShardId: ShardId }), 0)
  assert.equal(await shards({ ShardFilter: { Type: 'CHILD_SHARDS', ShardId } }), 0)
  await refused(server, 'DescribeStream', { StreamArn: arn, ShardFilter: { Type: 'CHILD_SHARDS' } }, 'ValidationException')
  await refused(server, 'DescribeStream', { StreamArn: arn, ShardFilter: { Type: 'PARENTS', ShardId } }, 'ValidationException')
  await quiet(server)
})

test('off and on again: a new label, and the old stream stays readable for a day', async (t) => {
  const server = await start(t)
  await table(server, 'switched')
  await put(server, 'switched', item('a'))
  assert.deepEqual(await list(server, 'switched'), [])
  await fails(server, 'UpdateTable', { TableName: 'switched', StreamSpecification: { StreamEnabled: false } }, 'ValidationException')
  const described = await stream(server, 'switched', 'NEW_IMAGE')
  const first = await arnOf(server, 'switched')
  assert.equal(described.TableDescription.LatestStreamArn, first)
  await fails(server, 'UpdateTable', { TableName: 'switched', StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } }, 'ValidationException', 'Table already has an enabled stream: TableName: switched')
  await put(server, 'switched', item('b'))
  await put(server, 'switched', item('c'))
  const open = await iterator(server, first)
  const waiting = (await readFrom(server, open)).next
  await stream(server, 'switched')
  await put(server, 'switched', item('d'))
  const off = (await ok(server, 'DescribeTable', { TableName: 'switched' })).Table
  assert.equal(off.StreamSpecification, undefined)
  assert.equal(off.LatestStreamArn, first)
  assert.equal((await fine(server, 'DescribeStream', { StreamArn: first })).StreamDescription.StreamStatus, 'DISABLED')
  const { SequenceNumberRange } = await shardOf(server, first)
  assert.ok(SequenceNumberRange.EndingSequenceNumber >= SequenceNumberRange.StartingSequenceNumber)
  await stream(server, 'switched', 'NEW_AND_OLD_IMAGES')
  const second = await arnOf(server, 'switched')
  assert.notEqual(second, first)
  await put(server, 'switched', item('e'))
  await put(server, 'switched', item('b', 1))
  assert.deepEqual(await list(server, 'switched'), [first, second])

  for (const Limit of [undefined, 1]) {
    const old = await readFrom(server, await iterator(server, first), { Limit })
    assert.equal(ids(old.records), 'bc')
    assert.equal(old.next, undefined, 'a closed shard ends')
    assert.deepEqual(old.records.map((r) => r.dynamodb.StreamViewType), ['NEW_IMAGE', 'NEW_IMAGE'])
  }
  assert.deepEqual(await raw(server, 'GetRecords', { ShardIterator: waiting }).then((a) => a.json), { Records: [] })
  assert.deepEqual(await readFrom(server, await iterator(server, first, 'LATEST')), { records: [], next: undefined })
  const after = await iterator(server, first, 'AFTER_SEQUENCE_NUMBER', SequenceNumberRange.EndingSequenceNumber)
  assert.deepEqual(await readFrom(server, after), { records: [], next: undefined })
  const now = await all(server, second)
  assert.equal(ids(now), 'eb')
  assert.deepEqual(now[1].dynamodb.OldImage, item('b'))

  await advance(server, 23 * HOUR)
  assert.deepEqual(await list(server, 'switched'), [first, second])
  await advance(server, 2 * HOUR)
  assert.deepEqual(await list(server, 'switched'), [second])
  await refused(server, 'DescribeStream', { StreamArn: first }, 'ResourceNotFoundException')
  assert.equal(await arnOf(server, 'switched'), second)
  await quiet(server)
})

test('a stream outlives its table, and a table of the same name has another', async (t) => {
  const server = await start(t)
  const first = await streamed(server, 'again')
  await put(server, 'again', item('a'))
  await put(server, 'again', item('b'))
  await ok(server, 'DeleteTable', { TableName: 'again' })
  const second = await streamed(server, 'again', 'KEYS_ONLY')
  await put(server, 'again', item('c'))
  assert.notEqual(first, second)
  assert.deepEqual(await list(server, 'again'), [first, second])
  const old = await readFrom(server, await iterator(server, first))
  assert.equal(ids(old.records), 'ab')
  assert.equal(old.next, undefined)
  assert.equal(ids(await all(server, second)), 'c')
  assert.deepEqual((await fine(server, 'DescribeStream', { StreamArn: first })).StreamDescription.KeySchema, [{ AttributeName: 'id', KeyType: 'HASH' }])
  const token = await iterator(server, first)
  await advance(server, 24 * HOUR - 60000)
  assert.equal((await list(server, 'again')).length, 2)
  await advance(server, 61000)
  assert.deepEqual(await list(server, 'again'), [second])
  await refused(server, 'GetRecords', { ShardIterator: token }, 'ExpiredIteratorException')
  await ok(server, 'DeleteTable', { TableName: 'again' })
  assert.deepEqual(await list(server, 'again'), [second])
  await quiet(server)
})

test('listing in pages', async (t) => {
  const server = await start(t)
  const names = ['alpha', 'beta', 'beta-2', 'gamma']
  const arns = []
  for (const name of names) {
    arns.push(await streamed(server, name))
    await stream(server, name)
    await stream(server, name, 'OLD_IMAGE')
    arns.push(await arnOf(server, name))
  }
  const every = (await fine(server, 'ListStreams', {})).Streams.map((s) => s.StreamArn)
  assert.deepEqual(every.filter((arn) => arns.includes(arn)), arns)
  assert.deepEqual(every.map((arn) => arn.split('/')[1]), every.map((arn) => arn.split('/')[1]).sort())
  for (const Limit of [1, 3, every.length, 100]) {
    const found = []
    let from
    do {
      const page = await fine(server, 'ListStreams', { Limit, ExclusiveStartStreamArn: from })
      if (Limit) assert.ok(page.Streams.length <= Limit)
      found.push(...page.Streams.map((s) => s.StreamArn))
      from = page.LastEvaluatedStreamArn
      if (from) assert.equal(from, found.at(-1))
    } while (from)
    assert.deepEqual(found, every)
  }
  const beta = await fine(server, 'ListStreams', { TableName: 'beta', Limit: 1 })
  assert.deepEqual(beta.Streams.map((s) => s.StreamArn), [arns[2]])
  assert.deepEqual((await fine(server, 'ListStreams', { TableName: 'beta', ExclusiveStartStreamArn: beta.LastEvaluatedStreamArn })).Streams.map((s) => s.StreamArn), [arns[3]])
  assert.deepEqual(await list(server, 'nothing'), [])
  assert.deepEqual((await fine(server, 'ListStreams', { TableName: 'beta', ExclusiveStartStreamArn: arns[7] })).Streams, [])
  await refused(server, 'ListStreams', { ExclusiveStartStreamArn: `${arns[0]}x` }, 'ValidationException', /^Invalid StreamArn/)
  await quiet(server)
})

test('a stream of one name is begun hundreds of times: the newest are kept', async (t) => {
  const server = await start(t)
  const known = [await streamed(server, 'restless')]
  for (let i = 0; i < 300; i++) {
    await stream(server, 'restless')
    await stream(server, 'restless', 'KEYS_ONLY')
    known.push(await arnOf(server, 'restless'))
  }
  assert.equal(new Set(known).size, 301)
  const found = []
  let from
  do {
    const page = await fine(server, 'ListStreams', { TableName: 'restless', ExclusiveStartStreamArn: from })
    found.push(...page.Streams.map((s) => s.StreamArn))
    from = page.LastEvaluatedStreamArn
  } while (from)
  assert.deepEqual(found, known.slice(-257))
  await refused(server, 'DescribeStream', { StreamArn: known[0] }, 'ResourceNotFoundException')
  await quiet(server)
})

test('tables of applications that keep changes have a stream, the same one after a restart', async (t) => {
  const server = await start(t)
  const TableName = 'iops-dashboard-metrics'
  const { Table } = await ok(server, 'DescribeTable', { TableName })
  assert.deepEqual(Table.StreamSpecification, { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' })
  const arn = Table.LatestStreamArn
  const key = { entity_id: { S: 'e' } }
  await ok(server, 'PutItem', { TableName, Item: { ...key, metric_value: { N: '1' } } })
  await ok(server, 'PutItem', { TableName, Item: { ...key, metric_value: { N: '2' } } })
  await ok(server, 'DeleteItem', { TableName, Key: key })
  const seen = (records) => records.map((r) => [r.eventName, r.dynamodb.OldImage?.metric_value.N, r.dynamodb.NewImage?.metric_value.N])
  const expected = [['INSERT', undefined, '1'], ['MODIFY', '1', '2'], ['REMOVE', '2', undefined]]
  assert.deepEqual(seen(await all(server, arn)), expected)
  const token = await iterator(server, arn)
  await server.stop()
  await server.restart()
  assert.equal(await arnOf(server, TableName), arn)
  assert.deepEqual(await list(server, TableName), [arn])
  assert.deepEqual(seen((await readFrom(server, token)).records), expected)
  await quiet(server)
})

test('an application that keeps changes no more ends the stream', async (t) => {
  const declared = (changes) => `apis:
  thing:
    tables: {things: {hash: id S, changes: ${changes}}}
    routes: {}
`
  const server = await start(t, { config: declared(true) })
  const arn = await arnOf(server, 'things')
  await put(server, 'things', item('a'))
  await server.stop()
  await server.restart({ config: declared(false) })
  await put(server, 'things', item('b'))
  const old = await readFrom(server, await iterator(server, arn))
  assert.equal(ids(old.records), 'a')
  assert.equal(old.next, undefined)
  await server.stop()
  await server.restart({ config: declared(true) })
  await del(server, 'things', 'a')
  const now = await arnOf(server, 'things')
  assert.notEqual(now, arn)
  assert.deepEqual(await list(server, 'things'), [arn, now])
  await until('the new one', async () => ids(await all(server, now)) === 'a')
  await quiet(server)
})
