// Where a reader begins, how long its iterator is good, what is forgotten, and what is refused.
// ST-3
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from '../lib/weir.mjs'
import { advance, call, ok, table } from './lib.mjs'
import { all, arnOf, fine, iterator, put, raw, readFrom, refused, shardOf, streamed } from './streams.mjs'

const MINUTE = 60000
const HOUR = 60 * MINUTE
const item = (id) => ({ id: { S: String(id) } })
const ids = (records) => records.map((r) => r.dynamodb.Keys.id.S).join('')

test('the four types of iterators', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'kinds')
  const early = await iterator(server, arn, 'LATEST')
  for (const id of 'abc') await put(server, 'kinds', item(id))
  const latest = await iterator(server, arn, 'LATEST')
  for (const id of 'de') await put(server, 'kinds', item(id))
  const records = await all(server, arn)
  assert.equal(ids(records), 'abcde')
  const from = async (kind, i) => ids((await readFrom(server, await iterator(server, arn, kind, i === undefined ? i : records[i].dynamodb.SequenceNumber))).records)
  assert.equal(ids((await readFrom(server, early)).records), 'abcde')
  assert.equal(ids((await readFrom(server, latest)).records), 'de')
  assert.equal(await from('AT_SEQUENCE_NUMBER', 2), 'cde')
  assert.equal(await from('AFTER_SEQUENCE_NUMBER', 2), 'de')
  assert.equal(await from('AT_SEQUENCE_NUMBER', 0), 'abcde')
  assert.equal(await from('AFTER_SEQUENCE_NUMBER', 4), '')
  assert.equal(await from('LATEST'), '')
  const { SequenceNumberRange } = await shardOf(server, arn)
  assert.ok(SequenceNumberRange.StartingSequenceNumber <= records[0].dynamodb.SequenceNumber)
  assert.equal(SequenceNumberRange.EndingSequenceNumber, undefined)
  assert.equal(ids((await readFrom(server, await iterator(server, arn, 'AT_SEQUENCE_NUMBER', SequenceNumberRange.StartingSequenceNumber))).records), 'abcde')
  const page = await fine(server, 'GetRecords', { ShardIterator: await iterator(server, arn), Limit: 2 })
  assert.equal(ids(page.Records), 'ab')
  assert.equal(ids((await readFrom(server, page.NextShardIterator)).records), 'cde')
  assert.equal(ids((await readFrom(server, page.NextShardIterator)).records), 'cde', 'an iterator can be used again')
  await quiet(server)
})

test('one transaction is entered in its midst', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'midst')
  await ok(server, 'TransactWriteItems', { TransactItems: [...'abcdef'].map((id) => ({ Put: { TableName: 'midst', Item: item(id) } })) })
  const records = await all(server, arn)
  for (let i = 0; i < 6; i++) {
    const at = await iterator(server, arn, 'AT_SEQUENCE_NUMBER', records[i].dynamodb.SequenceNumber)
    const after = await iterator(server, arn, 'AFTER_SEQUENCE_NUMBER', records[i].dynamodb.SequenceNumber)
    assert.equal(ids((await readFrom(server, at)).records), 'abcdef'.slice(i))
    assert.equal(ids((await readFrom(server, after)).records), 'abcdef'.slice(i + 1))
  }
  assert.equal(ids((await readFrom(server, await iterator(server, arn), { Limit: 1, count: 6 })).records), 'abcdef')
  await quiet(server)
})

test('an iterator lives for 15 minutes', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'old')
  await put(server, 'old', item('a'))
  const token = await iterator(server, arn)
  await advance(server, 15 * MINUTE - 5000)
  const page = await fine(server, 'GetRecords', { ShardIterator: token })
  assert.equal(ids(page.Records), 'a')
  await advance(server, 6000)
  await refused(server, 'GetRecords', { ShardIterator: token }, 'ExpiredIteratorException', /expired/)
  assert.deepEqual((await fine(server, 'GetRecords', { ShardIterator: page.NextShardIterator })).Records, [], 'the next one has a life of its own')
  await quiet(server)
})

