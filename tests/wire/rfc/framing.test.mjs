// RFC 6455 5.2 and 5.3: lengths in all their encodings, masks, and bytes that arrive in any cut.
// SE-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { BINARY, CLOSE, PING, TEXT, closePayload, frame, hex, serve } from './lib.mjs'

const server = serve()
const MIB = 1 << 20
const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 64, 65, 124, 125, 126, 127, 128, 129, 255, 256, 4095, 4096, 65534, 65535, 65536, 65537, 262143, 262144, 262145, MIB]

test('text and binary of every length come back', async () => {
  const peer = await server.open()
  for (const size of SIZES) {
    const text = '*'.repeat(size)
    await peer.write(frame(TEXT, text))
    await peer.expect(TEXT, text, `text of ${size}`)
    const bytes = randomBytes(size)
    await peer.write(frame(BINARY, bytes))
    await peer.expect(BINARY, bytes, `binary of ${size}`)
  }
  await peer.leave()
})

test('sixteen MiB come back, binary and text', async () => {
  const peer = await server.open()
  const bytes = randomBytes(16 * MIB)
  peer.write(frame(BINARY, bytes))
  await peer.expect(BINARY, bytes, '16 MiB')
  const text = 'ä'.repeat(8 * MIB)
  peer.write(frame(TEXT, text))
  await peer.expect(TEXT, text, '16 MiB of text')
  await peer.leave()
})

test('a byte more is refused with 1009, at its header and without its payload', async () => {
  await server.refuses(1009, frame(BINARY, '', { claim: 16 * MIB + 1 }), 'announced only')
  await server.refuses(1009, frame(TEXT, 'x', { claim: 2 ** 40 }), '1 TiB')
  await server.refuses(1009, frame(BINARY, 'x', { claim: Number.MAX_SAFE_INTEGER }), '8 PiB')
})

test('the close frame for a message that is too large is not lost behind a reset', async () => {
  const peer = await server.open()
  peer.write(frame(BINARY, Buffer.alloc(16 * MIB + 1)))
  await peer.closes(1009)
})

test('the largest length of all, and one with the forbidden top bit', async () => {
  const head = (length) => Buffer.concat([hex('82 ff'), hex(length), hex('01020304 00')])
  await server.refuses(1009, head('7fffffffffffffff'), '2^63 - 1')
  await server.refuses(1002, head('8000000000000000'), '2^63')
  await server.refuses(1002, head('ffffffffffffffff'), '2^64 - 1')
})

test('a length that is not minimal is refused', async () => {
  for (const [size, wide] of [[0, 2], [1, 2], [125, 2], [0, 8], [125, 8], [126, 8], [65535, 8]])
    for (const opcode of [TEXT, BINARY])
      await server.refuses(1002, frame(opcode, 'x'.repeat(size), { wide }), `${size} in ${wide} bytes`)
  await server.refuses(1002, frame(PING, 'x', { wide: 2 }), 'a ping')
})

test('a frame without a mask is refused', async () => {
  for (const [opcode, payload] of [[TEXT, 'hello'], [BINARY, 'hello'], [TEXT, ''], [PING, 'hello'], [CLOSE, closePayload(1000)], [BINARY, Buffer.alloc(70000)]])
    await server.refuses(1002, frame(opcode, payload, { mask: false }), `opcode ${opcode}`)
  const peer = await server.open()
  await peer.write(Buffer.concat([frame(TEXT, 'one'), frame(TEXT, 'two', { mask: false }), frame(TEXT, 'three')]))
  await peer.expect(TEXT, 'one')
  await peer.closes(1002)
})

test('any mask, that of zeros too', async () => {
  const peer = await server.open()
  for (const mask of [[0, 0, 0, 0], [255, 255, 255, 255], [0, 0, 0, 1], [128, 0, 0, 0], [0x37, 0xfa, 0x21, 0x3d]])
    for (const size of [1, 5, 31, 126, 70001]) {
      const bytes = randomBytes(size)
      await peer.write(frame(BINARY, bytes, { mask }))
      await peer.expect(BINARY, bytes, `${mask} over ${size}`)
    }
  // 5.7: the document's own example.
  await peer.write(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))
  await peer.expect(TEXT, 'Hello')
  await peer.leave()
})

test('octet by octet', async () => {
  const peer = await server.open()
  for (const size of [0, 1, 125, 126, 300]) {
    const bytes = randomBytes(size)
    await peer.chop(frame(BINARY, bytes))
    await peer.expect(BINARY, bytes, `${size}`)
  }
  const text = 'Häßlich 🌊 κόσμε'
  await peer.chop(frame(TEXT, text))
  await peer.expect(TEXT, text)
  await peer.chop(frame(CLOSE, closePayload(1000, 'done')))
  await peer.closes(1000)
})

test('cut at every place of the header and of what is behind it', async () => {
  const peer = await server.open()
  const bytes = Buffer.concat([frame(BINARY, randomBytes(200), { mask: [1, 2, 3, 4] }), frame(TEXT, 'behind')])
  for (let cut = 1; cut < 16; cut++) {
    await peer.chop(bytes.subarray(0, cut), cut)
    await peer.write(bytes.subarray(cut))
    await peer.expect(BINARY)
    await peer.expect(TEXT, 'behind')
  }
  await peer.leave()
})

test('a thousand messages in one write come back in order', async () => {
  const peer = await server.open()
  const all = Array.from({ length: 1000 }, (_, i) => [i % 2 ? TEXT : BINARY, `${i} `.repeat((i % 50) + 1)])
  peer.write(Buffer.concat(all.map(([opcode, payload]) => frame(opcode, payload))))
  for (const [opcode, payload] of all) await peer.expect(opcode, payload)
  await peer.leave()
})

test('an end in the middle of a frame ends the connection and nothing else', async () => {
  for (const bytes of [hex('81'), hex('81 fe'), hex('81 fe 01'), hex('81 85 01 02'), hex('81 85 01 02 03 04 05'), frame(BINARY, 'x'.repeat(1000), { claim: 5000 })]) {
    const peer = await server.open()
    await peer.write(bytes)
    peer.socket.end()
    assert.equal((await peer.finish()).length, 0)
  }
})
