// RFC 9112 9 and RFC 9110: one connection and many requests, the order of their answers, how long it stays, HEAD, Expect, absolute targets.
import test from 'node:test'
import assert from 'node:assert/strict'
import { TEXT, field, serve, until } from './lib.mjs'

const server = serve({ threads: 2 }) // some answers then wait for the other thread, so what was pipelined behind them has to wait too
const request = (target, fields = {}, { method = 'GET', version = 'HTTP/1.1', body = '' } = {}) =>
  `${method} ${target} ${version}\r\n${Object.entries({ Host: server.host, ...fields }).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`

async function ask(line, bytes, options) {
  await line.write(bytes)
  return line.response(options)
}

test('a connection stays open for many requests', async () => {
  const line = await server.line()
  for (let i = 0; i < 50; i++) {
    const answer = await ask(line, request('/healthz'))
    assert.equal(answer.status, 200)
    assert.notEqual(field(answer.head, 'connection'), 'close')
    assert.match(field(answer.head, 'date'), /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
  }
  const last = await ask(line, request('/healthz', { Connection: 'close' }))
  assert.equal(field(last.head, 'connection'), 'close')
  assert.equal((await line.finish()).length, 0)
})

test('pipelined requests are answered in order, and none behind close', async () => {
  const line = await server.line()
  const kinds = [['/healthz', 200], ['/nothing-here', 403], ['/metrics', 200], ['/echo/@connections', 200], ['/echo/@connections/none', 400]]
  const all = Array.from({ length: 100 }, (_, i) => kinds[i % kinds.length])
  await line.write(all.map(([target]) => request(target)).join(''))
  for (const [target, status] of all) {
    const answer = await line.response()
    assert.equal(answer.status, status, `${target}: ${answer.body}`)
    if (target === '/healthz') assert.match(answer.body, /"status":"ok"/)
    if (target === '/metrics') assert.match(answer.body, /weir_ws_connections/)
  }
  await line.write(request('/healthz') + request('/healthz', { Connection: 'close' }) + request('/metrics') + request('/metrics'))
  assert.equal((await line.response()).status, 200)
  assert.equal(field((await line.response()).head, 'connection'), 'close')
  assert.equal((await line.finish()).length, 0)
})

test('pipelined bodies keep their order', async () => {
  const peer = await server.open()
  const line = await server.line()
  const many = 100
  line.write(Array.from({ length: many }, (_, i) => (i % 2 ? request('/echo/@broadcast', { 'Content-Length': String(i).length }, { method: 'POST', body: String(i) }) : request('/echo/@broadcast', { 'Transfer-Encoding': 'chunked' }, { method: 'POST', body: `${String(i).length}\r\n${i}\r\n0\r\n\r\n` }))).join(''))
  for (let i = 0; i < many; i++) assert.equal((await line.response()).status, 200)
  for (let i = 0; i < many; i++) await peer.expect(TEXT, String(i))
  line.socket.end()
  await line.finish()
  await peer.leave()
})

test('a client that does not read its answers is not read either', async () => {
  const line = await server.line()
  line.socket.pause()
  const many = 3000 // answers of some kilobytes each: more than the sockets take
  const sending = line.write(request('/metrics').repeat(many))
  assert.equal((await (async () => {
    const other = await server.line()
    const answer = await ask(other, request('/healthz', { Connection: 'close' }))
    await other.finish()
    return answer
  })()).status, 200)
  assert.ok((await server.counter('net_queue_bytes')) < 1 << 20)
  line.socket.resume()
  for (let i = 0; i < many; i++) assert.equal((await line.response()).status, 200)
  await sending
  line.socket.end()
  await line.finish()
})

test('the end of the requests is not the end of the answers', async () => {
  const line = await server.line()
  line.socket.end(request('/healthz') + request('/metrics'))
  assert.equal((await line.response()).status, 200)
  assert.equal((await line.response()).status, 200)
  await line.finish()
})

test('Connection in every spelling', async () => {
  for (const value of ['close', 'Close', 'CLOSE', 'keep-alive, close', 'x, close , y']) {
    const line = await server.line()
    assert.equal(field((await ask(line, request('/healthz', { Connection: value }))).head, 'connection'), 'close', value)
    await line.finish()
  }
  for (const value of ['keep-alive', 'Keep-Alive', 'x', 'closed', '']) {
    const line = await server.line()
    for (let i = 0; i < 2; i++) assert.equal((await ask(line, request('/healthz', { Connection: value }))).status, 200, value)
    line.socket.end()
    await line.finish()
  }
})

test('HTTP/1.0 closes unless it asks to stay, needs no host, and gets no chunks', async () => {
  const line = await server.line()
  const answer = await ask(line, request('/healthz', { Host: undefined }, { version: 'HTTP/1.0' }))
  assert.equal(answer.status, 200)
  assert.equal(field(answer.head, 'transfer-encoding'), undefined)
  await line.finish()
  const kept = await server.line()
  for (let i = 0; i < 3; i++) {
    const again = await ask(kept, request('/healthz', { Connection: 'keep-alive' }, { version: 'HTTP/1.0' }))
    assert.equal(again.status, 200)
    assert.equal(field(again.head, 'connection')?.toLowerCase(), 'keep-alive')
  }
  kept.socket.end()
  await kept.finish()
})

test('a later minor version is answered as 1.1', async () => {
  const line = await server.line()
  assert.equal((await ask(line, request('/healthz', { Connection: 'close' }, { version: 'HTTP/1.2' }))).status, 200)
  await line.finish()
})

test('HEAD has the fields of GET and no body', async () => {
  const line = await server.line()
  const full = await ask(line, request('/healthz'))
  const bare = await ask(line, request('/healthz', {}, { method: 'HEAD' }), { head: true })
  assert.equal(bare.status, 200)
  assert.equal(field(bare.head, 'content-length'), String(full.body.length))
  const missing = await ask(line, request('/nothing-here', {}, { method: 'HEAD' }), { head: true })
  assert.ok(missing.status >= 400)
  assert.equal((await ask(line, request('/healthz', { Connection: 'close' }))).status, 200) // and the next answer begins where it should
  await line.finish()
})

test('a HEAD that is refused has no body either', async () => {
  const bad = [
    `HEAD /healthz HTTP/1.1\r\n\r\n`,
    `HEAD /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
    `HEAD /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `HEAD /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n`,
    `HEAD /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    server.handshake({ method: 'HEAD' }),
  ]
  for (const bytes of bad) assert.match(await server.exchange(bytes), /^HTTP\/1\.1 4\d\d [^]*?\r\n\r\n$/, bytes.slice(0, 80))
  // The refusal of what comes next has one.
  const text = await server.exchange(`${request('/healthz', {}, { method: 'HEAD' })}nonsense\r\n\r\n`)
  assert.match(text, /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 [^]*\r\n\r\n\{/)
})

test('Expect: 100-continue', async () => {
  const peer = await server.open()
  const line = await server.line()
  const post = (fields) => request('/echo/@broadcast', fields, { method: 'POST' })
  for (const value of ['100-continue', '100-Continue']) {
    await line.write(post({ 'Content-Length': 5, Expect: value }))
    assert.equal((await line.response()).status, 100)
    await line.write('hello')
    assert.equal((await line.response()).status, 200)
    await peer.expect(TEXT, 'hello')
    await line.write(post({ 'Transfer-Encoding': 'chunked', Expect: value }))
    assert.equal((await line.response()).status, 100)
    await line.write('5\r\nhello\r\n0\r\n\r\n')
    assert.equal((await line.response()).status, 200)
    await peer.expect(TEXT, 'hello')
  }
  // The body is there already, or there is none: no 100.
  await line.write(`${post({ 'Content-Length': 5, Expect: '100-continue' })}hello`)
  assert.equal((await line.response()).status, 200)
  await peer.expect(TEXT, 'hello')
  await line.write(request('/healthz', { Expect: '100-continue' }))
  assert.equal((await line.response()).status, 200)
  line.socket.end()
  await line.finish()
  // HTTP/1.0 does not know it.
  const old = await server.line()
  await old.write(request('/echo/@broadcast', { 'Content-Length': 5, Expect: '100-continue' }, { method: 'POST', version: 'HTTP/1.0' }))
  await until('the head is read', async () => (await server.counter('net_buffers')) > 0)
  await old.write('hello')
  assert.equal((await old.response()).status, 200)
  await old.finish()
  await peer.expect(TEXT, 'hello')
  // A body that would be refused is not asked for.
  const large = await server.line()
  await large.write(post({ 'Content-Length': 999999999, Expect: '100-continue' }))
  assert.equal((await large.response()).status, 413)
  await large.finish()
  await peer.leave()
})

test('absolute targets', async () => {
  const line = await server.line()
  for (const target of [`http://${server.host}/healthz`, `HTTP://${server.host}/healthz`, `http://${server.host}/healthz?x=y`, `http://localhost:${server.port}/healthz`])
    assert.equal((await ask(line, request(target))).status, 200, target)
  // RFC 9112 3.2.2: the target's host stands, whatever the field says.
  assert.equal((await ask(line, request(`http://${server.host}/healthz`, { Host: 'elsewhere.example' }))).status, 200)
  assert.ok((await ask(line, request(`http://${server.host}`))).status < 500)
  line.socket.end()
  await line.finish()
})

test('methods that nobody knows, and OPTIONS *', async () => {
  const line = await server.line()
  for (const method of ['BREW', 'get', 'PROPFIND', 'M-SEARCH', 'TRACE']) {
    const { status } = await ask(line, request('/echo/@connections', {}, { method }))
    assert.ok(status >= 400 && status < 600, `${method}: ${status}`)
  }
  assert.ok((await ask(line, request('*', {}, { method: 'OPTIONS' }))).status < 600)
  assert.equal((await ask(line, request('/healthz'))).status, 200) // and nothing of them is left
  line.socket.end()
  await line.finish()
})

test('an end in the middle of a request ends the connection without an answer', async () => {
  for (const bytes of ['', 'G', 'GET /healthz HTTP/1.1\r\n', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r', request('/echo/@broadcast', { 'Content-Length': 5 }, { method: 'POST', body: 'hell' }), request('/echo/@broadcast', { 'Transfer-Encoding': 'chunked' }, { method: 'POST', body: '5\r\nhello\r\n0\r\n' })]) {
    const line = await server.line()
    line.socket.end(bytes)
    assert.equal((await line.finish()).length, 0, JSON.stringify(bytes))
  }
})
