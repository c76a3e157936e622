// A request that two readers could read in two ways is refused, and nothing behind it on the connection is read.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { exchange, open } from './lib/raw.mjs'

const post = (lines, body = '') => `POST /echo/@broadcast HTTP/1.1\r\nHost: localhost\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`
const behind = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

const refused = {
  'both lengths': post(['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${behind}`),
  'two lengths': post(['Content-Length: 0', 'Content-Length: 58'], behind),
  'the same length twice': post(['Content-Length: 0', 'Content-Length: 0'], behind),
  'a list of lengths': post(['Content-Length: 0, 0'], behind),
  'a signed length': post(['Content-Length: +0'], behind),
  'a hexadecimal length': post(['Content-Length: 0x0'], behind),
  'a folded line': post(['Content-Length: 0', 'X: a', ' b'], behind),
  'a space before the colon': post(['Content-Length : 0'], behind),
  'a bare line feed': `GET /healthz HTTP/1.1\nHost: localhost\n\n${behind}`,
  'no host': `GET /healthz HTTP/1.1\r\n\r\n${behind}`,
  'two hosts': `GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${behind}`,
  'a control character': `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n${behind}`,
  'a broken chunk size': post(['Transfer-Encoding: chunked'], `5x\r\nhello\r\n0\r\n\r\n${behind}`),
  'a chunk without its end': post(['Transfer-Encoding: chunked'], `5\r\nhelloX\r\n0\r\n\r\n${behind}`),
  'a chunk size that overflows': post(['Transfer-Encoding: chunked'], `ffffffffffffffff1\r\n${behind}`),
}

test('what can be read in two ways is refused with 400 and the end', async (t) => {
  const server = await start(t)
  for (const [what, bytes] of Object.entries(refused)) {
    const answer = await exchange(server, bytes)
    assert.match(answer, /^HTTP\/1\.1 400 /, what)
    assert.equal(answer.match(/HTTP\/1\.1 /g).length, 1, `${what}: one answer`)
  }
  for (const coding of ['gzip, chunked', 'chunked, chunked', 'chunked, gzip', 'identity', 'xchunked', 'chunked;q=1']) {
    const answer = await exchange(server, post([`Transfer-Encoding: ${coding}`], `0\r\n\r\n${behind}`))
    assert.match(answer, /^HTTP\/1\.1 (400|501) /, coding)
    assert.equal(answer.match(/HTTP\/1\.1 /g).length, 1, `${coding}: one answer`)
  }
  assert.match(await exchange(server, 'GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n'), /^HTTP\/1\.1 (400|505) /)
  assert.match(await exchange(server, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
  await quiet(server)
})

test('too much is refused by its own status', async (t) => {
  const server = await start(t)
  assert.match(await exchange(server, `GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`), /^HTTP\/1\.1 414 /)
  const many = Array.from({ length: 120 }, (_, i) => `X-${i}: y\r\n`).join('')
  assert.match(await exchange(server, `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${many}\r\n`), /^HTTP\/1\.1 431 /)
  assert.match(await exchange(server, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(40000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  assert.match(await exchange(server, post(['Content-Length: 999999999999'])), /^HTTP\/1\.1 413 /)
  await quiet(server)
})

test('a head that never ends is cut by the clock', async (t) => {
  const server = await start(t)
  const head = 'GET /healthz HTTP/1.1\r\nHost: loc'
  const read = async () => (await server.counters()).net_bytes_in
  const first = await read()
  const question = (await read()) - first // bytes that asking takes
  let last = first + question
  const slow = await open(server)
  slow.write(head)
  // The bytes must be there before time goes on, else it is only a connection that says nothing.
  await until('the bytes are read', async () => {
    const now = await read()
    const more = now - last - question
    last = now
    return more === head.length
  })
  await server.advance(11000)
  await slow.closed()
  assert.match(slow.text(), /^HTTP\/1\.1 408 /)
  await quiet(server)
})
