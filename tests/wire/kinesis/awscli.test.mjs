// The AWS CLI.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { quiet, start } from '../lib/weir.mjs'

const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }

async function shell(server, command) {
  const { stdout } = await promisify(execFile)('bash', ['-c', `aws kinesis ${command} --endpoint-url ${server.http} --output json`], { env: environment, timeout: 300000 })
  return stdout ? JSON.parse(stdout) : undefined
}

test('a stream on the command line', async (t) => {
  const server = await start(t)
  assert.equal(await shell(server, 'create-stream --stream-name clicks --shard-count 1'), undefined)
  await shell(server, 'wait stream-exists --stream-name clicks')
  // Version 2 takes blobs in base64, version 1 as they are.
  const { stdout, stderr } = await promisify(execFile)('aws', ['--version'])
  const second = /aws-cli\/2/.test(stdout + stderr)
  const data = second ? Buffer.from('hello').toString('base64') : 'hello'
  const put = await shell(server, `put-record --stream-name clicks --partition-key user-1 --data ${data}`)
  assert.equal(put.ShardId, 'shardId-000000000000')
  assert.match(put.SequenceNumber, /^\d{56}$/)
  const many = await shell(server, `put-records --stream-name clicks --records Data=${data},PartitionKey=a Data=${data},PartitionKey=b`)
  assert.equal(many.FailedRecordCount, 0)
  const { ShardIterator } = await shell(server, 'get-shard-iterator --stream-name clicks --shard-id shardId-000000000000 --shard-iterator-type TRIM_HORIZON')
  const { Records, MillisBehindLatest } = await shell(server, `get-records --shard-iterator ${ShardIterator}`)
  assert.equal(MillisBehindLatest, 0)
  assert.deepEqual(Records.map((record) => [record.PartitionKey, Buffer.from(record.Data, 'base64').toString()]), [['user-1', 'hello'], ['a', 'hello'], ['b', 'hello']])
  const after = await shell(server, `get-shard-iterator --stream-name clicks --shard-id shardId-000000000000 --shard-iterator-type AT_TIMESTAMP --timestamp ${Math.floor(Date.now() / 1000) - 60}`)
  assert.equal((await shell(server, `get-records --shard-iterator ${after.ShardIterator} --limit 2`)).Records.length, 2)
  const about = await shell(server, 'describe-stream-summary --stream-name clicks')
  assert.equal(about.StreamDescriptionSummary.OpenShardCount, 1)
  await shell(server, 'split-shard --stream-name clicks --shard-to-split shardId-000000000000 --new-starting-hash-key 170141183460469231731687303715884105728')
  assert.equal((await shell(server, 'list-shards --stream-name clicks')).Shards.length, 3)
  await shell(server, 'increase-stream-retention-period --stream-name clicks --retention-period-hours 48')
  await shell(server, 'add-tags-to-stream --stream-name clicks --tags team=web,stage=prod')
  assert.deepEqual((await shell(server, 'list-tags-for-stream --stream-name clicks')).Tags, [{ Key: 'stage', Value: 'prod' }, { Key: 'team', Value: 'web' }])
  assert.ok((await shell(server, 'list-streams')).StreamNames.includes('clicks'))
  await shell(server, 'delete-stream --stream-name clicks')
  await shell(server, 'wait stream-not-exists --stream-name clicks')
  await assert.rejects(shell(server, 'describe-stream --stream-name clicks'), /ResourceNotFoundException.*Stream clicks under account 123456789012 not found/)
  await quiet(server)
})
