// RFC 6455 5.4: fragments make one message, control frames may stand between them, data frames may not.
// SE-5
import test from 'node:test'
import { randomBytes } from 'node:crypto'
import { BINARY, CLOSE, CONT, PING, PONG, TEXT, closePayload, fragments, frame, serve } from './lib.mjs'

const server = serve()

test('text and binary in two, many and empty fragments', async () => {
  const peer = await server.open()
  for (const opcode of [TEXT, BINARY]) {
    for (const pieces of [['frag', 'ment'], ['', ''], ['', '', ''], ['', 'middle', ''], ['first', ''], ['', 'last'], Array.from({ length: 300 }, (_, i) => `${i},`)]) {
      await peer.write(Buffer.concat(pieces.map((piece, i) => frame(i ? CONT : opcode, piece, { fin: i === pieces.length - 1 }))))
      await peer.expect(opcode, pieces.join(''), `${pieces.length} pieces`)
    }
  }
  await peer.leave()
})

test('fragments of every encoding of length, in chunks of their own', async () => {
  const peer = await server.open()
  const bytes = randomBytes(300000)
  for (const size of [100, 125, 126, 127, 4096, 65535, 65536, 299999]) {
    for (const piece of fragments(BINARY, bytes.subarray(0, size < 1000 ? 5000 : bytes.length), size)) peer.write(piece)
    await peer.expect(BINARY, bytes.subarray(0, size < 1000 ? 5000 : bytes.length), `${size}`)
  }
  await peer.leave()
})

test('octet by octet, with pings between the fragments', async () => {
  const peer = await server.open()
  const pieces = fragments(TEXT, 'fragments, and something between them', 5)
  await peer.chop(Buffer.concat(pieces.flatMap((piece, i) => [piece, frame(PING, `ping ${i}`)])))
  for (let i = 0; i < pieces.length - 1; i++) await peer.expect(PONG, `ping ${i}`)
  await peer.expect(TEXT, 'fragments, and something between them')
  await peer.expect(PONG, `ping ${pieces.length - 1}`)
  await peer.leave()
})

test('pings between fragments are answered before the message is complete', async () => {
  const peer = await server.open()
  await peer.write(frame(TEXT, 'one ', { fin: false }))
  for (let i = 0; i < 5; i++) {
    await peer.write(Buffer.concat([frame(PING, String(i)), frame(PONG, 'unasked')]))
    await peer.expect(PONG, String(i))
    await peer.write(frame(CONT, `${i} `, { fin: false }))
  }
  await peer.write(frame(CONT, 'end'))
  await peer.expect(TEXT, 'one 0 1 2 3 4 end')
  await peer.leave()
})

test('a continuation of nothing is refused', async () => {
  for (const fin of [true, false])
    for (const payload of ['', 'nothing to continue']) {
      await server.refuses(1002, frame(CONT, payload, { fin }), `fin ${fin}`)
      const peer = await server.open()
      await peer.write(Buffer.concat([frame(TEXT, 'a', { fin: false }), frame(CONT, 'b'), frame(CONT, payload, { fin }), frame(TEXT, 'behind')]))
      await peer.expect(TEXT, 'ab')
      await peer.closes(1002)
    }
  const peer = await server.open()
  await peer.write(Buffer.concat([frame(PING, 'x'), frame(CONT, 'behind a ping')]))
  await peer.expect(PONG, 'x')
  await peer.closes(1002)
})

test('a data frame inside a fragmented message is refused', async () => {
  for (const outer of [TEXT, BINARY])
    for (const inner of [TEXT, BINARY])
      for (const fin of [true, false])
        for (const payload of ['', 'inner']) {
          const begin = frame(outer, 'outer', { fin: false })
          await server.refuses(1002, [begin, frame(inner, payload, { fin })], `${inner} in ${outer}`)
          await server.refuses(1002, [begin, frame(CONT, 'more', { fin: false }), frame(inner, payload, { fin })], `${inner} in ${outer}, later`)
        }
  await server.refuses(1002, [frame(TEXT, '', { fin: false }), frame(TEXT, 'x')], 'behind an empty fragment')
})

test('a control frame in fragments is refused', async () => {
  for (const opcode of [PING, PONG, CLOSE]) {
    const payload = opcode === CLOSE ? closePayload(1000) : 'x'
    await server.refuses(1002, frame(opcode, payload, { fin: false }), `opcode ${opcode}`)
    await server.refuses(1002, [frame(opcode, payload, { fin: false }), frame(CONT, 'rest')], `opcode ${opcode} with its rest`)
    await server.refuses(1002, [frame(TEXT, 'a', { fin: false }), frame(opcode, payload, { fin: false })], `opcode ${opcode} between fragments`)
  }
})

test('a close frame inside a fragmented message ends it', async () => {
  const peer = await server.open()
  await peer.write(Buffer.concat([frame(TEXT, 'never', { fin: false }), frame(CLOSE, closePayload(1001)), frame(CONT, 'finished')]))
  await peer.closes(1001)
})

test('an end in the middle of a message leaves nothing behind', async () => {
  for (const size of [0, 1, 70000]) {
    const peer = await server.open()
    await peer.write(frame(BINARY, 'x'.repeat(size), { fin: false }))
    peer.socket.end()
    await peer.finish()
  }
})
