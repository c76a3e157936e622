// Streams made, described, listed, paged, tagged, and dropped, with the SDK.
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  AddTagsToStreamCommand, CreateStreamCommand, DecreaseStreamRetentionPeriodCommand, DeleteStreamCommand, DescribeLimitsCommand, DescribeStreamCommand,
  DescribeStreamSummaryCommand, DisableEnhancedMonitoringCommand, EnableEnhancedMonitoringCommand, IncreaseStreamRetentionPeriodCommand, ListShardsCommand,
  ListStreamsCommand, ListTagsForResourceCommand, ListTagsForStreamCommand, PutRecordCommand, RemoveTagsFromStreamCommand, TagResourceCommand, UntagResourceCommand,
  UpdateStreamModeCommand,
} from '@aws-sdk/client-kinesis'
import { quiet, start } from '../lib/weir.mjs'
import { call as dynamodb } from '../dynamodb/lib.mjs'
import { client, create, fails, given, ok, put, shards, texts } from './lib.mjs'

const arn = (name) => `arn:aws:kinesis:us-east-1:123456789012:stream/${name}`

test('a stream\'s life', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  const made = await kinesis.send(new CreateStreamCommand({ StreamName: 'orders', ShardCount: 3, Tags: { team: 'a' } }))
  assert.deepEqual(Object.keys(made), ['$metadata'])
  const { StreamDescription: about } = await kinesis.send(new DescribeStreamCommand({ StreamName: 'orders' }))
  assert.equal(about.StreamARN, arn('orders'))
  assert.equal(about.StreamStatus, 'ACTIVE')
  assert.equal(about.RetentionPeriodHours, 24)
  assert.equal(about.EncryptionType, 'NONE')
  assert.equal(about.KeyId, undefined)
  assert.equal(about.HasMoreShards, false)
  assert.deepEqual(about.StreamModeDetails, { StreamMode: 'PROVISIONED' })
  assert.deepEqual(about.EnhancedMonitoring, [{ ShardLevelMetrics: [] }])
  assert.ok(Math.abs(about.StreamCreationTimestamp - Date.now()) < 60000)
  assert.deepEqual(about.Shards.map((shard) => [shard.ShardId, shard.HashKeyRange.StartingHashKey, shard.HashKeyRange.EndingHashKey]), [
    ['shardId-000000000000', '0', '113427455640312821154458202477256070484'],
    ['shardId-000000000001', '113427455640312821154458202477256070485', '226854911280625642308916404954512140969'],
    ['shardId-000000000002', '226854911280625642308916404954512140970', '340282366920938463463374607431768211455'],
  ])
  for (const shard of about.Shards) {
    assert.match(shard.SequenceNumberRange.StartingSequenceNumber, /^\d{56}$/)
    assert.equal(shard.SequenceNumberRange.EndingSequenceNumber, undefined)
  }
  const { StreamDescriptionSummary: summary } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamARN: arn('orders') }))
  assert.equal(summary.OpenShardCount, 3)
  assert.equal(summary.ConsumerCount, 0)
  assert.equal(summary.StreamName, 'orders')
  await assert.rejects(create(kinesis, 'orders'), { name: 'ResourceInUseException', message: 'Stream orders under account 123456789012 already exists.' })

  await put(kinesis, 'orders', 'k', 'old')
  await kinesis.send(new DeleteStreamCommand({ StreamName: 'orders' }))
  const gone = { name: 'ResourceNotFoundException', message: 'Stream orders under account 123456789012 not found.' }
  await assert.rejects(kinesis.send(new DescribeStreamCommand({ StreamName: 'orders' })), gone)
  await assert.rejects(kinesis.send(new DeleteStreamCommand({ StreamARN: arn('orders') })), gone)
  await assert.rejects(put(kinesis, 'orders', 'k', 'x'), gone)
  // Its successor knows nothing of it.
  await create(kinesis, 'orders', 1)
  assert.deepEqual(await texts(kinesis, 'orders', 'shardId-000000000000'), [])
  await put(kinesis, 'orders', 'k', 'new')
  assert.deepEqual(await texts(kinesis, 'orders', 'shardId-000000000000'), ['new'])
  kinesis.destroy()
  await quiet(server)
})

