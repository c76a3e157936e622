// Peers that are slow on purpose. The clock is driven, so a wait costs nothing; but it runs on between two pushes, so the pushes leave
// seconds of room, and what must come comes at once or is late.
import test from 'node:test'
import assert from 'node:assert/strict'
import { serve, until, within } from './lib.mjs'

const server = serve()
const SECOND = 1000

/** Sends bytes and goes on when the server has them. */
async function arrive(line, bytes) {
  const before = await server.counter('net_bytes_in')
  await line.write(bytes)
  await until('the bytes are in', async () => (await server.counter('net_bytes_in')) > before + bytes.length)
}

/** The refusal must be there now, not when real time has made up for what is missing: a server that has answered twice since has said it. */
async function late(line) {
  for (let i = 0; i < 2; i++) await server.get('/healthz')
  assert.equal((await within('408 after the push', line.response(), 4500)).status, 408)
  await line.finish()
}

const alive = async (line) => {
  await server.get('/healthz')
  assert.equal(line.ended, false)
}

test('a head that does not end: 408 after ten seconds, not before', async () => {
  const line = await server.line()
  await arrive(line, 'GET /healthz HTTP/1.1\r\nHost: loc')
  await server.advance(4 * SECOND)
  await alive(line)
  await server.advance(7 * SECOND)
  await late(line)
})

test('a head in drops: each drop does not buy time', async () => {
  const line = await server.line()
  await arrive(line, 'GET /healthz HTTP/1.1\r\n')
  for (let i = 0; i < 6; i++) {
    await server.advance(SECOND / 2)
    await arrive(line, `X-${i}: y\r\n`)
    assert.equal(line.ended, false)
  }
  await server.advance(8 * SECOND)
  await late(line)
})

test('a handshake in drops as well', async () => {
  const line = await server.line()
  await arrive(line, server.handshake().slice(0, -2))
  await server.advance(11 * SECOND)
  await late(line)
})

test('a connection without a word is closed without one', async () => {
  const line = await server.line()
  await until('it is accepted', async () => (await server.counter('net_connections')) === 2)
  await server.advance(4 * SECOND)
  await alive(line)
  await server.advance(7 * SECOND)
  assert.equal((await line.finish()).length, 0)
})

test('a body that does not end: 408 after a minute', async () => {
  for (const head of ['Content-Length: 10\r\n\r\nhello', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhel']) {
    const line = await server.line()
    await arrive(line, `POST /echo/@broadcast HTTP/1.1\r\nHost: localhost\r\n${head}`)
    await server.advance(50 * SECOND)
    await alive(line)
    await server.advance(11 * SECOND)
    await late(line)
  }
})

test('an idle connection is kept for 75 seconds', async () => {
  const line = await server.line()
  const ask = async () => {
    await line.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert.equal((await line.response()).status, 200)
  }
  await ask()
  await server.advance(60 * SECOND)
  await alive(line)
  await ask()
  await server.advance(60 * SECOND)
  await alive(line)
  await server.advance(20 * SECOND)
  assert.equal((await line.finish()).length, 0)
})

test('the second head on a connection has its ten seconds too', async () => {
  const line = await server.line()
  await line.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  assert.equal((await line.response()).status, 200)
  await server.advance(60 * SECOND)
  await arrive(line, 'GET /healthz HT')
  await server.advance(4 * SECOND)
  await alive(line)
  await server.advance(7 * SECOND)
  await late(line)
})
