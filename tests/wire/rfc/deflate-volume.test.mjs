// A thousand messages in a row for each set of parameters, 16 to 131,072 bytes, through node:zlib on this side. The inflater here has
// exactly the window that was agreed, so a server that looks back further fails.
// CL-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import { BINARY, TEXT, fragments, hex, serve } from './lib.mjs'

const server = serve()
const SIZES = [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072]
const PER_SIZE = 100 // messages
const WINDOW = 8 // messages in flight
const TAIL = hex('00 00 ff ff')

/** One direction: `pass(bytes)` answers the output for one message. */
class Codec {
  constructor(make, options, fresh) {
    Object.assign(this, { make, options, fresh })
  }

  pass(bytes) {
    if (this.fresh) {
      this.stream?.close()
      this.stream = undefined
    }
    this.stream ??= this.make({ ...this.options, flush: constants.Z_NO_FLUSH })
    const pieces = []
    const take = (piece) => pieces.push(piece)
    return new Promise((resolve, reject) => {
      this.stream.once('error', reject)
      this.stream.on('data', take)
      this.stream.write(bytes)
      this.stream.flush(constants.Z_SYNC_FLUSH, () => {
        this.stream.off('data', take)
        this.stream.off('error', reject)
        resolve(Buffer.concat(pieces))
      })
    })
  }

  close() {
    this.stream?.close()
  }
}

/** JSON as applications send it: some of it new, much of it seen before. As many bytes as asked for. */
function story(size, seed) {
  let text = ''
  for (let i = 0; text.length < size; i++) text += `{"type":"answer","player":${(seed * 7919 + i * 104729) % 1000003},"text":"grün und blau","score":${(i * seed) % 977}},`
  const bytes = Buffer.from(text).subarray(0, size)
  for (let at = size - 1; at >= 0 && bytes[at] >= 0x80; at--) bytes[at] = 0x20 // a character that was cut
  return bytes
}

async function volume(offer, { fragment = 1 << 20, binary = false } = {}) {
  const peer = await server.open({ offer })
  const agreed = peer.extension ?? ''
  assert.match(agreed, /^permessage-deflate/)
  const bits = (side) => Number(new RegExp(`${side}_max_window_bits=(\\d+)`).exec(agreed)?.[1] ?? 15)
  const deflate = new Codec(createDeflateRaw, { windowBits: bits('client'), level: 1, memLevel: 8 }, /client_no_context_takeover/.test(agreed))
  const inflate = new Codec(createInflateRaw, { windowBits: bits('server') }, /server_no_context_takeover/.test(agreed))
  const opcode = binary ? BINARY : TEXT
  const flying = []
  let compressed = 0

  async function receive() {
    const sent = flying.shift()
    const got = await peer.frame()
    assert.ok(got, 'the server ended')
    assert.equal(got.opcode, opcode, got.payload.subarray(0, 60).toString())
    assert.ok(got.fin && (got.rsv === 0 || got.rsv === 4))
    compressed += got.rsv === 4
    const bytes = got.rsv ? await inflate.pass(Buffer.concat([got.payload, TAIL])) : got.payload
    assert.ok(sent.equals(bytes), `${sent.length} bytes come back`)
  }

  for (const size of SIZES)
    for (let i = 0; i < PER_SIZE; i++) {
      const bytes = binary && i % 4 === 0 ? randomBytes(size) : story(size, i + 1)
      const squeezed = await deflate.pass(bytes)
      assert.ok(squeezed.subarray(-4).equals(TAIL))
      peer.write(Buffer.concat(fragments(opcode, squeezed.subarray(0, -4), fragment, { rsv: 4 })))
      flying.push(bytes)
      if (flying.length >= WINDOW) await receive()
    }
  while (flying.length) await receive()
  assert.ok(compressed >= PER_SIZE * 5, `${compressed} answers were compressed`)
  deflate.close()
  inflate.close()
  await peer.leave()
}

test('as offered by browsers', () => volume('permessage-deflate; client_max_window_bits'))
test('without parameters, binary', () => volume('permessage-deflate', { binary: true }))
test('the server without context takeover', () => volume('permessage-deflate; server_no_context_takeover'))
test('the client without context takeover', () => volume('permessage-deflate; client_no_context_takeover'))
test('both without context takeover, binary', () => volume('permessage-deflate; server_no_context_takeover; client_no_context_takeover', { binary: true }))
test('the smallest windows', () => volume('permessage-deflate; server_max_window_bits=9; client_max_window_bits=9'))
test('a window of 10 bits without takeover', () => volume('permessage-deflate; server_max_window_bits=10; server_no_context_takeover; client_no_context_takeover'))
test('windows of 12 bits, in fragments of 1,000 bytes', () => volume('permessage-deflate; server_max_window_bits=12; client_max_window_bits=12', { fragment: 1000 }))
test('the largest windows, in fragments of 64 bytes', () => volume('permessage-deflate; server_max_window_bits=15; client_max_window_bits=15', { fragment: 64 }))