test('lists and their pages', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  const before = await given(server)
  const names = Array.from({ length: 7 }, (_, i) => `s${i}`)
  for (const name of names) await create(kinesis, name, 1)
  const all = await kinesis.send(new ListStreamsCommand({}))
  assert.deepEqual(before.others(all.StreamNames), names)
  assert.equal(all.HasMoreStreams, false)
  assert.equal(all.NextToken, undefined)
  assert.deepEqual(all.StreamSummaries.filter((one) => names.includes(one.StreamName)).map((one) => [one.StreamName, one.StreamARN, one.StreamStatus, one.StreamModeDetails.StreamMode]),
    names.map((name) => [name, arn(name), 'ACTIVE', 'PROVISIONED']))
  const seen = []
  let NextToken
  do {
    const page = await kinesis.send(new ListStreamsCommand({ Limit: 3, NextToken }))
    seen.push(...page.StreamNames)
    assert.equal(page.HasMoreStreams, page.NextToken !== undefined)
    NextToken = page.NextToken
  } while (NextToken)
  assert.deepEqual(seen, all.StreamNames)
  assert.deepEqual((await kinesis.send(new ListStreamsCommand({ ExclusiveStartStreamName: 's4' }))).StreamNames, ['s5', 's6'])

  await create(kinesis, 'wide', 7)
  const ids = []
  let token
  do {
    const page = await kinesis.send(new ListShardsCommand(token ? { NextToken: token, MaxResults: 3 } : { StreamName: 'wide', MaxResults: 3 }))
    ids.push(...page.Shards.map((shard) => shard.ShardId))
    token = page.NextToken
  } while (token)
  assert.deepEqual(ids, Array.from({ length: 7 }, (_, i) => `shardId-00000000000${i}`))
  assert.deepEqual((await shards(kinesis, 'wide', { ExclusiveStartShardId: 'shardId-000000000004' })).map((shard) => shard.ShardId), ids.slice(5))
  const page = await kinesis.send(new DescribeStreamCommand({ StreamName: 'wide', Limit: 2, ExclusiveStartShardId: ids[1] }))
  assert.deepEqual(page.StreamDescription.Shards.map((shard) => shard.ShardId), ids.slice(2, 4))
  assert.equal(page.StreamDescription.HasMoreShards, true)
  await fails(server, 'ListStreams', { NextToken: 'bm9uc2Vuc2U=' }, 'InvalidArgumentException')
  await fails(server, 'ListShards', { NextToken: 'bm9uc2Vuc2U=' }, 'InvalidArgumentException')
  const { NextToken: left } = await kinesis.send(new ListShardsCommand({ StreamName: 'wide', MaxResults: 3 }))
  for (const [name, value] of [['StreamName', 'wide'], ['StreamARN', arn('wide')], ['ExclusiveStartShardId', ids[0]], ['ShardFilter', { Type: 'AT_LATEST' }]])
    await fails(server, 'ListShards', { NextToken: left, [name]: value }, 'InvalidArgumentException', `NextToken and ${name} cannot be provided together.`)
  kinesis.destroy()
})

