// Garbage and stalls, all at once: sockets that stop reading, handshakes that never end, bytes of no protocol. A client that behaves does not notice, and
// afterwards nothing is left of any of them.
// GW-19, FO-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { atEnd, quiet, request, start, until } from '../wire/lib/weir.mjs'
import { connect } from '../wire/lib/client.mjs'
import { open } from '../wire/lib/raw.mjs'

const STALLED = 200
const HALF_OPEN = 100
const GARBAGE = 200
const P99_MAX_MS = 15000 // of a slow machine; who is stalled waits for ever

const config = `
apps:
  echo:
    limits: {messageMax: 64KB}
    queueBytes: 256KB
`

const garbage = (n, length) => {
  const pieces = []
  for (let i = 0; pieces.length * 32 < length; i++) pieces.push(createHash('sha256').update(`${n}/${i}`).digest())
  return Buffer.concat(pieces).subarray(0, length)
}

/** A well-behaved client: one message under way, each round trip is measured. */
class Witness {
  constructor(client) {
    this.client = client
    this.took = []
    this.going = true
    this.work = this.run()
  }

  async run() {
    for (let n = 0; this.going; n++) {
      const began = performance.now()
      this.client.send(`witness ${n}`)
      assert.equal(await this.client.text(), `witness ${n}`)
      this.took.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  async result() {
    this.going = false
    await this.work
    const sorted = this.took.sort((a, b) => a - b)
    return { count: sorted.length, p99: sorted[Math.floor(sorted.length * 0.99)], max: sorted.at(-1) }
  }
}

const begin = async (t) => {
  const server = await start(t, { threads: 2, config })
  const witness = new Witness(await connect(`${server.ws}/echo`))
  // A witness that failed says so at the end, not in between.
  witness.work.catch(() => {})
  return { server, witness }
}

const finish = async (t, server, witness) => {
  const { count, p99, max } = await witness.result()
  t.diagnostic(`${count} round trips, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`)
  assert.ok(count >= 10)
  assert.ok(p99 < P99_MAX_MS, `p99 ${p99} ms`)
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  await witness.client.close(1000)
  await quiet(server)
}

test('200 connections that stop reading', { timeout: 600000 }, async (t) => {
  const { server, witness } = await begin(t)
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => connect(`${server.ws}/echo`)))
  atEnd(t, () => stalled.forEach((client) => client.socket.terminate()))
  for (const client of stalled) {
    await client.ask({ action: 'join', room: 'prices' })
    client.socket.pause()
  }
  const piece = JSON.stringify({ filling: 'x'.repeat(60000) })
  await until('all of them are closed', async () => {
    assert.equal((await request(server, 'POST', '/echo/@rooms/prices', { body: piece })).status, 200)
    const now = await server.counters()
    assert.ok(now.net_queue_bytes <= (STALLED + 1) * 400000, `${now.net_queue_bytes} bytes are queued`)
    return now.ws_slow_closed === STALLED
  }, { every: 0 })
  for (const client of stalled) client.socket.resume()
  // Who reads again soon enough sees why (1013); nobody is waited for longer than a close may take (1006).
  for (const client of stalled) assert.ok([1013, 1006].includes((await client.closed()).code))
  await finish(t, server, witness)
})

test('200 connections that send and never read the answers', { timeout: 600000 }, async (t) => {
  const { server, witness } = await begin(t)
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => connect(`${server.ws}/echo`)))
  atEnd(t, () => stalled.forEach((client) => client.socket.terminate()))
  const piece = 'x'.repeat(60000)
  for (const client of stalled) client.socket.pause()
  for (let n = 0; n < 20; n++) for (const client of stalled) client.send(piece)
  await until('the witness has seen it', () => witness.took.length > 100)
  const { net_queue_bytes: queued } = await server.counters()
  assert.ok(queued <= (STALLED + 1) * 400000, `${queued} bytes are queued`)
  for (const client of stalled) client.socket.terminate()
  await finish(t, server, witness)
})

test('half-open handshakes, and requests that never end', { timeout: 600000 }, async (t) => {
  const { server, witness } = await begin(t)
  const handshake = `GET /echo HTTP/1.1\r\nHost: ${new URL(server.http).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`
  const body = `POST /echo/@rooms/prices HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"half":`
  const beginnings = [Buffer.alloc(0), ...[1, 3, 20, 60, handshake.length].map((length) => handshake.slice(0, length)), body]
  const sockets = await Promise.all(Array.from({ length: HALF_OPEN }, async (_, n) => {
    const raw = await open(server)
    raw.write(beginnings[n % beginnings.length])
    return raw
  }))
  atEnd(t, () => sockets.forEach((raw) => raw.close()))
  await until('they are all there', async () => (await server.counters()).net_connections >= HALF_OPEN)
  await until('the witness goes on', () => witness.took.length > 50)
  // Time goes by, and they are closed: in steps, each of which who behaves has seen, so that it has answered its pings.
  await until('all are closed', async () => {
    await server.advance(5000)
    const seen = witness.took.length
    await until('the witness goes on', () => witness.took.length > seen + 1, { every: 2 })
    return sockets.every((raw) => raw.ended)
  })
  await finish(t, server, witness)
})

test('random bytes, whole and in pieces', { timeout: 600000 }, async (t) => {
  const { server, witness } = await begin(t)
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: GARBAGE / 4 }, async (_, i) => {
      const n = round * GARBAGE + i
      const raw = await open(server)
      const bytes = garbage(n, 1 + ((n * 61) % 20000))
      const cut = n % bytes.length
      raw.write(bytes.subarray(0, cut))
      if (i % 3) await new Promise((resolve) => setImmediate(resolve))
      raw.write(bytes.subarray(cut))
      if (i % 2) raw.socket.end()
      // Without a line's end it is the beginning of a request: then only its end, or the deadline, tells.
      if (i % 2 || bytes.includes('\n')) await until('the end or an answer', () => raw.ended || raw.bytes.length > 0)
      raw.close()
    }))
  }
  await finish(t, server, witness)
})
