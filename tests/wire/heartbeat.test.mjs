// A peer that vanished without a word is found: a ping, no answer, 1006. One that answers stays, however long it says nothing.
// GW-10, GW-19, GW-23
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { upgrade } from './lib/raw.mjs'

test('a dead peer is found', async (t) => {
  const server = await start(t)
  const alive = await connect(`${server.ws}/clash-bot`)
  const dead = await upgrade(server, '/clash-bot')
  await until('both are there', async () => (await request(server, 'GET', '/clash-bot/@connections')).json.count === 2)
  await server.advance(26000)
  await until('a ping each', () => alive.pings === 1 && dead.bytes.length >= 2 && dead.bytes[0] === 0x89)
  alive.send({ type: 'ping' })
  assert.equal((await alive.json()).type, 'pong')
  await server.advance(21000)
  await dead.closed()
  const { json } = await request(server, 'GET', '/clash-bot/@connections')
  assert.equal(json.count, 1)
  assert.equal((await server.counters()).ws_heartbeat_timeouts, 1)
  for (let i = 0; i < 20; i++) {
    const before = alive.pings
    await server.advance(26000)
    await until('the next ping', () => alive.pings > before)
    // The pong is on its way ahead of this message and its answer.
    await alive.ask({ type: 'ping' })
  }
  await alive.close(1000)
  await quiet(server)
})