test('tags, mode, metrics, retention and limits', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  const before = await given(server)
  await kinesis.send(new CreateStreamCommand({ StreamName: 'auto', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }))
  assert.equal((await shards(kinesis, 'auto')).length, 4)
  await create(kinesis, 'plain', 2)
  await kinesis.send(new AddTagsToStreamCommand({ StreamName: 'plain', Tags: { b: '2', a: '1', c: '3' } }))
  const tags = await kinesis.send(new ListTagsForStreamCommand({ StreamName: 'plain', Limit: 2 }))
  assert.deepEqual([tags.Tags, tags.HasMoreTags], [[{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }], true])
  assert.deepEqual((await kinesis.send(new ListTagsForStreamCommand({ StreamName: 'plain', ExclusiveStartTagKey: 'b' }))).Tags, [{ Key: 'c', Value: '3' }])
  await kinesis.send(new RemoveTagsFromStreamCommand({ StreamName: 'plain', TagKeys: ['a', 'nobody'] }))
  await kinesis.send(new TagResourceCommand({ ResourceARN: arn('plain'), Tags: { b: 'two', d: '' } }))
  await kinesis.send(new UntagResourceCommand({ ResourceARN: arn('plain'), TagKeys: ['c'] }))
  assert.deepEqual((await kinesis.send(new ListTagsForResourceCommand({ ResourceARN: arn('plain') }))).Tags, [{ Key: 'b', Value: 'two' }, { Key: 'd', Value: '' }])
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, '']))
  await fails(server, 'AddTagsToStream', { StreamName: 'plain', Tags: many }, 'InvalidArgumentException', /cannot have more than 50 tags/)

  await fails(server, 'AddTagsToStream', { StreamName: 'plain', Tags: { ['x'.repeat(129)]: '' } }, 'ValidationException', /at 'tags' .* Map keys must satisfy constraint/)
  await fails(server, 'AddTagsToStream', { StreamName: 'plain', Tags: { x: 'v'.repeat(257) } }, 'ValidationException', /less than or equal to 256/)

  const on = await kinesis.send(new EnableEnhancedMonitoringCommand({ StreamName: 'plain', ShardLevelMetrics: ['ALL'] }))
  assert.deepEqual([on.CurrentShardLevelMetrics, on.DesiredShardLevelMetrics.length], [[], 7])
  const off = await kinesis.send(new DisableEnhancedMonitoringCommand({ StreamName: 'plain', ShardLevelMetrics: ['IncomingBytes'] }))
  assert.equal(off.DesiredShardLevelMetrics.length, 6)

  await kinesis.send(new UpdateStreamModeCommand({ StreamARN: arn('auto'), StreamModeDetails: { StreamMode: 'PROVISIONED' } }))
  const limits = await kinesis.send(new DescribeLimitsCommand({}))
  assert.deepEqual([limits.OpenShardCount, limits.OnDemandStreamCount], [before.shards + 6, 0])

  const hours = async () => (await ok(server, 'DescribeStreamSummary', { StreamName: 'plain' })).StreamDescriptionSummary.RetentionPeriodHours
  await kinesis.send(new IncreaseStreamRetentionPeriodCommand({ StreamName: 'plain', RetentionPeriodHours: 8760 }))
  assert.equal(await hours(), 8760)
  await kinesis.send(new DecreaseStreamRetentionPeriodCommand({ StreamName: 'plain', RetentionPeriodHours: 48 }))
  assert.equal(await hours(), 48)
  await fails(server, 'IncreaseStreamRetentionPeriod', { StreamName: 'plain', RetentionPeriodHours: 8761 }, 'InvalidArgumentException')
  await fails(server, 'DecreaseStreamRetentionPeriod', { StreamName: 'plain', RetentionPeriodHours: 23 }, 'InvalidArgumentException')
  await fails(server, 'IncreaseStreamRetentionPeriod', { StreamName: 'plain', RetentionPeriodHours: 24 }, 'InvalidArgumentException', /can not be shorter than existing/)
  await fails(server, 'DecreaseStreamRetentionPeriod', { StreamName: 'plain', RetentionPeriodHours: 72 }, 'InvalidArgumentException', /can not be longer than existing/)
  kinesis.destroy()
})

test('what DynamoDB\'s wire sees of it: nothing', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 'hidden', 1)
  const before = await dynamodb(server, 'ListTables')
  assert.ok(before.json.TableNames.every((name) => !name.startsWith('weir.')))
  for (const [operation, more] of [['DescribeTable', {}], ['Scan', {}], ['GetItem', { Key: { shard: { S: 'a' }, sequence: { S: 'b' } } }], ['DeleteTable', {}]]) {
    const answer = await dynamodb(server, operation, { TableName: 'weir.kinesis.hidden', ...more })
    assert.match(answer.json.__type, /ResourceNotFoundException/)
  }
  const answer = await dynamodb(server, 'CreateTable', {
    TableName: 'weir.mine', AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }], KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  })
  assert.match(answer.json.__type, /ValidationException/)
  kinesis.destroy()
})

