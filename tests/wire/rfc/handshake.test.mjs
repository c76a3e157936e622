// RFC 6455 4: what a handshake must have, what may vary in it, and what refuses it.
// CL-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { PING, PONG, TEXT, acceptOf, field, frame, serve } from './lib.mjs'

const server = serve()

/** The head of the answer. A refused handshake must end the connection. */
async function shake(options, behind = '') {
  const line = await server.line()
  await line.write(Buffer.concat([Buffer.from(server.handshake(options), 'latin1'), Buffer.from(behind)]))
  const answer = await line.response()
  if (answer.status === 101) {
    await line.write(frame(8))
    await line.finish()
  } else if (field(answer.head, 'connection') === 'close') {
    assert.equal((await line.finish()).length, 0)
  } else {
    line.socket.destroy()
  }
  return answer
}

const accepted = async (headers, what) => assert.equal((await shake({ headers })).status, 101, what)
const refused = async (options, status, what) => {
  const answer = await shake(options)
  assert.ok(status.includes(answer.status), `${what}: ${answer.head}`)
  return answer
}

test('the accept value', async () => {
  for (const key of ['dGhlIHNhbXBsZSBub25jZQ==', 'x3JJHMbDL1EzLkh9GBhXDw==', 'AAAAAAAAAAAAAAAAAAAAAA==', '/////////////////////w==', '++++++++++++++++++++++++'.slice(0, 21) + 'g==']) {
    const { status, head } = await shake({ headers: { 'Sec-WebSocket-Key': key } })
    assert.equal(status, 101, key)
    assert.equal(field(head, 'sec-websocket-accept'), acceptOf(key))
    assert.match(field(head, 'upgrade'), /^websocket$/i)
    assert.match(field(head, 'connection'), /^upgrade$/i)
    assert.equal(field(head, 'sec-websocket-extensions'), undefined)
    assert.equal(field(head, 'sec-websocket-protocol'), undefined)
  }
  // 1.3: the document's own example.
  assert.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

test('names, tokens and lists in any case and spelling', async () => {
  await accepted({ Upgrade: 'WebSocket' })
  await accepted({ Upgrade: 'WEBSOCKET', Connection: 'UPGRADE' })
  await accepted({ Connection: 'keep-alive, Upgrade' })
  await accepted({ Connection: 'Upgrade, keep-alive' })
  await accepted({ Connection: 'keep-alive  ,\tupgrade ,' })
  await accepted({ Connection: ['keep-alive', 'Upgrade'] }, 'two fields')
  await accepted({ Upgrade: 'h2c, websocket' })
  await accepted({ Upgrade: ['h2c', 'websocket'] }, 'two fields')
  await accepted({ Upgrade: '  websocket\t ' }, 'spaces around')
  await accepted({ 'Sec-WebSocket-Version': ' 13 ' })
  await accepted({ 'Content-Length': '0' }, 'an empty body is none')
  const bytes = server.handshake().replace(/^(?!GET)[^\r\n:]+:/gm, (name) => name.toUpperCase())
  assert.match(bytes, /SEC-WEBSOCKET-KEY:/)
  assert.match(await server.exchange(Buffer.concat([Buffer.from(bytes), frame(8)])), /^HTTP\/1\.1 101 /)
  assert.match(await server.exchange(Buffer.concat([Buffer.from(bytes.toLowerCase().replace('get /echo http', 'GET /echo HTTP').replace(/key: .*/, 'key: dGhlIHNhbXBsZSBub25jZQ==')), frame(8)])), /^HTTP\/1\.1 101 /)
  assert.match(await server.exchange(Buffer.concat([Buffer.from(server.handshake().replaceAll(': ', ':')), frame(8)])), /^HTTP\/1\.1 101 /)
})

test('the target: query, absolute form', async () => {
  assert.equal((await shake({ target: '/echo?a=b&c=%20' })).status, 101)
  assert.equal((await shake({ target: '/echo?' })).status, 101)
  assert.equal((await shake({ target: `http://${server.host}/echo` })).status, 101)
  assert.equal((await shake({ target: `ws://${server.host}/echo?x` })).status, 101)
})

test('other versions get 426 and the one that is spoken', async () => {
  for (const version of ['0', '4', '7', '8', '12', '14', '25', '013', '13.0', '1e1', '-13', '', '13, 8', '8, 13', undefined]) {
    const { head } = await refused({ headers: { 'Sec-WebSocket-Version': version } }, [426], `version ${version}`)
    assert.equal(field(head, 'sec-websocket-version'), '13')
    assert.match(field(head, 'upgrade') ?? '', /websocket/i) // RFC 9110 15.5.22
    assert.match(field(head, 'connection') ?? '', /close|upgrade/i)
  }
})

test('a version that stands twice is refused', async () => {
  await refused({ headers: { 'Sec-WebSocket-Version': ['13', '8'] } }, [400, 426], '13 and 8')
  await refused({ headers: { 'Sec-WebSocket-Version': ['8', '13'] } }, [400, 426], '8 and 13')
  await refused({ headers: { 'Sec-WebSocket-Version': ['13', '13'] } }, [400, 426], '13 and 13')
})

test('keys that are none', async () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ=='
  for (const bad of [undefined, '', 'x', key.slice(0, 20), key.slice(0, 22), `${key}AAAA`, 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZR==', 'dGhl!HNhbXBsZSBub25jZQ==', 'dGhl HNhbXBsZSBub25jZQ==', 'dGhl_HNhbXBsZSBub25jZQ==', 'dGhl=HNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQA=', 'AAAAAAAAAAAAAAAAAAAAAAAA', '========================'])
    await refused({ headers: { 'Sec-WebSocket-Key': bad } }, [400], `key ${bad}`)
  await refused({ headers: { 'Sec-WebSocket-Key': [key, key] } }, [400], 'twice')
  await refused({ headers: { 'Sec-WebSocket-Key': [key, 'x3JJHMbDL1EzLkh9GBhXDw=='] } }, [400], 'two keys')
  await refused({ headers: { 'Sec-WebSocket-Key': `${key}, ${key}` } }, [400], 'a list')
})

test('without Upgrade or Connection it is no handshake', async () => {
  for (const headers of [{ Upgrade: undefined }, { Connection: undefined }, { Upgrade: 'websockets' }, { Upgrade: 'web socket' }, { Upgrade: '' }, { Connection: 'keep-alive' }, { Connection: 'close' }, { Connection: 'upgraded' }, { Connection: '' }])
    await refused({ headers }, [400, 403, 404, 426], JSON.stringify(headers))
})

test('a Host, and only one', async () => {
  await refused({ headers: { Host: undefined } }, [400], 'no host')
  await refused({ headers: { Host: [server.host, server.host] } }, [400], 'two hosts')
  await refused({ headers: { Host: 'a b' } }, [400], 'a malformed host')
})

test('GET over HTTP/1.1 only, without a body', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'get', 'GETT']) await refused({ method }, [400, 403, 404, 405, 501], method)
  for (const version of ['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1', 'HTTP/1.', 'http/1.1', 'HTTP/11']) await refused({ version }, [400, 403, 404, 426, 505], version)
  assert.match(await server.exchange(`${server.handshake({ headers: { 'Content-Length': '5' } })}hello`), /^HTTP\/1\.1 400 /)
  assert.match(await server.exchange(`${server.handshake({ headers: { 'Transfer-Encoding': 'chunked' } })}0\r\n\r\n`), /^HTTP\/1\.1 400 /)
  const head = await server.exchange(server.handshake({ method: 'HEAD' }))
  assert.match(head, /^HTTP\/1\.1 4\d\d [^]*\r\n\r\n$/, 'HEAD is answered without a body')
})

