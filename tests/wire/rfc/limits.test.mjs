// Large messages: in frames and in writes of many sizes, up to the limit of 16 MiB, and a byte beyond it in every way there is.
// SE-5
import test from 'node:test'
import { randomBytes } from 'node:crypto'
import { BINARY, CONT, PING, PONG, TEXT, fragments, frame, serve } from './lib.mjs'

const server = serve()
const MIB = 1 << 20

async function echo(peer, opcode, bytes, size) {
  peer.write(Buffer.concat(fragments(opcode, bytes, size)))
  await peer.expect(opcode, bytes, `${bytes.length} bytes in frames of ${size}`)
}

test('1 MiB in frames of 64 bytes and more', async () => {
  const peer = await server.open()
  const bytes = randomBytes(MIB)
  const text = Buffer.from('µ'.repeat(MIB / 2))
  for (const size of [64, 256, 1024, 4096, 16384, 65536, 262144]) await echo(peer, BINARY, bytes, size)
  for (const size of [65, 1023, 65535]) await echo(peer, TEXT, text, size) // each cuts a character
  await peer.leave()
})

test('4 and 16 MiB in frames', async () => {
  const peer = await server.open()
  const bytes = randomBytes(16 * MIB)
  for (const size of [1024, 65536, MIB]) await echo(peer, BINARY, bytes.subarray(0, 4 * MIB), size)
  for (const size of [4096, MIB]) await echo(peer, BINARY, bytes, size)
  await echo(peer, TEXT, Buffer.from('*'.repeat(16 * MIB)), 262144)
  await peer.leave()
})

test('text in chops of 64 bytes to 64 KiB', async () => {
  const peer = await server.open()
  for (const [length, size] of [[65536, 64], [131072, 128], [262144, 256], [524288, 512], [MIB, 1024], [MIB, 4096], [MIB, 16384], [4 * MIB, 65536]]) {
    const text = Buffer.from('Ünïcödé '.repeat(length / 8).slice(0, length / 2))
    const bytes = frame(TEXT, text)
    const sending = peer.chop(bytes, size)
    await peer.expect(TEXT, text, `${length} in chops of ${size}`)
    await sending
  }
  await peer.leave()
})

test('exactly the limit in fragments, then a byte more', async () => {
  const limit = Buffer.alloc(16 * MIB)
  const peer = await server.open()
  peer.write(Buffer.concat([...fragments(BINARY, limit, MIB)]))
  await peer.expect(BINARY, limit)
  peer.write(Buffer.concat([frame(BINARY, limit, { fin: false }), frame(CONT, '', { fin: false }), frame(PING, 'x'), frame(CONT, '')]))
  await peer.expect(PONG, 'x')
  await peer.expect(BINARY, limit)
  await peer.leave()
  await server.refuses(1009, [frame(BINARY, limit, { fin: false }), frame(CONT, 'x')], 'one byte more')
  await server.refuses(1009, [frame(BINARY, limit, { fin: false }), frame(CONT, 'x', { fin: false })], 'one byte more, and more to come')
  await server.refuses(1009, [frame(TEXT, 'x', { fin: false }), frame(CONT, '', { claim: 16 * MIB })], 'announced')
  await server.refuses(1009, [frame(TEXT, 'x', { fin: false }), frame(CONT, '', { claim: 2 ** 50 })], 'announced much')
})

test('many large answers wait for a reader that is late', async () => {
  const peer = await server.open()
  const bytes = randomBytes(MIB)
  peer.socket.pause()
  for (let i = 0; i < 24; i++) peer.write(frame(BINARY, bytes))
  await server.get('/healthz') // the others are served meanwhile
  peer.socket.resume()
  for (let i = 0; i < 24; i++) await peer.expect(BINARY, bytes, `answer ${i}`)
  await peer.leave()
})