test('what is refused', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateStream', { StreamName: 'x', ShardCount: 1 })
  await fails(server, 'CreateStream', { StreamName: 'a b', ShardCount: 1 }, 'ValidationException',
    "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
  await fails(server, 'CreateStream', { StreamName: 'n'.repeat(129), ShardCount: 1 }, 'ValidationException', /less than or equal to 128/)
  await fails(server, 'CreateStream', { StreamName: 'y', ShardCount: 0 }, 'ValidationException', /greater than or equal to 1/)
  await fails(server, 'CreateStream', { StreamName: 'y' }, 'ValidationException')
  await fails(server, 'CreateStream', { StreamName: 'y', ShardCount: 2, StreamModeDetails: { StreamMode: 'ON_DEMAND' } }, 'ValidationException')
  await fails(server, 'CreateStream', { StreamName: 'y', ShardCount: 1001 }, 'LimitExceededException', /^This request would exceed the shard limit for the account 123456789012 in us-east-1\. Current shard count for the account: \d+\. Limit: 1000\. Number of additional shards that would have resulted from this request: 1001\.$/)
  await fails(server, 'DescribeStream', {}, 'ValidationException', /Value null at 'streamName'/)
  await fails(server, 'DescribeStream', { StreamARN: 'arn:aws:sqs:us-east-1:1:x' }, 'ValidationException', /at 'streamARN'/)
  await fails(server, 'DescribeStream', { StreamName: 7 }, 'SerializationException')
  await fails(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==' }, 'ValidationException', /Value null at 'partitionKey'/)
  await fails(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==', PartitionKey: '' }, 'ValidationException', /at 'partitionKey'/)
  await fails(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==', PartitionKey: 'ä'.repeat(257) }, 'ValidationException', /less than or equal to 256/)
  await ok(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==', PartitionKey: 'ä'.repeat(256) })
  await ok(server, 'PutRecord', { StreamName: 'x', Data: '', PartitionKey: 'k' })
  await fails(server, 'PutRecord', { StreamName: 'x', Data: '!', PartitionKey: 'k' }, 'SerializationException')
  await fails(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==', PartitionKey: 'k', ExplicitHashKey: '01' }, 'ValidationException', /explicitHashKey/)
  await fails(server, 'PutRecord', { StreamName: 'x', Data: 'YQ==', PartitionKey: 'k', ExplicitHashKey: '340282366920938463463374607431768211456' }, 'InvalidArgumentException')
  await fails(server, 'PutRecords', { StreamName: 'x', Records: [] }, 'ValidationException', /at 'records'/)
  const entry = { Data: 'YQ==', PartitionKey: 'k' }
  await fails(server, 'PutRecords', { StreamName: 'x', Records: Array(501).fill(entry) }, 'ValidationException', /less than or equal to 500/)
  await fails(server, 'PutRecords', { StreamName: 'x', Records: [entry, { ...entry, PartitionKey: '' }] }, 'ValidationException', /records\.2\.member\.partitionKey/)
  await fails(server, 'GetRecords', { ShardIterator: 'AAAA' }, 'InvalidArgumentException', 'Invalid ShardIterator.')
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000009', ShardIteratorType: 'LATEST' }, 'ResourceNotFoundException',
    'Could not find shard shardId-000000000009 in stream x under account 123456789012.')
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000000', ShardIteratorType: 'SOON' }, 'ValidationException', /enum value set/)
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000000', ShardIteratorType: 'AT_SEQUENCE_NUMBER' }, 'InvalidArgumentException')
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000000', ShardIteratorType: 'AT_TIMESTAMP' }, 'InvalidArgumentException')
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000000', ShardIteratorType: 'AT_TIMESTAMP', Timestamp: 1e10 }, 'InvalidArgumentException')
  await fails(server, 'GetShardIterator', { StreamName: 'x', ShardId: 'shardId-000000000000', ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: '0' },
    'InvalidArgumentException', /did not come from this stream/)
  await fails(server, 'PutResourcePolicy', { ResourceARN: arn('x'), Policy: '{}' }, 'UnknownOperationException')
  const kinesis = client(server)
  await assert.rejects(kinesis.send(new PutRecordCommand({ StreamName: 'x', PartitionKey: 'k', Data: Buffer.alloc(1048577) })), { name: 'ValidationException' })
  kinesis.destroy()
})
