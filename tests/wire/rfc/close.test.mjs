// RFC 6455 5.5.1 and 7: the close handshake. A valid close frame is answered with its code; the server's FIN follows without waiting for
// the peer's, and nothing that was sent before it is lost.
// GW-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, closePayload, frame, hex, serve, until } from './lib.mjs'

const server = serve()
const VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000, 4401, 4999]
const INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1100, 1999, 2000, 2001, 2999, 5000, 5001, 10000, 65535]

test('each valid code comes back', async () => {
  for (const code of VALID) {
    await server.refuses(code, frame(CLOSE, closePayload(code)), `${code}`)
    await server.refuses(code, frame(CLOSE, closePayload(code, 'because')), `${code} with a reason`)
  }
})

test('each invalid code is an error of the protocol', async () => {
  for (const code of INVALID) {
    await server.refuses(1002, frame(CLOSE, closePayload(code)), `${code}`)
    await server.refuses(1002, frame(CLOSE, closePayload(code, 'because')), `${code} with a reason`)
  }
})

test('no payload is answered without a payload', async () => {
  const got = await server.refuses(1005, frame(CLOSE), 'empty')
  assert.equal(got.payload.length, 0)
})

test('one octet is no code', async () => {
  await server.refuses(1002, frame(CLOSE, 'x'))
})

test('reasons up to 123 octets', async () => {
  for (const reason of ['', 'x', 'x'.repeat(122), 'x'.repeat(123), 'ä'.repeat(61), '🌊'.repeat(30)]) await server.refuses(1000, frame(CLOSE, closePayload(1000, reason)), reason)
  await server.refuses(1002, frame(CLOSE, closePayload(1000, 'x'.repeat(124))), '124')
  await server.refuses(1002, frame(CLOSE, closePayload(1000, 'x'.repeat(1000))), '1000')
  await server.refuses(1002, frame(CLOSE, closePayload(1000), { fin: false }), 'in fragments')
})

test('a reason that is not UTF-8', async () => {
  for (const bytes of ['ff', 'c0 af', 'ed a0 80', 'f4 90 80 80', 'e2 82', 'ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64'])
    await server.refuses(1007, frame(CLOSE, closePayload(1000, hex(bytes))), bytes)
})

test('octet by octet', async () => {
  for (const [payload, code] of [[closePayload(1000, 'done'), 1000], ['', 1005], [closePayload(1005), 1002], ['x', 1002]]) {
    const peer = await server.open()
    await peer.chop(frame(CLOSE, payload))
    await peer.closes(code)
  }
})

test('what was sent before the close frame is answered before it', async () => {
  const peer = await server.open()
  const large = 'x'.repeat(1 << 20)
  peer.write(Buffer.concat([frame(TEXT, 'one'), frame(BINARY, large), frame(PING, 'two'), frame(CLOSE, closePayload(1000))]))
  await peer.expect(TEXT, 'one')
  await peer.expect(BINARY, large)
  await peer.expect(PONG, 'two')
  await peer.closes(1000)
})

test('what is sent behind the close frame is not answered', async () => {
  for (const behind of [frame(TEXT, 'text'), frame(PING, 'ping'), frame(CLOSE, closePayload(1001)), frame(3, 'nonsense'), frame(CONT, 'x'), Buffer.alloc(1 << 20, 255)]) {
    await server.refuses(1000, [frame(CLOSE, closePayload(1000)), behind], 'in one write')
    const peer = await server.open()
    await peer.write(frame(CLOSE, closePayload(1000)))
    await peer.wait('the close frame', () => peer.size >= 4)
    peer.socket.write(behind)
    await peer.closes(1000, 'later')
  }
})

test('the peer is gone before it could be answered', async () => {
  for (const bytes of [frame(CLOSE, closePayload(1000)), frame(TEXT, 'x'.repeat(4 << 20)), frame(3)]) {
    const peer = await server.open()
    await peer.write(bytes)
    peer.socket.resetAndDestroy()
    await peer.closed
  }
  await until('all of them are counted out', async () => (await server.counter('ws_connections')) === 0)
})

test('a close frame and the end in one write', async () => {
  const peer = await server.open()
  peer.socket.end(Buffer.concat([frame(TEXT, 'last words'), frame(CLOSE, closePayload(1000))]))
  await peer.expect(TEXT, 'last words')
  await peer.closes(1000)
})

test('the server ends first, and at once', async () => {
  const peer = await server.open()
  await peer.write(frame(CLOSE, closePayload(1000)))
  await peer.wait('the FIN of the server', () => peer.ended)
  assert.equal(peer.size, 4)
  // The connection is closed for the gateway, though this side has not ended yet.
  await until('the connection is counted out', async () => (await server.counter('ws_connections')) === 0)
  await peer.closes(1000)
})

test('a reader that never ends its side is ended by the clock', async () => {
  const peer = await server.open()
  await peer.write(frame(CLOSE, closePayload(1000)))
  await peer.wait('the FIN of the server', () => peer.ended)
  await until('the timeout of the close handshake', async () => {
    await server.advance(2500)
    return (await server.counter('net_connections')) === 1
  })
  await peer.closes(1000)
})

// ---- the server begins: an administrator closes the connection ----

async function closing() {
  const peer = await server.open()
  const id = /"connectionId":"([^"]+)"/.exec(await server.get('/echo/@connections'))[1]
  const line = await server.line()
  await line.write(`DELETE /echo/@connections/${id} HTTP/1.1\r\nHost: ${server.host}\r\nConnection: close\r\n\r\n`)
  assert.equal((await line.response()).status, 204)
  await line.finish()
  const got = await peer.frame()
  assert.equal(got.opcode, CLOSE)
  return { peer, code: got.payload.readUInt16BE() }
}

test('the server closes, the peer answers', async () => {
  const { peer, code } = await closing()
  assert.ok(code >= 1000)
  assert.equal(peer.ended, false) // it waits for the answer
  await peer.write(frame(CLOSE, closePayload(code)))
  assert.equal((await peer.finish()).length, 0)
})

test('the server closes, the peer has things to say before it answers', async () => {
  const { peer } = await closing()
  peer.write(Buffer.concat([frame(TEXT, 'unheard'), frame(BINARY, Buffer.alloc(1 << 20)), frame(PING, 'unanswered'), frame(TEXT, 'frag', { fin: false }), frame(CLOSE)]))
  assert.equal((await peer.finish()).length, 0)
})

test('the server closes, the peer answers with nonsense: no second close frame, no reset', async () => {
  for (const bad of [frame(TEXT, 'no mask', { mask: false }), frame(3), frame(TEXT, hex('ff')), frame(CLOSE, 'x'), frame(CLOSE, closePayload(1005))]) {
    const { peer } = await closing()
    peer.write(Buffer.concat([bad, Buffer.alloc(1 << 20)]))
    assert.equal((await peer.finish()).length, 0)
  }
})

test('the server closes, the peer never answers: the clock ends it', async () => {
  const { peer } = await closing()
  await server.advance(2500)
  assert.equal((await peer.finish()).length, 0)
})
