// The AWS SDK over HTTP/2: it signs :authority instead of host. And signatures over bodies that travel compressed.
import test from 'node:test'
import assert from 'node:assert/strict'
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import { Sha256 } from '@aws-crypto/sha256-js'
import { DynamoDBClient, GetItemCommand, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { KinesisClient, ListStreamsCommand } from '@aws-sdk/client-kinesis'
import { SignatureV4 } from '@smithy/signature-v4'
import { NodeHttp2Handler } from '@smithy/node-http-handler'
import { quiet, request, start } from './lib/weir.mjs'
import { session } from './lib/http2.mjs'
import { credentials, table } from './dynamodb/lib.mjs'

const over = (server, more = {}) =>
  new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1, requestHandler: new NodeHttp2Handler(), ...more })

test('DynamoDB over one HTTP/2 connection', async (t) => {
  const server = await start(t, { driven: false, threads: 2 })
  await table(server, 'Games')
  const sdk = over(server)
  const signed = []
  sdk.middlewareStack.add((next) => async (args) => {
    signed.push(args.request.headers.authorization)
    return next(args)
  }, { step: 'finalizeRequest', priority: 'low' })
  await Promise.all(Array.from({ length: 200 }, (_, n) => sdk.send(new PutItemCommand({ TableName: 'Games', Item: { id: { S: `${n}` }, note: { S: 'x'.repeat(2000) } } }))))
  const { Item } = await sdk.send(new GetItemCommand({ TableName: 'Games', Key: { id: { S: '7' } } }))
  assert.equal(Item.note.S.length, 2000)
  const { Count } = await sdk.send(new ScanCommand({ TableName: 'Games' }))
  assert.equal(Count, 200)
  assert.match(signed[0], /SignedHeaders=[^,]*(:authority|host)/)
  assert.equal((await server.counters()).h2_connections, 1)
  const stranger = over(server, { credentials: { accessKeyId: 'test', secretAccessKey: 'wrong' } })
  await assert.rejects(stranger.send(new GetItemCommand({ TableName: 'Games', Key: { id: { S: '7' } } })), { name: 'InvalidSignatureException' })
  stranger.destroy()
  sdk.destroy()
  await quiet(server)
})

test('a request that signs :authority, over both versions', async (t) => {
  const server = await start(t, { driven: false })
  const { host, hostname, port } = new URL(server.http)
  const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'dynamodb', sha256: Sha256 })
  const { headers } = await signer.sign({
    method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {}, body: '{}',
    headers: { ':authority': host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables' },
  })
  assert.match(headers.authorization, /SignedHeaders=:authority;/)
  const h2 = await session(server)
  const answer = await h2.ask('POST', '/', { headers, body: '{}' })
  assert.deepEqual([answer.status, Array.isArray(answer.json.TableNames)], [200, true])
  const other = await h2.ask('POST', '/', { headers: { ...headers, ':authority': 'localhost:1' }, body: '{}' })
  assert.deepEqual([other.status, other.json.__type.split('#')[1]], [400, 'InvalidSignatureException'])
  await h2.close()
  await quiet(server)
})

test('the Kinesis client as it comes, with an endpoint alone', async (t) => {
  const server = await start(t, { driven: false })
  const kinesis = new KinesisClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
  const { StreamNames } = await kinesis.send(new ListStreamsCommand({})).catch((error) => {
    assert.match(`${error.name}`, /UnknownOperation/) // it was heard, over HTTP/2
    return { StreamNames: [] }
  })
  assert.ok(Array.isArray(StreamNames))
  assert.equal(kinesis.config.requestHandler.metadata.handlerProtocol, 'h2')
  kinesis.destroy()
  await quiet(server)
})

/** A PutItem that is compressed, then signed, as the SDK's compression middleware does it. */
async function zipped(server, { encoding = 'gzip', pack = gzipSync, applyChecksum = false, tamper = (bytes) => bytes } = {}) {
  const body = pack(JSON.stringify({ TableName: 'Games', Item: { id: { S: 'zipped' }, note: { S: 'once upon a time '.repeat(500) } } }))
  const { host, hostname, port } = new URL(server.http)
  const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'dynamodb', sha256: Sha256, applyChecksum })
  const signed = await signer.sign({
    method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {}, body,
    headers: { host, 'content-type': 'application/x-amz-json-1.0', 'content-encoding': encoding, 'x-amz-target': 'DynamoDB_20120810.PutItem' },
  })
  return [signed.headers, tamper(body)]
}

test('a signature covers the bytes that travel', async (t) => {
  const server = await start(t, { driven: false })
  await table(server, 'Games')
  const h2 = await session(server)
  const http1 = (headers, body) => request(server, 'POST', '/', { headers, body })
  const http2 = ({ host, ...headers }, body) => h2.ask('POST', '/', { headers: { ...headers, ':authority': host }, body })
  for (const send of [http1, http2]) {
    const plain = await send(...await zipped(server))
    assert.equal(plain.status, 200, plain.body)
    const [headers, body] = await zipped(server, { applyChecksum: true })
    assert.ok(headers['x-amz-content-sha256'])
    const hashed = await send(headers, body)
    assert.equal(hashed.status, 200, hashed.body)
    const deflated = await send(...await zipped(server, { encoding: 'deflate', pack: deflateSync }))
    assert.equal(deflated.status, 200, deflated.body)
    // The same text in other bytes is not what was signed.
    const again = await send(...await zipped(server, { tamper: (bytes) => gzipSync(gunzipSync(bytes), { level: 1 }) }))
    assert.deepEqual([again.status, again.json.__type.split('#')[1]], [400, 'InvalidSignatureException'])
    const unpacked = await send(...await zipped(server, { tamper: (bytes) => gunzipSync(bytes) }))
    assert.equal(unpacked.status, 400)
  }
  await h2.close()
  await quiet(server)
})
