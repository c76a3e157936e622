// RFC 6455 5.5.2 and 5.5.3: each ping has its pong with the same payload, wherever it comes; nobody asked for a pong is nobody hurt.
// GW-23
import test from 'node:test'
import { randomBytes } from 'node:crypto'
import { BINARY, CONT, PING, PONG, TEXT, frame, serve } from './lib.mjs'

const server = serve()

test('a ping of every length', async () => {
  const peer = await server.open()
  for (let size = 0; size <= 125; size++) {
    const bytes = randomBytes(size)
    await peer.write(frame(PING, bytes))
    await peer.expect(PONG, bytes, `${size}`)
  }
  await peer.leave()
})

test('a ping is bytes, not text', async () => {
  const peer = await server.open()
  const bytes = Buffer.from([0, 255, 254, 253, 252, 251, 0, 255])
  await peer.write(frame(PING, bytes))
  await peer.expect(PONG, bytes)
  await peer.leave()
})

test('a longer one is refused', async () => {
  for (const size of [126, 127, 1000, 65536])
    for (const opcode of [PING, PONG]) await server.refuses(1002, frame(opcode, 'x'.repeat(size)), `opcode ${opcode} of ${size}`)
  await server.refuses(1002, frame(PING, '', { claim: 126 }), 'announced only')
})

test('octet by octet', async () => {
  const peer = await server.open()
  for (const size of [0, 1, 125]) {
    const bytes = randomBytes(size)
    await peer.chop(frame(PING, bytes))
    await peer.expect(PONG, bytes)
  }
  await peer.leave()
})

test('ten in one chunk, ten in chunks of their own, ten octet by octet', async () => {
  const peer = await server.open()
  const pings = Array.from({ length: 10 }, (_, i) => `payload ${i}`)
  await peer.write(Buffer.concat(pings.map((payload) => frame(PING, payload))))
  for (const payload of pings) await peer.expect(PONG, payload)
  for (const payload of pings) await peer.write(frame(PING, payload))
  for (const payload of pings) await peer.expect(PONG, payload)
  await peer.chop(Buffer.concat(pings.map((payload) => frame(PING, payload))))
  for (const payload of pings) await peer.expect(PONG, payload)
  await peer.leave()
})

test('a thousand in one chunk, read as they come', async () => {
  const peer = await server.open()
  peer.write(Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(PING, String(i)))))
  for (let i = 0; i < 1000; i++) await peer.expect(PONG, String(i))
  await peer.leave()
})

test('a pong that nobody asked for is ignored', async () => {
  const peer = await server.open()
  for (const payload of ['', 'unsolicited', 'x'.repeat(125)]) {
    await peer.write(Buffer.concat([frame(PONG, payload), frame(PING, 'after it')]))
    await peer.expect(PONG, 'after it')
  }
  await peer.write(Buffer.concat(Array.from({ length: 10 }, () => frame(PONG, 'again'))))
  await peer.write(frame(TEXT, 'still here'))
  await peer.expect(TEXT, 'still here')
  await peer.leave()
})

test('a ping between two messages keeps its place, one between fragments does not wait', async () => {
  const peer = await server.open()
  await peer.write(Buffer.concat([frame(TEXT, 'one'), frame(PING, 'p'), frame(BINARY, 'two')]))
  await peer.expect(TEXT, 'one')
  await peer.expect(PONG, 'p')
  await peer.expect(BINARY, 'two')
  await peer.write(Buffer.concat([frame(TEXT, 'fr', { fin: false }), frame(PING, 'in between'), frame(PONG, 'too')]))
  await peer.expect(PONG, 'in between')
  await peer.write(frame(CONT, 'agment'))
  await peer.expect(TEXT, 'fragment')
  await peer.leave()
})
