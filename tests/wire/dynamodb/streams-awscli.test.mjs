// The AWS CLI: `aws dynamodbstreams`, and the tables' commands that switch a stream on.
// ST-3, OP-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { quiet, start } from '../lib/weir.mjs'

const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }

async function aws(server, ...words) {
  const { stdout } = await promisify(execFile)('aws', [...words, '--endpoint-url', server.http, '--output', 'json'], { env: environment, timeout: 300000 })
  return stdout ? JSON.parse(stdout) : undefined
}

test('a stream by the command line', async (t) => {
  const server = await start(t)
  await aws(server, 'dynamodb', 'create-table', '--table-name', 'songs', '--attribute-definitions', 'AttributeName=artist,AttributeType=S', '--key-schema',
    'AttributeName=artist,KeyType=HASH', '--billing-mode', 'PAY_PER_REQUEST')
  const { TableDescription } = await aws(server, 'dynamodb', 'update-table', '--table-name', 'songs', '--stream-specification', 'StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES')
  const arn = TableDescription.LatestStreamArn
  await aws(server, 'dynamodb', 'put-item', '--table-name', 'songs', '--item', '{"artist":{"S":"x"},"data":{"S":"ü 1"}}')
  await aws(server, 'dynamodb', 'delete-item', '--table-name', 'songs', '--key', '{"artist":{"S":"x"}}')
  const { Streams } = await aws(server, 'dynamodbstreams', 'list-streams', '--table-name', 'songs')
  assert.deepEqual(Streams, [{ StreamArn: arn, TableName: 'songs', StreamLabel: TableDescription.LatestStreamLabel }])
  const { StreamDescription } = await aws(server, 'dynamodbstreams', 'describe-stream', '--stream-arn', arn)
  assert.equal(StreamDescription.StreamStatus, 'ENABLED')
  const shard = StreamDescription.Shards[0].ShardId
  const { ShardIterator } = await aws(server, 'dynamodbstreams', 'get-shard-iterator', '--stream-arn', arn, '--shard-id', shard, '--shard-iterator-type', 'TRIM_HORIZON')
  const { Records, NextShardIterator } = await aws(server, 'dynamodbstreams', 'get-records', '--shard-iterator', ShardIterator)
  assert.deepEqual(Records.map((r) => [r.eventName, r.dynamodb.NewImage?.data.S, r.dynamodb.OldImage?.data.S]), [['INSERT', 'ü 1', undefined], ['REMOVE', undefined, 'ü 1']])
  assert.ok(NextShardIterator)
  const missing = `${arn.slice(0, -1)}${arn.endsWith('0') ? '1' : '0'}`
  await assert.rejects(aws(server, 'dynamodbstreams', 'describe-stream', '--stream-arn', missing), /ResourceNotFoundException/)
  await quiet(server)
})
