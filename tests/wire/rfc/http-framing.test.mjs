// RFC 9112: where a request begins and ends. What two readers could read in two ways gets one refusal and the end of the connection, so that
// nothing that was smuggled behind it is ever read as a request. What is unusual but has one meaning only is served.
import test from 'node:test'
import assert from 'node:assert/strict'
import { TEXT, serve } from './lib.mjs'

const server = serve()
const BEHIND = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const post = (fields, body = '') => `POST /echo/@broadcast HTTP/1.1\r\nHost: localhost\r\n${fields.map((one) => `${one}\r\n`).join('')}\r\n${body}`
const get = (fields = [], target = '/healthz') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${fields.map((one) => `${one}\r\n`).join('')}\r\n`

const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))

/** One answer with a status of these, then the end; whole and octet by octet. */
async function refused(bytes, what, allowed = [400]) {
  for (const chopped of [false, true]) {
    const line = await server.line()
    if (chopped && bytes.length < 300) line.chop(Buffer.from(bytes, 'latin1'))
    else line.write(Buffer.from(bytes, 'latin1'))
    const text = (await line.finish()).toString('latin1')
    const all = statuses(text)
    assert.equal(all.length, 1, `${what}: one answer: ${text}`)
    assert.ok(allowed.includes(all[0]), `${what}: ${text}`)
    assert.match(text, /\r\nConnection: close\r\n/i, what)
  }
}

test('two ways to tell the length', async () => {
  await refused(post(['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${BEHIND}`), 'CL.TE')
  await refused(post(['Transfer-Encoding: chunked', 'Content-Length: 5'], `0\r\n\r\n${BEHIND}`), 'TE.CL')
  await refused(post(['Content-Length: 0', 'Transfer-Encoding: chunked'], `0\r\n\r\n${BEHIND}`), 'CL.0')
  await refused(post(['Content-Length: 0', 'Content-Length: 62'], BEHIND), 'CL.CL')
  await refused(post(['Content-Length: 0', 'content-length: 0'], BEHIND), 'twice the same')
  await refused(post(['Content-Length: 0, 0'], BEHIND), 'a list')
  await refused(post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], `0\r\n\r\n${BEHIND}`), 'TE.TE')
  await refused(post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${BEHIND}`), 'TE.TE', [400, 501])
})

test('lengths that are no numbers', async () => {
  for (const length of ['', '+0', '-0', '-1', '0x0', '00x', '1e1', '0.0', '0 0', '0;', '0,', '"0"', '٠', 'five', '9223372036854775808', '18446744073709551616', '99999999999999999999999999'])
    await refused(post([`Content-Length: ${Buffer.from(length).toString('latin1')}`], BEHIND), `length ${length}`)
  await refused(post(['Content-Length: 9223372036854775807'], BEHIND), 'the largest', [413])
})

test('transfer codings', async () => {
  for (const coding of ['gzip', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'identity', 'chunked, identity', 'xchunked', 'chunkedx', 'x', '', 'chunked;q=1', '"chunked"', 'chunked ,', ', chunked', 'chun ked', 'chunked\x0b', '\x0bchunked', 'chunked\x00', 'chunked\xa0'])
    await refused(post([`Transfer-Encoding: ${coding}`], `0\r\n\r\n${BEHIND}`), `coding ${coding}`, [400, 501])
  await refused(`POST /echo/@broadcast HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${BEHIND}`, 'HTTP/1.0')
})

test('spaces, folds and lines around a field', async () => {
  const fields = {
    'a space before the colon': 'Content-Length : 0',
    'a tab before the colon': 'Transfer-Encoding\t: chunked',
    'a fold': 'Transfer-Encoding:\r\n chunked',
    'a fold by a tab': 'X: a\r\n\tb',
    'a fold of spaces': 'X: a\r\n ',
    'no colon': 'Transfer-Encoding chunked',
    'no name': ': x',
    'a quoted name': '"Transfer-Encoding": chunked',
    'brackets in a name': 'Content[Length]: 0',
    'a slash in a name': 'Content/Length: 0',
    'an octet above ASCII in a name': 'Content\xadLength: 0',
    'NUL in a name': 'Content\x00-Length: 0',
    'NUL in a value': 'X: a\x00b',
    'a control character in a value': 'X: a\x07b',
    'DEL in a value': 'X: a\x7fb',
    'a bare CR in a value': 'X: a\rTransfer-Encoding: chunked',
    'a CR before CRLF': 'X: a\r',
    'a bare LF in a value': 'X: a\nTransfer-Encoding: chunked',
    'a bare LF at the end': 'X: a\nY: b',
  }
  for (const [what, one] of Object.entries(fields)) await refused(post(['Content-Length: 0', one].filter((line) => !/content.length ?:/i.test(one) || line === one), BEHIND), what)
  await refused(`GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n${BEHIND}`, 'a fold behind the request line')
  await refused(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n${BEHIND}`, 'a bare LF as the blank line')
  await refused(`GET /healthz HTTP/1.1\nHost: localhost\n\n${BEHIND}`, 'bare LFs')
  await refused(`GET /healthz HTTP/1.1\rHost: localhost\r\r${BEHIND}`, 'bare CRs')
  await refused(`GET /healthz HTTP/1.1\n\rHost: localhost\n\r\n\r${BEHIND}`, 'LF CR')
})