test('what is older than 24 hours is gone', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'trimmed')
  await table(server, 'other')
  for (const id of 'abc') await put(server, 'trimmed', item(id))
  const [a] = await all(server, arn)
  await advance(server, 23 * HOUR)
  await put(server, 'trimmed', item('d'))
  assert.equal(ids(await all(server, arn)), 'abcd')
  const at = await iterator(server, arn, 'AT_SEQUENCE_NUMBER', a.dynamodb.SequenceNumber)
  await advance(server, HOUR - 10 * MINUTE)
  const late = await iterator(server, arn, 'AT_SEQUENCE_NUMBER', a.dynamodb.SequenceNumber)
  const horizon = await iterator(server, arn)
  await advance(server, 12 * MINUTE)
  await put(server, 'other', item('x'))
  await put(server, 'trimmed', item('e'))
  assert.equal(ids(await all(server, arn)), 'de')
  assert.equal(ids((await readFrom(server, horizon)).records), 'de', 'one from the horizon moves with it')
  await refused(server, 'GetRecords', { ShardIterator: at }, 'ExpiredIteratorException')
  await refused(server, 'GetRecords', { ShardIterator: late }, 'TrimmedDataAccessException', 'The operation attempted to read past the oldest stream record in a shard.')
  const { ShardId } = await shardOf(server, arn)
  for (const ShardIteratorType of ['AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER'])
    await refused(server, 'GetShardIterator', { StreamArn: arn, ShardId, ShardIteratorType, SequenceNumber: a.dynamodb.SequenceNumber }, 'TrimmedDataAccessException')
  await advance(server, 25 * HOUR)
  assert.equal(ids(await all(server, arn)), '')
  await put(server, 'trimmed', item('f'))
  assert.equal(ids(await all(server, arn)), 'f')
  await quiet(server)
})

