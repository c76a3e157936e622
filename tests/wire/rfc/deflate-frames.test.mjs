// RFC 7692 6 and 7.2: compressed messages on the wire, good ones in every shape of DEFLATE and bad ones.
// CL-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, closePayload, fragments, frame, hex, serve } from './lib.mjs'

const server = serve()
const FRESH = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
const MIB = 1 << 20
const TAIL = hex('00 00 ff ff')

const squeeze = (bytes, options = {}) => deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH, ...options }).subarray(0, -4)
const stretch = (bytes) => inflateRawSync(Buffer.concat([bytes, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 17 * MIB })

/** The next message of a server without context takeover, whether it chose to compress it or not. */
async function answer(peer, opcode, payload, what = '') {
  const got = await peer.frame()
  assert.ok(got, `${what}: the server ended`)
  assert.equal(got.opcode, opcode, `${what}: ${got.payload.subarray(0, 100)}`)
  assert.ok(got.fin, what)
  assert.ok(got.rsv === 0 || got.rsv === 4, what)
  assert.ok(Buffer.from(payload).equals(got.rsv ? stretch(got.payload) : got.payload), `${what}: comes back`)
  return got
}

const open = () => server.open({ offer: FRESH })
const refuses = (code, bytes, what) => server.refuses(code, bytes, what, { offer: FRESH })

test('the examples of the document', async () => {
  const peer = await open()
  const examples = {
    'one block': 'f2 48 cd c9 c9 07 00',
    'no compression': '00 05 00 fa ff 48 65 6c 6c 6f 00',
    'the final bit': 'f3 48 cd c9 c9 07 00 00',
    'two blocks': 'f2 48 05 00 00 00 ff ff ca c9 c9 07 00',
  }
  for (const [what, bytes] of Object.entries(examples)) {
    await peer.write(frame(TEXT, hex(bytes), { rsv: 4 }))
    await answer(peer, TEXT, 'Hello', what)
    await peer.chop(frame(TEXT, hex(bytes), { rsv: 4 }))
    await answer(peer, TEXT, 'Hello', `${what}, octet by octet`)
    for (let cut = 0; cut <= hex(bytes).length; cut++) {
      await peer.write(Buffer.concat([frame(TEXT, hex(bytes).subarray(0, cut), { rsv: 4, fin: false }), frame(PING, 'x'), frame(CONT, hex(bytes).subarray(cut))]))
      await peer.expect(PONG, 'x')
      await answer(peer, TEXT, 'Hello', `${what}, cut at ${cut}`)
    }
  }
  await peer.leave()
})

test('the window is kept from message to message, over final blocks too', async () => {
  const peer = await server.open({ offer: 'permessage-deflate; server_no_context_takeover' })
  assert.doesNotMatch(peer.extension, /client_no_context_takeover/)
  for (const bytes of ['f2 48 cd c9 c9 07 00', 'f2 00 11 00 00', 'f2 00 11 00 00', 'f3 48 cd c9 c9 07 00 00', 'f2 00 11 00 00']) {
    await peer.write(frame(TEXT, hex(bytes), { rsv: 4 }))
    await answer(peer, TEXT, 'Hello', bytes)
  }
  await peer.leave()
})

test('without takeover there is no window to refer to', async () => {
  const peer = await open()
  await peer.write(frame(TEXT, hex('f2 48 cd c9 c9 07 00'), { rsv: 4 }))
  await answer(peer, TEXT, 'Hello')
  await peer.write(frame(TEXT, hex('f2 00 11 00 00'), { rsv: 4 }))
  await peer.closes(1007)
})

test('what one connection sent is out of reach for the next', async () => {
  const first = await open()
  await first.write(frame(TEXT, squeeze('a secret of the first connection'), { rsv: 4 }))
  await answer(first, TEXT, 'a secret of the first connection')
  await first.leave()
  await refuses(1007, frame(TEXT, hex('f2 00 11 00 00'), { rsv: 4 }), 'a look back')
})

test('the empty message in its spellings', async () => {
  const peer = await open()
  for (const bytes of ['00', '02 00', '03 00', '01 00 00 ff ff 00', '00 00 00 ff ff 00', '02 00 00 00 ff ff 02 00'])
    for (const opcode of [TEXT, BINARY]) {
      await peer.write(frame(opcode, hex(bytes), { rsv: 4 }))
      await answer(peer, opcode, '', bytes)
    }
  await peer.leave()
})

test('plain and compressed messages take turns', async () => {
  const peer = await server.open({ offer: 'permessage-deflate; server_no_context_takeover' })
  for (let i = 0; i < 20; i++) {
    await peer.write(Buffer.concat([frame(TEXT, 'plain'), frame(TEXT, hex(i ? 'f2 00 11 00 00' : 'f2 48 cd c9 c9 07 00'), { rsv: 4 }), frame(PING, 'ping'), frame(BINARY, '')]))
    await answer(peer, TEXT, 'plain')
    await answer(peer, TEXT, 'Hello')
    await peer.expect(PONG, 'ping')
    await answer(peer, BINARY, '')
  }
  await peer.leave()
})

test('every level and strategy, stored, fixed and dynamic blocks, in frames of every size', async () => {
  const peer = await open()
  const noise = randomBytes(100000)
  const prose = Buffer.from('A weir stands across a stream, lets it through, and measures it. '.repeat(1500))
  const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = constants
  for (const bytes of [noise, prose])
    for (const [level, strategy] of [[0, Z_DEFAULT_STRATEGY], [1, Z_DEFAULT_STRATEGY], [6, Z_DEFAULT_STRATEGY], [9, Z_DEFAULT_STRATEGY], [6, Z_FILTERED], [6, Z_HUFFMAN_ONLY], [6, Z_RLE], [6, Z_FIXED]])
      for (const size of [64, 125, 1000, 65536, 1 << 20]) {
        peer.write(Buffer.concat(fragments(BINARY, squeeze(bytes, { level, strategy }), size, { rsv: 4 })))
        await answer(peer, BINARY, bytes, `level ${level}, strategy ${strategy}, frames of ${size}`)
      }
  await peer.leave()
})

test('large messages in every window', async () => {
  const noise = randomBytes(4 * MIB)
  const prose = Buffer.from('A weir stands across a stream, lets it through, and measures it. '.repeat(20000))
  for (let bits = 9; bits <= 15; bits++) {
    const peer = await server.open({ offer: `permessage-deflate; server_max_window_bits=${bits}; server_no_context_takeover; client_no_context_takeover` })
    assert.match(peer.extension, new RegExp(`server_max_window_bits=${bits}`))
    for (const bytes of [noise, prose]) {
      peer.write(frame(BINARY, squeeze(bytes, { level: 1 }), { rsv: 4 }))
      await answer(peer, BINARY, bytes, `${bytes.length} bytes in ${bits} bits`)
    }
    await peer.leave()
  }
})

test('the largest message, as large as compression can make it', async () => {
  const peer = await open()
  const bytes = randomBytes(16 * MIB)
  peer.write(frame(BINARY, squeeze(bytes, { level: 0 }), { rsv: 4 }))
  await answer(peer, BINARY, bytes)
  await peer.leave()
})

test('a compressed message without a single octet is empty or an error', async () => {
  const peer = await open()
  await peer.write(Buffer.concat([frame(TEXT, '', { rsv: 4 }), frame(CLOSE, closePayload(1000))]))
  const got = await peer.frame()
  if (got.opcode === TEXT) await peer.closes(1000)
  else await peer.finish()
  assert.equal(got.opcode === TEXT ? got.payload.length : got.payload.readUInt16BE(), got.opcode === TEXT ? 0 : 1007)
})

test('a message in many blocks, final ones among them', async () => {
  const peer = await open()
  const words = Array.from({ length: 200 }, (_, i) => `word ${i} `.repeat(10))
  const blocks = words.map((word, i) => (i % 3 === 0 ? deflateRawSync(word) : Buffer.concat([squeeze(word), TAIL])))
  await peer.write(frame(TEXT, Buffer.concat([...blocks, hex('00')]), { rsv: 4 }))
  await answer(peer, TEXT, words.join(''))
  await peer.leave()
})

test('the reserved bit stands on the first frame only', async () => {
  const bytes = squeeze('fragmented and compressed')
  await refuses(1002, [frame(TEXT, bytes.subarray(0, 5), { rsv: 4, fin: false }), frame(CONT, bytes.subarray(5), { rsv: 4 })], 'again on the continuation')
  await refuses(1002, [frame(TEXT, 'plain', { fin: false }), frame(CONT, bytes, { rsv: 4 })], 'on the continuation alone')
  await refuses(1002, frame(CONT, bytes, { rsv: 4 }), 'on a continuation of nothing')
  for (const rsv of [1, 2, 3, 5, 6, 7]) await refuses(1002, frame(TEXT, bytes, { rsv }), `bits ${rsv}`)
})

test('a control frame is never compressed', async () => {
  await refuses(1002, frame(PING, squeeze('ping'), { rsv: 4 }), 'ping')
  await refuses(1002, frame(PONG, '', { rsv: 4 }), 'pong')
  await refuses(1002, frame(CLOSE, closePayload(1000), { rsv: 4 }), 'close')
})

test('not agreed, not understood', async () => {
  for (const opcode of [TEXT, BINARY]) await server.refuses(1002, frame(opcode, squeeze('hello'), { rsv: 4 }), `opcode ${opcode}`)
})

test('what is no DEFLATE', async () => {
  const good = squeeze('Hello, hello, hello, hello, and so on and on and on')
  const bad = {
    'a reserved block type': hex('07'),
    'the lengths of a stored block differ': hex('00 05 00 fa fe 48 65 6c 6c 6f 00'),
    'noise': hex('ff ff ff ff ff ff'),
    'a distance before the beginning': hex('f2 00 11 00 00'),
    'the beginning is missing': good.subarray(3),
    'cut in the middle': good.subarray(0, good.length - 6),
    'a stored block without its end': hex('00 05 00 fa ff 48 65'),
    'gzip': hex('1f 8b 08 00 00 00 00 00 00 03'),
    'too many codes': hex('fc ff ff ff ff ff ff ff'),
  }
  for (const [what, bytes] of Object.entries(bad)) {
    for (const opcode of [TEXT, BINARY]) await refuses(1007, frame(opcode, bytes, { rsv: 4 }), what)
    await refuses(1007, fragments(BINARY, bytes, 1, { rsv: 4 }), `${what}, in frames of one octet`)
  }
})

test('text is UTF-8 when it is inflated, and fails as early', async () => {
  for (const bytes of ['ff', 'c0 af', 'ed a0 80', 'f4 90 80 80', 'e2 82', 'ce ba e1 bd b9 ed a0 80 65']) {
    await refuses(1007, frame(TEXT, squeeze(hex(bytes)), { rsv: 4 }), bytes)
    const peer = await open()
    await peer.write(frame(BINARY, squeeze(hex(bytes)), { rsv: 4 }))
    await answer(peer, BINARY, hex(bytes), bytes)
    await peer.leave()
  }
  await refuses(1007, frame(TEXT, Buffer.concat([squeeze(hex('61 ff 62')), TAIL]), { rsv: 4, fin: false }), 'not finished')
  const text = 'ü🌊€'.repeat(5000)
  const peer = await open()
  await peer.write(Buffer.concat(fragments(TEXT, squeeze(text), 7, { rsv: 4 })))
  await answer(peer, TEXT, text)
  await peer.leave()
})

test('bombs end at the limit', async () => {
  const limit = Buffer.alloc(16 * MIB, 'a')
  const peer = await open()
  await peer.write(frame(TEXT, squeeze(limit), { rsv: 4 }))
  await answer(peer, TEXT, limit, 'exactly the limit')
  await peer.leave()
  const over = squeeze(Buffer.alloc(16 * MIB + 1))
  await refuses(1009, frame(BINARY, over, { rsv: 4 }), 'one byte more')
  await refuses(1009, fragments(BINARY, over, 1000, { rsv: 4 }), 'one byte more, in fragments')
  await refuses(1009, frame(BINARY, squeeze(Buffer.alloc(128 * MIB)), { rsv: 4 }), '128 MiB')
  await refuses(1009, frame(BINARY, squeeze(Buffer.alloc(64 * MIB)), { rsv: 4, fin: false }), 'not finished')
})

test('an end in the middle of a compressed message leaves nothing behind', async () => {
  for (const offer of [FRESH, 'permessage-deflate']) {
    const peer = await server.open({ offer })
    await peer.write(frame(BINARY, squeeze(randomBytes(50000)), { rsv: 4, fin: false }))
    peer.socket.end()
    await peer.finish()
  }
})
