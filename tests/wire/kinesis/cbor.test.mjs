// The second spelling of the wire, which the Java SDK and the Kinesis Client Library use: application/x-amz-cbor-1.1.
import test from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { Sha256 } from '@aws-crypto/sha256-js'
import { cbor, tagSymbol } from '@smithy/core/cbor'
import { SignatureV4 } from '@smithy/signature-v4'
import { credentials } from '../dynamodb/lib.mjs'
import { start } from '../lib/weir.mjs'
import { client, put } from './lib.mjs'

/** A signed POST in CBOR: {status, headers, body (bytes), value}. */
async function call(server, operation, body, keys = credentials) {
  const url = new URL(server.http)
  const bytes = body instanceof Uint8Array ? body : cbor.serialize(body)
  const signer = new SignatureV4({ credentials: keys, region: 'us-east-1', service: 'kinesis', sha256: Sha256 })
  const signed = await signer.sign({
    method: 'POST', protocol: 'http:', hostname: url.hostname, port: Number(url.port), path: '/', query: {},
    headers: { host: url.host, 'content-type': 'application/x-amz-cbor-1.1', 'x-amz-target': `Kinesis_20131202.${operation}` },
    body: bytes,
  })
  return new Promise((resolve, reject) => {
    const asked = http.request({ host: url.hostname, port: url.port, method: 'POST', path: '/', headers: { ...signed.headers, connection: 'close' }, agent: false }, (answer) => {
      const pieces = []
      answer.on('data', (piece) => pieces.push(piece))
      answer.on('end', () => {
        const all = Buffer.concat(pieces)
        resolve({ status: answer.statusCode, headers: answer.headers, body: all, value: all.length ? cbor.deserialize(all) : undefined })
      })
    })
    asked.on('error', reject)
    asked.end(bytes)
  })
}

test('records in CBOR', async (t) => {
  const server = await start(t)
  const made = await call(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  assert.deepEqual([made.status, made.body.length, made.headers['content-type']], [200, 0, 'application/x-amz-cbor-1.1'])
  const before = Date.now()
  const one = await call(server, 'PutRecord', { StreamName: 's', PartitionKey: 'k', Data: Buffer.from([0, 1, 2, 255]) })
  assert.equal(one.status, 200)
  assert.equal(one.value.ShardId, 'shardId-000000000000')
  const Records = [{ PartitionKey: 'a', Data: Buffer.from('') }, { PartitionKey: 'b', Data: Buffer.alloc(300000, 7) }]
  assert.equal((await call(server, 'PutRecords', { StreamName: 's', Records })).value.FailedRecordCount, 0)
  const { value: { ShardIterator } } = await call(server, 'GetShardIterator',
    { StreamName: 's', ShardId: 'shardId-000000000000', ShardIteratorType: 'AT_TIMESTAMP', Timestamp: { tag: 1, value: before - 1000, [tagSymbol]: true } })
  const page = (await call(server, 'GetRecords', { ShardIterator })).value
  assert.deepEqual(page.Records.map((record) => Buffer.from(record.Data)), [Buffer.from([0, 1, 2, 255]), Buffer.alloc(0), Buffer.alloc(300000, 7)])
  for (const record of page.Records) {
    const at = record.ApproximateArrivalTimestamp
    assert.equal(at.tag, 1)
    assert.ok(Math.abs(Number(at.value) - before) < 60000, 'milliseconds')
  }
  assert.equal(page.MillisBehindLatest, 0)
  const about = (await call(server, 'DescribeStreamSummary', { StreamName: 's' })).value.StreamDescriptionSummary
  assert.equal(about.StreamCreationTimestamp.tag, 1)
  assert.ok(Math.abs(Number(about.StreamCreationTimestamp.value) - before) < 60000)
  // The same stream in JSON.
  const kinesis = client(server)
  await put(kinesis, 's', 'k', 'json')
  assert.equal((await call(server, 'GetRecords', { ShardIterator })).value.Records.length, 4)
  kinesis.destroy()
})

test('errors in CBOR', async (t) => {
  const server = await start(t)
  const missing = await call(server, 'DescribeStream', { StreamName: 'nobody' })
  assert.deepEqual([missing.status, missing.headers['content-type']], [400, 'application/x-amz-cbor-1.1'])
  assert.deepEqual(missing.value, { __type: 'ResourceNotFoundException', message: 'Stream nobody under account 123456789012 not found.' })
  assert.equal((await call(server, 'DescribeStream', Buffer.from([0xbf, 0x61]))).value.__type, 'SerializationException')
  assert.equal((await call(server, 'DescribeStream', Buffer.from([0x80]))).value.__type, 'SerializationException')
  assert.equal((await call(server, 'NoSuch', {})).value.__type, 'UnknownOperationException')
  assert.match((await call(server, 'ListStreams', {}, { accessKeyId: 'who', secretAccessKey: 'x' })).value.__type, /UnrecognizedClientException/)
})

/** The messages of an event stream: [{headers, payload}]. */
function messages(bytes) {
  const all = []
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const headers = {}
    const end = at + 12 + bytes.readUInt32BE(at + 4)
    for (let h = at + 12; h < end;) {
      const name = bytes.toString('utf8', h + 1, h + 1 + bytes[h])
      h += 2 + bytes[h]
      const len = bytes.readUInt16BE(h)
      headers[name] = bytes.toString('utf8', h + 2, h + 2 + len)
      h += 2 + len
    }
    all.push({ headers, payload: cbor.deserialize(bytes.subarray(end, at + bytes.readUInt32BE(at) - 4)) })
  }
  return all
}

test('events in CBOR', async (t) => {
  const server = await start(t)
  await call(server, 'CreateStream', { StreamName: 's', ShardCount: 1 })
  const StreamARN = 'arn:aws:kinesis:us-east-1:123456789012:stream/s'
  const { ConsumerARN, ConsumerCreationTimestamp } = (await call(server, 'RegisterStreamConsumer', { StreamARN, ConsumerName: 'c' })).value.Consumer
  assert.equal(ConsumerCreationTimestamp.tag, 1)
  await call(server, 'PutRecord', { StreamName: 's', PartitionKey: 'k', Data: Buffer.from([1, 2, 3]) })
  await call(server, 'SplitShard', { StreamName: 's', ShardToSplit: 'shardId-000000000000', NewStartingHashKey: String(1n << 127n) })
  // The shard is closed, so the answer comes to an end.
  const answer = await call(server, 'SubscribeToShard', { ConsumerARN, ShardId: 'shardId-000000000000', StartingPosition: { Type: 'TRIM_HORIZON' } })
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'application/vnd.amazon.eventstream'])
  const [hello, event, ...more] = messages(answer.body)
  assert.deepEqual(more, [])
  assert.deepEqual(hello, { headers: { ':event-type': 'initial-response', ':content-type': 'application/x-amz-cbor-1.1', ':message-type': 'event' }, payload: {} })
  assert.equal(event.headers[':event-type'], 'SubscribeToShardEvent')
  assert.deepEqual(event.payload.Records.map((record) => [...record.Data]), [[1, 2, 3]])
  assert.equal(event.payload.ChildShards.length, 2)
})
