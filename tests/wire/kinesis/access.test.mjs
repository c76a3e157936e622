// Access keys with policies on streams: by name, by ARN, and by what an iterator or a listing token stands for.
import test from 'node:test'
import assert from 'node:assert/strict'
import { start } from '../lib/weir.mjs'
import { call } from './lib.mjs'

const config = `
keys:
  - {id: owner, secret: the owner's secret}
  - id: reader
    secret: the reader's secret
    policy:
      - {actions: ["kinesis:Get*", "kinesis:ListShards"], resources: stream/open}
`
const owner = { accessKeyId: 'owner', secretAccessKey: "the owner's secret" }
const reader = { accessKeyId: 'reader', secretAccessKey: "the reader's secret" }

test('a reader of one stream', async (t) => {
  const server = await start(t, { config })
  const as = async (keys, operation, body) => {
    const answer = await call(server, operation, body, { keys })
    return answer.status === 200 ? answer.body && answer.json : answer.json.__type
  }
  for (const StreamName of ['open', 'shut']) assert.equal(await as(owner, 'CreateStream', { StreamName, ShardCount: 2 }), '')
  const at = { ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' }
  const mine = await as(reader, 'GetShardIterator', { StreamName: 'open', ...at })
  assert.deepEqual((await as(reader, 'GetRecords', mine)).Records, [])
  const { NextToken } = await as(reader, 'ListShards', { StreamARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/open', MaxResults: 1 })
  assert.equal((await as(reader, 'ListShards', { NextToken })).Shards.length, 1)
  const theirs = await as(owner, 'GetShardIterator', { StreamName: 'shut', ...at })
  const list = await as(owner, 'ListShards', { StreamName: 'shut', MaxResults: 1 })
  for (const [operation, body] of [
    ['GetRecords', theirs], ['ListShards', { NextToken: list.NextToken }], ['GetShardIterator', { StreamName: 'shut', ...at }],
    ['GetShardIterator', { StreamARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/shut', ...at }], ['GetShardIterator', { StreamName: 'nobody', ...at }],
    ['PutRecord', { StreamName: 'open', Data: '', PartitionKey: 'k' }], ['DeleteStream', { StreamName: 'open' }], ['ListStreams', {}],
    ['AddTagsToStream', { StreamName: 'open', Tags: { a: 'b' } }], ['TagResource', { ResourceARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/open', Tags: { a: 'b' } }],
  ]) assert.equal(await as(reader, operation, body), 'AccessDeniedException', `${operation} ${JSON.stringify(body)}`)
})
