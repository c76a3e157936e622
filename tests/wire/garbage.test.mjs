// Bytes of no protocol at all, on fresh sockets and behind a handshake: an answer or an end, never a stall, and nothing left.
// SE-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { frame, open, upgrade } from './lib/raw.mjs'

// The same garbage each time.
const garbage = (n, length) => {
  const pieces = []
  for (let i = 0; pieces.length * 32 < length; i++) pieces.push(createHash('sha256').update(`${n}/${i}`).digest())
  return Buffer.concat(pieces).subarray(0, length)
}

test('garbage', { timeout: 600000 }, async (t) => {
  const server = await start(t, { threads: 2 })
  const witness = await connect(`${server.ws}/echo`)
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const n = round * 20 + i
      const raw = i % 2 ? await open(server) : await upgrade(server, '/echo')
      raw.write(garbage(n, 1 + ((n * 37) % 3000)))
      if (n % 3 === 0) raw.write(Buffer.concat([frame(1, 'x'), garbage(n, 500)]))
      raw.socket.end()
      await until('the end or an answer', () => raw.ended || raw.bytes.length > 0)
      raw.close()
    }))
    witness.send(`round ${round}`)
    assert.equal(await witness.text(), `round ${round}`)
  }
  await witness.close(1000)
  await quiet(server)
})
