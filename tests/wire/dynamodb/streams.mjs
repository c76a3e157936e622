// What the tests of DynamoDB Streams share.
import assert from 'node:assert/strict'
import { DynamoDBStreamsClient, DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-dynamodb-streams'
import { call, credentials, ok, table } from './lib.mjs'

export function streamsClient(server) {
  return new DynamoDBStreamsClient({ endpoint: server.http, region: 'us-east-1', credentials })
}

/** A signed request of the streams' wire, at the server's time: {status, json, ...}. Sent again when the server is too busy, as an SDK does. */
export async function raw(server, operation, body) {
  for (let attempt = 1; ; attempt++) {
    const answer = await call(server, operation, body, { headers: { 'x-amz-target': `DynamoDBStreams_20120810.${operation}` } })
    if (attempt === 5 || answer.status === 200 || !answer.json.__type?.endsWith('#ThrottlingException')) return answer
  }
}

export async function fine(server, operation, body) {
  const answer = await raw(server, operation, body)
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.json
}

export async function refused(server, operation, body, name, message) {
  const answer = await raw(server, operation, body)
  const what = `${operation} ${JSON.stringify(body)}: ${answer.body}`
  assert.equal(answer.status, 400, what)
  assert.equal(answer.json.__type.split('#')[1], name, what)
  if (message instanceof RegExp) assert.match(answer.json.message, message, what)
  else if (message !== undefined) assert.equal(answer.json.message, message, what)
  return answer.json
}

/** A table (hash `id`, S) with a stream; its ARN. */
export async function streamed(server, TableName, StreamViewType = 'NEW_AND_OLD_IMAGES', more = {}) {
  await table(server, TableName, { StreamSpecification: { StreamEnabled: true, StreamViewType }, ...more })
  return arnOf(server, TableName)
}

export async function arnOf(server, TableName) {
  return (await ok(server, 'DescribeTable', { TableName })).Table.LatestStreamArn
}

export const put = (server, TableName, item) => ok(server, 'PutItem', { TableName, Item: item })
export const del = (server, TableName, id) => ok(server, 'DeleteItem', { TableName, Key: { id: { S: id } } })

export async function shardOf(server, StreamArn) {
  const { StreamDescription } = await fine(server, 'DescribeStream', { StreamArn })
  assert.equal(StreamDescription.Shards.length, 1)
  return StreamDescription.Shards[0]
}

export async function iterator(server, StreamArn, ShardIteratorType = 'TRIM_HORIZON', SequenceNumber) {
  const { ShardId } = await shardOf(server, StreamArn)
  return (await fine(server, 'GetShardIterator', { StreamArn, ShardId, ShardIteratorType, SequenceNumber })).ShardIterator
}

/** Reads on until `count` records are there, or the shard is at its end: {records, next}. */
export async function readFrom(server, start, { count = Infinity, Limit, deadline = Date.now() + 120000 } = {}) {
  const records = []
  let next = start
  let still = 0
  while (next && records.length < count) {
    const page = await fine(server, 'GetRecords', { ShardIterator: next, Limit })
    if (Limit) assert.ok(page.Records.length <= Limit)
    records.push(...page.Records)
    next = page.NextShardIterator
    still = page.Records.length ? 0 : still + 1
    if (count === Infinity && still > 2) break
    assert.ok(Date.now() < deadline, `only ${records.length} records`)
  }
  return { records, next }
}

/** All records that are there, from the horizon. */
export async function all(server, StreamArn, options) {
  return (await readFrom(server, await iterator(server, StreamArn), options)).records
}

/** With the SDK: the same. */
export async function allBySdk(client, StreamArn, { Limit } = {}) {
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }))
  const records = []
  for (const { ShardId } of StreamDescription.Shards) {
    let { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }))
    for (let still = 0; ShardIterator && still < 3;) {
      const page = await client.send(new GetRecordsCommand({ ShardIterator, Limit }))
      records.push(...page.Records)
      still = page.Records.length ? 0 : still + 1
      ShardIterator = page.NextShardIterator
    }
  }
  return records
}
