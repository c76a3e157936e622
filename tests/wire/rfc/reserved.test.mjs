// RFC 6455 5.2: reserved bits without an extension, and opcodes that mean nothing, fail the connection at once.
// SE-5
import test from 'node:test'
import { BINARY, CLOSE, PING, PONG, TEXT, closePayload, frame, serve } from './lib.mjs'

const server = serve()

test('reserved bits 1 to 7 on every opcode', async () => {
  for (let rsv = 1; rsv < 8; rsv++)
    for (const [opcode, payload] of [[TEXT, 'hello'], [TEXT, ''], [BINARY, 'hello'], [PING, 'hello'], [PONG, ''], [CLOSE, closePayload(1000)]])
      await server.refuses(1002, frame(opcode, payload, { rsv }), `bits ${rsv}, opcode ${opcode}`)
})

test('reserved bits on a continuation', async () => {
  for (let rsv = 1; rsv < 8; rsv++)
    await server.refuses(1002, [frame(TEXT, 'a', { fin: false }), frame(0, 'b', { rsv })], `bits ${rsv}`)
})

test('what came before is answered, what comes behind is not', async () => {
  for (const bad of [frame(TEXT, 'bad', { rsv: 4 }), frame(BINARY, 'bad', { rsv: 2 }), frame(PING, 'bad', { rsv: 1 }), frame(5, 'bad'), frame(13, 'bad')]) {
    const peer = await server.open()
    await peer.write(Buffer.concat([frame(TEXT, 'before'), bad, frame(TEXT, 'behind'), frame(PING, 'behind')]))
    await peer.expect(TEXT, 'before')
    await peer.closes(1002)
  }
})

test('reserved opcodes, empty, with a payload, with more behind them', async () => {
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    await server.refuses(1002, frame(opcode), `opcode ${opcode}`)
    await server.refuses(1002, frame(opcode, 'payload'), `opcode ${opcode} with a payload`)
    await server.refuses(1002, [frame(opcode, 'payload'), frame(PING), frame(TEXT, 'behind')], `opcode ${opcode} with more behind it`)
    await server.refuses(1002, [frame(TEXT, 'a', { fin: false }), frame(opcode), frame(0, 'b')], `opcode ${opcode} between fragments`)
  }
})

test('the first octet is enough', async () => {
  for (const first of [0x83, 0x8b, 0x8f, 0xc1, 0xa1, 0x91, 0x08, 0x09, 0x0a]) await server.refuses(1002, Buffer.from([first]), first.toString(16))
})

test('octet by octet', async () => {
  for (const bad of [frame(TEXT, 'hello', { rsv: 5 }), frame(4, 'hello'), frame(12, 'hello')]) {
    const peer = await server.open()
    await peer.chop(frame(TEXT, 'before'))
    await peer.expect(TEXT, 'before')
    await peer.chop(bad)
    await peer.closes(1002)
  }
})
