// The wire itself: headers, checksums, signatures, compression, origins, unknown addresses.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import zlib from 'node:zlib'
import { quiet, request, start, until } from '../lib/weir.mjs'
import { call, ok, table } from './lib.mjs'

const table32 = Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})
const crc32 = (bytes) => {
  let c = 0xffffffff
  for (const byte of bytes) c = table32[(c ^ byte) & 0xff] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

const base = { 'content-type': 'application/x-amz-json-1.0' }

test('answers carry AWS\'s headers, and their checksum is right', async (t) => {
  const server = await start(t)
  for (const [operation, status] of [['ListTables', 200], ['DescribeTable', 400]]) {
    const answer = await call(server, operation, {})
    assert.equal(answer.status, status)
    assert.match(answer.headers['x-amzn-requestid'], /^[0-9A-Z]{52}$/)
    assert.equal(answer.headers['content-type'], 'application/x-amz-json-1.0')
    assert.equal(answer.headers['x-amz-crc32'], String(crc32(Buffer.from(answer.body))))
    assert.equal(answer.headers['content-length'], String(Buffer.byteLength(answer.body)))
    assert.ok(answer.headers.date)
  }
  await quiet(server)
})

test('a long answer is compressed when that is asked for, and the checksum is that of the body itself', async (t) => {
  const server = await start(t)
  await table(server, 'big')
  await ok(server, 'PutItem', { TableName: 'big', Item: { id: { S: 'a' }, text: { S: 'weir '.repeat(4000) } } })
  let signed
  await call(server, 'GetItem', { TableName: 'big', Key: { id: { S: 'a' } } }, { headers: { 'accept-encoding': 'gzip' }, after: (headers) => (signed = { ...headers }) })
  const url = new URL(server.http)
  const { headers, bytes } = await new Promise((resolve, reject) => {
    const asked = http.request({ host: url.hostname, port: url.port, method: 'POST', path: '/', headers: { ...signed, connection: 'close' } }, (answer) => {
      const pieces = []
      answer.on('data', (piece) => pieces.push(piece))
      answer.on('end', () => resolve({ headers: answer.headers, bytes: Buffer.concat(pieces) }))
    })
    asked.on('error', reject)
    asked.end(JSON.stringify({ TableName: 'big', Key: { id: { S: 'a' } } }))
  })
  assert.equal(headers['content-encoding'], 'gzip')
  assert.ok(bytes.length < 2000)
  const plain = zlib.gunzipSync(bytes)
  assert.equal(JSON.parse(plain).Item.text.S.length, 20000)
  assert.equal(headers['x-amz-crc32'], String(crc32(bytes)))
})

test('who is not signed, or signed by nobody known, is told so', async (t) => {
  const server = await start(t)
  const unsigned = await request(server, 'POST', '/', { headers: { ...base, 'x-amz-target': 'DynamoDB_20120810.ListTables' }, body: '{}' })
  assert.equal(unsigned.status, 400)
  assert.deepEqual(unsigned.json, { __type: 'com.amazon.coral.service#MissingAuthenticationTokenException', message: 'Request is missing Authentication Token' })
  const unknown = await call(server, 'ListTables', {}, { keys: { accessKeyId: 'nobody', secretAccessKey: 'x' } })
  assert.equal(unknown.json.__type, 'com.amazon.coral.service#UnrecognizedClientException')
  assert.equal(unknown.json.message, 'The security token included in the request is invalid.')
  await until('the log says which pair it is', () => /the pair test \/ test/.test(server.stderr))
  const wrong = await call(server, 'ListTables', {}, { keys: { accessKeyId: 'test', secretAccessKey: 'wrong' } })
  assert.equal(wrong.json.__type, 'com.amazon.coral.service#InvalidSignatureException')
  const other = await call(server, 'ListTables', {}, { service: 's3' })
  assert.equal(other.json.__type, 'com.amazon.coral.service#InvalidSignatureException')
  const region = await call(server, 'ListTables', {}, { region: 'eu-central-1' })
  assert.equal(region.status, 200)
  assert.match(wrong.json.message, /^The request signature we calculated does not match the signature you provided\./)
})

test('a signature that lacks parts is told which', async (t) => {
  const server = await start(t)
  const ask = async (target, headers, body = '{}') => (await request(server, 'POST', target, { headers: { ...base, 'x-amz-target': 'DynamoDB_20120810.ListTables', ...headers }, body })).json
  const parts = (...names) => names.map((name) => `Authorization header requires '${name}' parameter. `).join('')
  const date = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
  const query = (...names) => `${names.map((name) => `AWS query-string parameters must include '${name}'. `).join('')}Re-examine the query-string parameters.`
  const incomplete = (message) => ({ __type: 'com.amazon.coral.service#IncompleteSignatureException', message })
  assert.deepEqual(await ask('/', { authorization: 'AWS4-' }), incomplete(`${parts('Credential', 'Signature', 'SignedHeaders')}${date}Authorization=AWS4-`))
  assert.deepEqual(await ask('/', { authorization: 'AWS4-HMAC-SHA256 Credential=a,Signature=b', 'x-amz-date': 'x' }), incomplete(`${parts('SignedHeaders')}Authorization=AWS4-HMAC-SHA256`))
  assert.deepEqual(await ask('/?X-Amz-Algorithm', {}), incomplete(query('X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', 'X-Amz-Date')))
  assert.deepEqual(await ask('/?X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c', {}), incomplete(query('X-Amz-Signature', 'X-Amz-SignedHeaders')))
  assert.deepEqual(await ask('/?X-Amz-Algorithm=a', { authorization: 'AWS4-HMAC-SHA256 Credential=a' }), {
    __type: 'com.amazon.coral.service#InvalidSignatureException', message: "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header." })
  assert.equal((await ask('/', { authorization: 'Bearer x' })).__type, 'com.amazon.coral.service#MissingAuthenticationTokenException')
  assert.match((await ask('/', { authorization: `AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-target, Signature=${'a'.repeat(64)}`, 'x-amz-date': '20200101T000000Z' })).message,
    /^Signature expired: 20200101T000000Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/)
  for (const body of ['', '{', 'hello']) assert.deepEqual(await ask('/', {}, body), { __type: 'com.amazon.coral.service#SerializationException' }, 'a body that is no JSON is told first')
})

test('answers come in the content type that was asked with', async (t) => {
  const server = await start(t)
  for (const [given, answered = given] of [['application/x-amz-json-1.0'], ['application/x-amz-json-1.1'], ['application/json'], ['application/json; charset=utf-8', 'application/json']]) {
    const good = await call(server, 'ListTables', {}, { headers: { 'content-type': given } })
    assert.deepEqual([good.status, good.headers['content-type']], [200, answered])
    const bad = await request(server, 'POST', '/', { headers: { 'content-type': given, 'x-amz-target': 'DynamoDB_20120810.ListTables' }, body: '{}' })
    assert.deepEqual([bad.status, bad.headers['content-type']], [400, answered])
  }
  for (const [method, headers] of [['POST', { 'content-type': 'text/plain', 'x-amz-target': 'DynamoDB_20120810.ListTables' }], ['PUT', { ...base, 'x-amz-target': 'DynamoDB_20120810.ListTables' }]]) {
    const answer = await request(server, method, '/', { headers, body: '{}' })
    assert.deepEqual([answer.status, answer.body, answer.headers['x-amz-crc32']], [404, '<UnknownOperationException/>\n', '3552371480'])
    assert.match(answer.headers['x-amzn-requestid'], /^[0-9A-Z]{52}$/)
  }
})

test('the address, unknown operations, bodies that are no JSON', async (t) => {
  const server = await start(t)
  const healthy = await request(server, 'GET', '/')
  assert.deepEqual([healthy.status, healthy.body], [200, 'healthy: dynamodb.us-east-1.amazonaws.com '])
  const bare = await request(server, 'POST', '/')
  assert.deepEqual([bare.status, bare.body], [404, '<UnknownOperationException/>\n'])
  const nothing = await request(server, 'POST', '/', { headers: base, body: '{}' })
  assert.deepEqual([nothing.status, nothing.json.__type], [400, 'com.amazon.coral.service#UnknownOperationException'])
  const unknown = await call(server, 'PutBanana')
  assert.deepEqual([unknown.status, unknown.json.__type], [400, 'com.amazon.coral.service#UnknownOperationException'])
  for (const body of ['', '{', '[]', '"x"', 'null', '{"TableName":"abc"} x', '{"a":\u0001}']) {
    const answer = await call(server, 'DescribeTable', body)
    assert.deepEqual([answer.status, answer.json.__type], [400, 'com.amazon.coral.service#SerializationException'], body)
    assert.equal(answer.json.Message, ['[]', '"x"', 'null'].includes(body) ? 'Unexpected token received from parser' : undefined, body)
  }
})

test('pages: CORS for loopback, nothing for others while the keys are the known ones', async (t) => {
  const server = await start(t)
  const preflight = await request(server, 'OPTIONS', '/', { headers: { origin: 'http://localhost:3000', 'access-control-request-headers': 'x-amz-target,authorization' } })
  assert.equal(preflight.status, 200)
  assert.equal(preflight.headers['access-control-allow-origin'], '*')
  assert.equal(preflight.headers['access-control-allow-headers'], 'x-amz-target,authorization')
  const local = await call(server, 'ListTables', {}, { headers: { origin: 'http://localhost:3000' } })
  assert.deepEqual([local.status, local.headers['access-control-allow-origin']], [200, '*'])
  for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null']) {
    const answer = await call(server, 'ListTables', {}, { headers: { origin } })
    assert.equal(answer.status, 403, origin)
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
    assert.equal((await request(server, 'OPTIONS', '/', { headers: { origin } })).status, 403)
  }
})
