// The opening handshake of RFC 6455: what is asked wrongly is refused, what is asked rightly gets the RFC's own accept key.
// CL-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { exchange, upgrade } from './lib/raw.mjs'

const head = (lines) => `GET /echo HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
const right = ['Upgrade: websocket', 'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13']
const without = (name) => right.filter((line) => !line.startsWith(name))

test('the accept key of RFC 6455 1.3', async (t) => {
  const server = await start(t)
  const raw = await upgrade(server, '/echo')
  assert.match(raw.head, /^HTTP\/1\.1 101 /)
  assert.match(raw.head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i)
  assert.doesNotMatch(raw.head, /Sec-WebSocket-Extensions/i)
  assert.doesNotMatch(raw.head, /Sec-WebSocket-Protocol/i)
  raw.close()
  await quiet(server)
})

test('a handshake that is not well formed gets its 4xx', async (t) => {
  const server = await start(t)
  const wrong = [
    [[...without('Sec-WebSocket-Version'), 'Sec-WebSocket-Version: 8', 'Connection: close'], /^HTTP\/1\.1 426 [^]*Sec-WebSocket-Version: 13/i],
    [[...without('Sec-WebSocket-Key'), 'Connection: close'], /^HTTP\/1\.1 400 /],
    [[...without('Sec-WebSocket-Key'), 'Sec-WebSocket-Key: short', 'Connection: close'], /^HTTP\/1\.1 400 /],
    [[...without('Upgrade'), 'Connection: close'], /^HTTP\/1\.1 403 /],
  ]
  for (const [lines, expected] of wrong) assert.match(await exchange(server, head(lines)), expected, lines.join(', '))
  await quiet(server)
})
