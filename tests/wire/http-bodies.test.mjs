// Bodies: chunked, announced with Expect, compressed; requests pipelined on one connection are answered in order.
import test from 'node:test'
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { open } from './lib/raw.mjs'

const head = (lines) => `POST /echo/@broadcast HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`

test('a chunked body, byte by byte', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const raw = await open(server)
  raw.socket.setNoDelay(true)
  for (const byte of `${head(['Transfer-Encoding: chunked', 'Connection: close'])}5;name=value\r\nhello\r\n7\r\n, world\r\n0\r\nX-Trailer: y\r\n\r\n`) raw.write(byte)
  await raw.closed()
  assert.match(raw.text(), /^HTTP\/1\.1 200 [^]*\{"delivered":1,"dropped":0,"gone":0\}$/)
  assert.equal(await client.text(), 'hello, world')
  await client.close(1000)
  await quiet(server)
})

test('Expect: 100-continue', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const raw = await open(server)
  raw.write(head(['Content-Length: 5', 'Expect: 100-continue', 'Connection: close']))
  await raw.expect(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
  raw.write('hello')
  await raw.closed()
  assert.match(raw.text(), /HTTP\/1\.1 200 /)
  assert.equal(await client.text(), 'hello')
  const large = await open(server)
  large.write(head(['Content-Length: 999999999', 'Expect: 100-continue']))
  await large.closed()
  assert.match(large.text(), /^HTTP\/1\.1 413 /)
  await client.close(1000)
  await quiet(server)
})

test('a gzip body, and one that is none', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const text = JSON.stringify({ story: 'once upon a time '.repeat(1000) })
  const sent = await request(server, 'POST', '/echo/@broadcast', { headers: { 'content-encoding': 'gzip' }, body: gzipSync(text) })
  assert.equal(sent.status, 200)
  assert.equal(await client.text(), text)
  assert.equal((await request(server, 'POST', '/echo/@broadcast', { headers: { 'content-encoding': 'gzip' }, body: 'not gzip at all' })).status, 400)
  assert.equal((await request(server, 'POST', '/echo/@broadcast', { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(64 << 20)) })).status, 413)
  await client.close(1000)
  await quiet(server)
})

test('pipelined requests are answered in order', async (t) => {
  const server = await start(t, { threads: 2 })
  const raw = await open(server)
  const get = (path, last) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
  // Each second one is answered by both io threads, so it takes longer than the one behind it.
  raw.write(Array.from({ length: 20 }, (_, i) => get(i % 2 ? '/healthz' : '/echo/@connections', i === 19)).join(''))
  await raw.closed()
  const bodies = raw.text().split(/HTTP\/1\.1 200 [^]*?\r\n\r\n/).slice(1)
  assert.equal(bodies.length, 20)
  bodies.forEach((body, i) => assert.match(body, i % 2 ? /"status":"ok"/ : /^\{"count":0,"connections":\[\]\}/))
  await quiet(server)
})

test('HEAD has no body, HTTP/1.0 closes', async (t) => {
  const server = await start(t)
  const raw = await open(server)
  raw.write('HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  await raw.closed()
  assert.match(raw.text(), /^HTTP\/1\.1 200 [^]*\r\nContent-Length: [1-9]\d*\r\n/i)
  assert.match(raw.text(), /\r\n\r\n$/)
  const old = await open(server)
  old.write('GET /healthz HTTP/1.0\r\n\r\n')
  await old.closed()
  assert.match(old.text(), /^HTTP\/1\.[01] 200 /)
  await quiet(server)
})