test('what is refused', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'refused')
  const other = await streamed(server, 'refused-other')
  await put(server, 'refused', item('a'))
  const { ShardId } = await shardOf(server, arn)
  const [{ dynamodb }] = await all(server, arn)
  const token = await iterator(server, arn)
  const nowhere = arn.replace('table/refused/', 'table/nothing/')
  const asking = { StreamArn: arn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }

  await refused(server, 'DescribeStream', { StreamArn: nowhere }, 'ResourceNotFoundException', `Requested resource not found: Stream: ${nowhere} not found`)
  await refused(server, 'GetShardIterator', { ...asking, StreamArn: nowhere }, 'ResourceNotFoundException', `Requested resource not found: Stream: ${nowhere} not found`)
  await refused(server, 'GetShardIterator', { ...asking, ShardId: (await shardOf(server, other)).ShardId }, 'ResourceNotFoundException', 'Requested resource not found: Shard does not exist')
  await refused(server, 'DescribeStream', { StreamArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/refused' }, 'ValidationException', /^Invalid StreamArn/)
  await refused(server, 'DescribeStream', {}, 'ValidationException', /Value null at 'streamArn' failed to satisfy constraint: Member must not be null/)
  await refused(server, 'DescribeStream', { StreamArn: 'short' }, 'ValidationException', /length greater than or equal to 37/)
  await refused(server, 'ListStreams', { Limit: 101 }, 'ValidationException', /less than or equal to 100/)
  await refused(server, 'ListStreams', { Limit: 0 }, 'ValidationException', /greater than or equal to 1/)
  await refused(server, 'ListStreams', { Limit: 'x' }, 'SerializationException')
  await refused(server, 'GetShardIterator', { ...asking, ShardIteratorType: 'AT_TIMESTAMP' }, 'ValidationException', /enum value set/)
  await refused(server, 'GetShardIterator', { ...asking, ShardIteratorType: 'AT_SEQUENCE_NUMBER' }, 'ValidationException', /SequenceNumber/)
  const at = (SequenceNumber) => ({ ...asking, ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber })
  await refused(server, 'GetShardIterator', at('1'.repeat(20)), 'ValidationException', /length greater than or equal to 21/)
  await refused(server, 'GetShardIterator', at('x'.repeat(31)), 'ValidationException', /^Invalid SequenceNumber/)
  await refused(server, 'GetShardIterator', at('9'.repeat(31)), 'ValidationException', /^Invalid SequenceNumber/)
  await refused(server, 'GetShardIterator', at(`1${'9'.repeat(30)}`), 'ValidationException', /^Invalid SequenceNumber/)
  await refused(server, 'GetShardIterator', at(`1${'0'.repeat(12)}99999999${'0'.repeat(10)}`), 'ValidationException', /^Invalid SequenceNumber/)
  await refused(server, 'GetShardIterator', at(`1${'0'.repeat(30)}`), 'TrimmedDataAccessException')
  await fine(server, 'GetShardIterator', at(dynamodb.SequenceNumber))

  await refused(server, 'GetRecords', { ShardIterator: token, Limit: 1001 }, 'LimitExceededException')
  await refused(server, 'GetRecords', { ShardIterator: token, Limit: 0 }, 'ValidationException', /greater than or equal to 1/)
  await refused(server, 'GetRecords', { ShardIterator: 'x'.repeat(2049) }, 'ValidationException', /length less than or equal to 2048/)
  const bytes = Buffer.from(token, 'base64')
  for (const bad of ['x', '====', 'AAAA', token.slice(4), token.slice(0, -4), `${token}AAAA`, Buffer.alloc(2000).toString('base64').slice(0, 2040)])
    await refused(server, 'GetRecords', { ShardIterator: bad }, 'ValidationException', 'Invalid ShardIterator')
  for (let i = 0; i < bytes.length; i++) {
    const turned = Buffer.from(bytes)
    turned[i] ^= 1 << i % 8
    await refused(server, 'GetRecords', { ShardIterator: turned.toString('base64') }, 'ValidationException', 'Invalid ShardIterator')
  }
  const unknown = await raw(server, 'PutRecords', {})
  assert.match(unknown.json.__type, /UnknownOperationException$/)
  const unsigned = await call(server, 'ListStreams', {}, { headers: { 'x-amz-target': 'DynamoDBStreams_20120810.ListStreams' }, after: (headers) => delete headers.authorization })
  assert.match(unsigned.json.__type, /MissingAuthenticationTokenException$/)
  assert.equal(await arnOf(server, 'refused'), arn)
  await quiet(server)
})

test('a key with a policy reads the streams that it names', async (t) => {
  const server = await start(t, { config: `
keys:
  - {id: test, secret: test}
  - id: reader
    secret: reading
    policy:
      - actions: ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"]
        resources: "table/shown/stream/*"
` })
  const keys = { accessKeyId: 'reader', secretAccessKey: 'reading' }
  const asks = (operation, body) => call(server, operation, body, { keys, headers: { 'x-amz-target': `DynamoDBStreams_20120810.${operation}` } })
  for (const [name, allowed] of [['shown', true], ['hidden', false]]) {
    const arn = await streamed(server, name)
    const { ShardId } = await shardOf(server, arn)
    const asking = [
      ['DescribeStream', { StreamArn: arn }],
      ['GetShardIterator', { StreamArn: arn, ShardId, ShardIteratorType: 'LATEST' }],
      ['GetRecords', { ShardIterator: await iterator(server, arn) }],
    ]
    for (const [operation, body] of asking) {
      const answer = await asks(operation, body)
      assert.equal(answer.status, allowed ? 200 : 400, `${operation} ${name}: ${answer.body}`)
      if (!allowed) assert.match(answer.json.__type, /AccessDeniedException$/)
    }
  }
  assert.equal((await asks('ListStreams', {})).status, 400)
  await quiet(server)
})
