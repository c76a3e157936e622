// Clients of the Kinesis wire: the SDK as people use it (over HTTP/1.1 here; h2.test.mjs takes it as it comes), and signed requests that no SDK would send.
import assert from 'node:assert/strict'
import http from 'node:http'
import {
  CreateStreamCommand, GetRecordsCommand, GetShardIteratorCommand, KinesisClient, ListShardsCommand, PutRecordCommand, PutRecordsCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { call as signed, credentials } from '../dynamodb/lib.mjs'

export { advance } from '../dynamodb/lib.mjs'

export function client(server, options = {}) {
  const made = new KinesisClient({
    endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1, requestHandler: new NodeHttpHandler({ httpAgent: new http.Agent({ keepAlive: false }) }), ...options,
  })
  // Requests are signed with the server's time when a test has moved its clock.
  made.config.systemClockOffset = server.skew ?? 0
  return made
}

/** A signed POST in JSON: {status, headers, body, json}. */
export function call(server, operation, body = {}, { headers = {}, ...options } = {}) {
  return signed(server, operation, body, {
    service: 'kinesis', headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Kinesis_20131202.${operation}`, ...headers }, ...options,
  })
}

/** The answer of a call that must succeed; undefined when its body is empty. */
export async function ok(server, operation, body) {
  const answer = await call(server, operation, body)
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.body ? answer.json : undefined
}

/** The error of a call that must fail. */
export async function fails(server, operation, body, name, message) {
  const answer = await call(server, operation, body)
  const what = `${operation} ${JSON.stringify(body).slice(0, 300)}: ${answer.body.slice(0, 1000)}`
  assert.equal(answer.status, 400, what)
  assert.equal(answer.json.__type, name, what)
  const said = answer.json.message ?? answer.json.Message
  if (message instanceof RegExp) assert.match(said, message, what)
  else if (message !== undefined) assert.equal(said, message, what)
  return answer.json
}

/** What a fresh server has already: streams that applications declare, and their shards. */
export async function given(server) {
  const { StreamNames } = await ok(server, 'ListStreams', {})
  const { OpenShardCount } = await ok(server, 'DescribeLimits', {})
  return { names: StreamNames, shards: OpenShardCount, others: (names) => names.filter((name) => !StreamNames.includes(name)) }
}

export const create = (kinesis, StreamName, ShardCount = 1) => kinesis.send(new CreateStreamCommand({ StreamName, ShardCount }))
export const put = (kinesis, StreamName, PartitionKey, text, more = {}) =>
  kinesis.send(new PutRecordCommand({ StreamName, PartitionKey, Data: Buffer.from(text), ...more }))
export const putMany = (kinesis, StreamName, list) =>
  kinesis.send(new PutRecordsCommand({ StreamName, Records: list.map(([PartitionKey, text]) => ({ PartitionKey, Data: Buffer.from(text) })) }))
export const shards = async (kinesis, StreamName, more = {}) => (await kinesis.send(new ListShardsCommand({ StreamName, ...more }))).Shards
export const iterator = async (kinesis, StreamName, ShardId, ShardIteratorType = 'TRIM_HORIZON', more = {}) =>
  (await kinesis.send(new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType, ...more }))).ShardIterator
export const get = (kinesis, ShardIterator, more = {}) => kinesis.send(new GetRecordsCommand({ ShardIterator, ...more }))

/** Everything from an iterator on, until the shard ends or the reader has caught up: {records, ended, children, next}. */
export async function readAll(kinesis, from, more = {}) {
  const records = []
  let next = from
  for (;;) {
    const page = await get(kinesis, next, more)
    records.push(...page.Records)
    if (!page.NextShardIterator) return { records, ended: true, children: page.ChildShards ?? [] }
    next = page.NextShardIterator
    if (page.MillisBehindLatest === 0) return { records, ended: false, children: [], next }
  }
}

/** A whole shard, as texts. */
export async function texts(kinesis, StreamName, ShardId, type, more) {
  const { records } = await readAll(kinesis, await iterator(kinesis, StreamName, ShardId, type, more))
  return records.map((record) => Buffer.from(record.Data).toString())
}