test('request lines', async () => {
  for (const start of ['GET', 'GET /healthz', 'GET  /healthz HTTP/1.1', 'GET /healthz  HTTP/1.1', 'GET /healthz HTTP/1.1 ', ' GET /healthz HTTP/1.1', 'GET\t/healthz HTTP/1.1', 'GET /healthz\tHTTP/1.1', 'GET /heal thz HTTP/1.1', 'G\x00T /healthz HTTP/1.1', 'G(T /healthz HTTP/1.1', 'GÄT /healthz HTTP/1.1', 'GET /heal\x00thz HTTP/1.1', 'GET /heal\x7fthz HTTP/1.1', 'GET /h\xe4lthz HTTP/1.1', 'GET /healthz#fragment HTTP/1.1', 'GET healthz HTTP/1.1', 'GET \\healthz HTTP/1.1', 'GET * HTTP/1.1', 'GET http:// HTTP/1.1', 'GET http:///healthz HTTP/1.1', 'GET file:///healthz HTTP/1.1', 'GET http://user@localhost/healthz HTTP/1.1', 'CONNECT localhost:80 HTTP/1.1', 'GET /healthz HTTP/1', 'GET /healthz HTTP/1.', 'GET /healthz HTTP/1.1x', 'GET /healthz HTTP/1.10', 'GET /healthz HTTP/01.1', 'GET /healthz http/1.1', 'GET /healthz HTTP /1.1', 'GET /healthz HTTP/x.1', 'GET /healthz XTTP/1.1', `${'M'.repeat(33)} /healthz HTTP/1.1`])
    await refused(`${start}\r\nHost: localhost\r\n\r\n${BEHIND}`, start)
  for (const version of ['HTTP/0.9', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/9.9']) await refused(`GET /healthz ${version}\r\nHost: localhost\r\n\r\n${BEHIND}`, version, [505])
})

test('the host', async () => {
  await refused(`GET /healthz HTTP/1.1\r\n\r\n${BEHIND}`, 'none')
  await refused(`GET http://localhost/healthz HTTP/1.1\r\n\r\n${BEHIND}`, 'none, with an absolute target')
  await refused(`GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n${BEHIND}`, 'two')
  for (const host of ['a b', 'a, b', 'a/b', 'a@b', 'a:b', 'a:1:2', 'a\\b', '[::1', '::1', 'a?b', 'a#b', '<a>', 'a:99999999']) await refused(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n${BEHIND}`, `host ${host}`)
})

test('chunks that are none', async () => {
  const chunks = {
    'no size': '\r\nhello\r\n0\r\n\r\n',
    'a sign': '+5\r\nhello\r\n0\r\n\r\n',
    'minus': '-5\r\nhello\r\n0\r\n\r\n',
    'a prefix': '0x5\r\nhello\r\n0\r\n\r\n',
    'a letter behind': '5x\r\nhello\r\n0\r\n\r\n',
    'a space before': ' 5\r\nhello\r\n0\r\n\r\n',
    'a space behind': '5 \r\nhello\r\n0\r\n\r\n',
    'an underscore': '0_5\r\nhello\r\n0\r\n\r\n',
    'a size of 16 digits': '0000000000000005\r\nhello\r\n0\r\n\r\n',
    'a size that overflows': 'ffffffffffffffff1\r\nhello',
    'a size that wraps to 5': '10000000000000005\r\nhello\r\n0\r\n\r\n',
    'a bare LF behind the size': '5\nhello\r\n0\r\n\r\n',
    'a bare CR behind the size': '5\rhello\r\n0\r\n\r\n',
    'a bare LF in an extension': '5;a\nhello\r\n0\r\n\r\n',
    'a bare LF behind the chunk': '5\r\nhello\n0\r\n\r\n',
    'no end of the chunk': '5\r\nhello0\r\n\r\n',
    'another octet for the CR behind the chunk': '5\r\nhelloX\n0\r\n\r\n',
    'another octet for the LF behind the chunk': '5\r\nhello\rX0\r\n\r\n',
    'another octet for the LF at the end': '0\r\n\rX',
    'a chunk too long': '5\r\nhello!\r\n0\r\n\r\n',
    'a chunk too short': '6\r\nhello\r\n0\r\n\r\n',
    'a bare LF at the end': '0\n\n',
    'a bare LF as the blank line': '0\r\n\n',
    'a NUL in an extension': '5;a\x00\r\nhello\r\n0\r\n\r\n',
    'a trailer without a colon': '0\r\ntrailer\r\n\r\n',
    'a trailer without a name': '0\r\n: x\r\n\r\n',
    'a folded trailer': '0\r\nX: a\r\n b\r\n\r\n',
    'a trailer ended by LF': '0\r\nX: a\n\r\n',
    'an endless extension': `5;${'a'.repeat(2000)}\r\nhello\r\n0\r\n\r\n`,
  }
  for (const [what, body] of Object.entries(chunks)) await refused(post(['Transfer-Encoding: chunked'], body + BEHIND), what)
  await refused(post(['Transfer-Encoding: chunked'], `0\r\n${'X: y\r\n'.repeat(3000)}\r\n${BEHIND}`), 'endless trailers', [431])
  await refused(post(['Transfer-Encoding: chunked'], `fffffff\r\n${'x'.repeat(17 << 20)}`), 'too much', [413])
})

test('bodies that have one meaning: what was sent is what arrives', async () => {
  const peer = await server.open()
  const bodies = {
    'a length': post(['Content-Length: 5'], 'hello'),
    'a length with zeros': post(['Content-Length: 0000005'], 'hello'),
    'a length with spaces around': post(['Content-Length:   5\t '], 'hello'),
    'a name in capitals': post(['CONTENT-LENGTH: 5'], 'hello'),
    'one chunk': post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
    'a coding in capitals': post(['transfer-ENCODING:CHUNKED'], '5\r\nhello\r\n0\r\n\r\n'),
    'many chunks': post(['Transfer-Encoding: chunked'], '1\r\nh\r\n1\r\ne\r\n0003\r\nllo\r\n000\r\n\r\n'),
    'extensions': post(['Transfer-Encoding: chunked'], '2;a\r\nhe\r\n1;a=b;c="d e;f"\r\nl\r\n2;\r\nlo\r\n0;last\r\n\r\n'),
    'trailers': post(['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\nX-One: a\r\nContent-Length: 7\r\nTransfer-Encoding: gzip\r\nHost: elsewhere\r\n\r\n'),
    'an empty chunked one before it': `${post(['Transfer-Encoding: chunked'], '0\r\n\r\n')}${post(['Content-Length: 5'], 'hello')}`,
    'a length under another name': post(['Content-Length: 5', 'Content_Length: 3', 'X-Content-Length: 3', 'Transfer_Encoding: chunked'], 'hello'),
  }
  for (const [what, bytes] of Object.entries(bodies))
    for (const chopped of [false, true]) {
      const line = await server.line()
      if (chopped) line.chop(Buffer.from(bytes + BEHIND))
      else line.write(bytes + BEHIND)
      const text = (await line.finish()).toString()
      assert.deepEqual(statuses(text), what.startsWith('an empty') ? [200, 200, 200] : [200, 200], `${what}: ${text}`)
      if (what.startsWith('an empty')) await peer.expect(TEXT, '')
      await peer.expect(TEXT, 'hello', what)
    }
  const hexadecimal = 'x'.repeat(0xabc)
  const line = await server.line()
  line.write(post(['Transfer-Encoding: chunked'], `aBc\r\n${hexadecimal}\r\n0\r\n\r\n${BEHIND}`))
  await line.finish()
  await peer.expect(TEXT, hexadecimal)
  await peer.leave()
})

test('a body that looks like a request is a body', async () => {
  const peer = await server.open()
  const inner = 'DELETE /echo HTTP/1.1\r\nHost: localhost\r\n\r\n'
  assert.deepEqual(statuses(await server.exchange(post([`Content-Length: ${inner.length}`], inner + BEHIND))), [200, 200])
  await peer.expect(TEXT, inner)
  assert.deepEqual(statuses(await server.exchange(get([`Content-Length: ${inner.length}`]) + inner + BEHIND)), [200, 200], 'a GET with a body')
  assert.deepEqual(statuses(await server.exchange(`${get(['Transfer-Encoding: chunked'])}${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n${BEHIND}`)), [200, 200], 'a GET with chunks')
  await peer.leave()
})

test('empty lines before a request', async () => {
  assert.deepEqual(statuses(await server.exchange(`\r\n${BEHIND}`)), [200])
  assert.deepEqual(statuses(await server.exchange(`${get()}\r\n\r\n${BEHIND}`)), [200, 200])
  assert.deepEqual(statuses(await server.exchange(`${post(['Content-Length: 5'], 'hello')}\r\n${BEHIND}`)), [200, 200])
  await refused(`\r\n\r\n\r\n\r\n\r\n\r\n\r\n${BEHIND}`, 'too many')
})

test('too much of everything', async () => {
  assert.deepEqual(statuses(await server.exchange(get(['Connection: close'], `/healthz?${'x'.repeat(8000)}`))), [200])
  await refused(get([], `/healthz?${'x'.repeat(8200)}`), 'a long target', [414])
  await refused(`GET /${'x'.repeat(100000)}`, 'an endless target', [414])
  assert.deepEqual(statuses(await server.exchange(get(['Connection: close', ...Array.from({ length: 90 }, (_, i) => `X-${i}: y`)]))), [200])
  await refused(get(Array.from({ length: 97 }, (_, i) => `X-${i}: y`)), 'many fields', [431])
  await refused(get([`X: ${'y'.repeat(33000)}`]), 'a long field', [431])
  await refused(`GET /healthz HTTP/1.1\r\nHost: localhost\r\n${'X-Field: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(2000)}`, 'endless fields', [431])
  await refused(post(['Content-Length: 16777217']), 'a body above 16 MiB, not sent', [413])
  await refused('x'.repeat(100000), 'an endless method')
})