test('a target where nothing is', async () => {
  for (const target of ['/healthz', '/metrics']) await refused({ target }, [200, 400, 403, 404], target) // an Upgrade may be ignored
  for (const target of ['/', '/nothing-here', '/echo/nowhere', '/Echo', '/%65cho%00', '/echo/../echo/x']) await refused({ target }, [400, 403, 404], target)
})

test('frames right behind the handshake, in the same packet', async () => {
  const peer = await server.open({ behind: Buffer.concat([frame(TEXT, 'early'), frame(PING, 'bird'), frame(TEXT, 'in ', { fin: false }), frame(0, 'two')]) })
  await peer.expect(TEXT, 'early')
  await peer.expect(PONG, 'bird')
  await peer.expect(TEXT, 'in two')
  await peer.leave()
  const large = 'x'.repeat(2 << 20)
  const second = await server.open({ behind: frame(TEXT, large) })
  await second.expect(TEXT, large)
  await second.leave()
})

test('frames right behind a handshake that waits for its handler', async () => {
  const line = await server.line()
  await line.write(Buffer.concat([Buffer.from(server.handshake({ target: '/riddle-rush?userId=early' })), frame(PING, 'bird'), frame(PING, 'worm')]))
  assert.match(await line.head(), /^HTTP\/1\.1 101 /)
  assert.deepEqual(await line.take(12), Buffer.from('\x8a\x04bird\x8a\x04worm', 'latin1'))
  await line.write(frame(8))
  await line.finish()
})

test('half a frame right behind the handshake', async () => {
  const bytes = frame(TEXT, 'cut somewhere')
  for (let cut = 1; cut < bytes.length; cut++) {
    const peer = await server.open({ behind: bytes.subarray(0, cut) })
    await peer.write(bytes.subarray(cut))
    await peer.expect(TEXT, 'cut somewhere', `cut at ${cut}`)
    await peer.leave()
  }
})

test('nonsense right behind the handshake', async () => {
  const peer = await server.open({ behind: Buffer.from('GET / HTTP/1.1\r\n\r\n') })
  await peer.closes(1002)
})

test('the handshake octet by octet', async () => {
  const line = await server.line()
  await line.chop(Buffer.concat([Buffer.from(server.handshake()), frame(TEXT, 'x')]))
  assert.match(await line.head(), /^HTTP\/1\.1 101 /)
  assert.deepEqual(await line.take(3), Buffer.from([0x81, 1, 0x78]))
  await line.write(frame(8))
  await line.finish()
})

test('behind a request that was answered, on the same connection', async () => {
  const line = await server.line()
  await line.write(`GET /healthz HTTP/1.1\r\nHost: ${server.host}\r\n\r\n${server.handshake()}`)
  assert.equal((await line.response()).status, 200)
  assert.match(await line.head(), /^HTTP\/1\.1 101 /)
  await line.write(frame(8))
  await line.finish()
})

test('many headers of no interest', async () => {
  await accepted(Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`X-Header-${i}`, 'y'.repeat(200)])))
  await accepted({ 'User-Agent': 'ünïcödé', Cookie: 'a=b; c=d', Pragma: 'no-cache', 'Cache-Control': 'no-cache' })
})

test('what is refused counts as refused and leaves no connection', async () => {
  const before = await server.counter('ws_refused')
  await refused({ headers: { 'Sec-WebSocket-Version': '8' } }, [426], 'version 8')
  await refused({ target: '/nothing-here' }, [403, 404], 'nowhere')
  assert.equal((await server.counter('ws_refused')) - before, 2)
})
