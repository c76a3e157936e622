// What hangs on a stream beside tags and retention: encryption by a key, the size of records; and a change of many shards, which takes more than one step.
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  DescribeStreamCommand, DescribeStreamSummaryCommand, StartStreamEncryptionCommand, StopStreamEncryptionCommand, UpdateMaxRecordSizeCommand, UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis'
import { start, until } from '../lib/weir.mjs'
import { client, create, fails, iterator, ok, put, readAll, shards } from './lib.mjs'

const arnOf = (name) => `arn:aws:kinesis:us-east-1:123456789012:stream/${name}`
const summary = async (kinesis, StreamName) => (await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }))).StreamDescriptionSummary

test('encryption is kept and told', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const KeyId = 'alias/aws/kinesis'
  await kinesis.send(new StartStreamEncryptionCommand({ StreamName: 's', EncryptionType: 'KMS', KeyId }))
  const described = await summary(kinesis, 's')
  assert.deepEqual([described.EncryptionType, described.KeyId], ['KMS', KeyId])
  assert.equal((await kinesis.send(new DescribeStreamCommand({ StreamName: 's' }))).StreamDescription.KeyId, KeyId)
  await fails(server, 'StartStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId }, 'ResourceInUseException')
  await fails(server, 'StartStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId: 'nonsense' }, 'InvalidArgumentException')
  await fails(server, 'StartStreamEncryption', { StreamName: 's', EncryptionType: 'X' }, 'ValidationException', /^2 validation errors detected/)
  await server.kill9()
  await server.restart()
  assert.equal((await summary(client(server), 's')).KeyId, KeyId)
  await client(server).send(new StopStreamEncryptionCommand({ StreamARN: arnOf('s'), EncryptionType: 'KMS', KeyId }))
  assert.equal((await summary(client(server), 's')).EncryptionType, 'NONE')
  for (const id of ['1234abcd-12ab-34cd-56ef-1234567890ab', 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab', 'arn:aws:kms:us-east-1:123456789012:alias/x']) {
    await ok(server, 'StartStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId: id })
    await ok(server, 'StopStreamEncryption', { StreamName: 's', EncryptionType: 'KMS', KeyId: id })
  }
})

test('records of up to 10 MiB, where a stream allows them', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's')
  const large = 'x'.repeat(3 << 20)
  await assert.rejects(put(kinesis, 's', 'k', large), { name: 'ValidationException', message: /less than or equal to 1048576/ })
  await kinesis.send(new UpdateMaxRecordSizeCommand({ StreamARN: arnOf('s'), MaxRecordSizeInKiB: 10240 }))
  assert.equal((await summary(kinesis, 's')).MaxRecordSizeInKiB, 10240)
  await put(kinesis, 's', 'k', large)
  await put(kinesis, 's', 'k', 'y'.repeat(10 * (1 << 20) - 1))
  const { records } = await readAll(kinesis, await iterator(kinesis, 's', 'shardId-000000000000'))
  assert.deepEqual(records.map((record) => record.Data.length), [3 << 20, 10 * (1 << 20) - 1])
  await assert.rejects(put(kinesis, 's', 'k', 'y'.repeat(10 * (1 << 20))), { name: 'InvalidArgumentException' })
  await fails(server, 'UpdateMaxRecordSize', { StreamARN: arnOf('s'), MaxRecordSizeInKiB: 1023 }, 'ValidationException')
  await fails(server, 'UpdateMaxRecordSize', { MaxRecordSizeInKiB: 2048 }, 'ValidationException')
  await fails(server, 'PutRecord', { StreamName: 's', PartitionKey: 'k', Data: 'eA==', DryRun: true }, 'InvalidArgumentException')
})

test('many shards change their number step by step', async (t) => {
  const server = await start(t)
  const kinesis = client(server)
  await create(kinesis, 's', 150)
  const answer = await kinesis.send(new UpdateShardCountCommand({ StreamName: 's', TargetShardCount: 300, ScalingType: 'UNIFORM_SCALING' }))
  assert.deepEqual([answer.CurrentShardCount, answer.TargetShardCount], [150, 300])
  await until('it is done', async () => (await summary(kinesis, 's')).StreamStatus === 'ACTIVE')
  assert.equal((await summary(kinesis, 's')).OpenShardCount, 300)
  await kinesis.send(new UpdateShardCountCommand({ StreamName: 's', TargetShardCount: 200, ScalingType: 'UNIFORM_SCALING' }))
  await until('it is done', async () => (await summary(kinesis, 's')).StreamStatus === 'ACTIVE')
  const open = (await shards(kinesis, 's', { MaxResults: 10000 })).filter((shard) => !shard.SequenceNumberRange.EndingSequenceNumber)
  assert.equal(open.length, 200)
  const ranges = open.map((shard) => [BigInt(shard.HashKeyRange.StartingHashKey), BigInt(shard.HashKeyRange.EndingHashKey)]).sort((a, b) => (a[0] < b[0] ? -1 : 1))
  let next = 0n
  for (const [from, to] of ranges) {
    assert.equal(from, next)
    next = to + 1n
  }
  assert.equal(next, 1n << 128n)
  await put(kinesis, 's', 'k', 'x')
})
