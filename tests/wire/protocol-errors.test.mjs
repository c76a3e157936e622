// Frames that break RFC 6455 close with the code that it names. (The vectors of each section are unit tests; here the socket is seen to end well.)
// SE-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { frame, upgrade } from './lib/raw.mjs'

const wrong = {
  'an unmasked frame': [frame(1, 'hello', { mask: false }), 1002],
  'a reserved opcode': [frame(3, ''), 1002],
  'a reserved bit': [frame(1, 'x', { rsv: 2 }), 1002],
  'compression that was not agreed': [frame(1, 'x', { rsv: 4 }), 1002],
  'a fragmented ping': [frame(9, 'x', { fin: false }), 1002],
  'a continuation of nothing': [frame(0, 'x'), 1002],
  'text that is not UTF-8': [frame(1, Buffer.from([0xc3, 0x28])), 1007],
  'a close with one byte': [frame(8, 'x'), 1002],
  'a close with code 1005': [frame(8, Buffer.from([0x03, 0xed])), 1002],
}

test('each violation has its code', async (t) => {
  const server = await start(t)
  for (const [what, [bytes, code]] of Object.entries(wrong)) {
    const raw = await upgrade(server, '/echo')
    raw.write(bytes)
    await raw.closed()
    assert.equal(raw.bytes[0], 0x88, `${what}: a close frame`)
    assert.equal(raw.bytes.readUInt16BE(2), code, what)
  }
  assert.ok((await server.counters()).ws_protocol_errors >= 8)
  await quiet(server)
})

test('a close is answered with its code', async (t) => {
  const server = await start(t)
  const raw = await upgrade(server, '/echo')
  raw.write(frame(8, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from('bye')])))
  await raw.closed()
  assert.equal(raw.bytes[0], 0x88)
  assert.equal(raw.bytes.readUInt16BE(2), 4000)
  await quiet(server)
})
