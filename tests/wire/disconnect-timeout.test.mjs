// $disconnect runs however a socket ends: idle too long, a peer that vanished, closed by the server. It hears the code and the reason.
// GW-3, GW-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { upgrade } from './lib/raw.mjs'
import { backend } from './lib/backend.mjs'

test('a timeout is a disconnect', async (t) => {
  const team = await backend(t, () => '')
  const server = await start(t, { config: `
apis:
  strict:
    limits: aws
    routes:
      $disconnect: ${team.url}/gone
  open:
    routes:
      $disconnect: ${team.url}/gone
` })
  const ends = () => team.events.map(({ event: { requestContext: c } }) => [c.apiId, c.disconnectStatusCode, c.disconnectReason])
  const idle = await connect(`${server.ws}/strict`)
  const vanished = await upgrade(server, '/open')
  await until('both are there', async () => (await server.counters()).ws_connections === 2)
  await server.advance(26000)
  await until('a ping', () => vanished.bytes.length >= 2)
  await server.advance(21000)
  await vanished.closed()
  await until('the lost one is told', () => team.events.length === 1)
  assert.deepEqual(ends(), [['open', 1006, '']])
  await server.advance(600000)
  assert.equal((await idle.closed()).code, 1001)
  await until('the idle one is told', () => team.events.length === 2)
  assert.deepEqual(ends()[1], ['strict', 1001, 'Going away'])
  const closed = await connect(`${server.ws}/open`)
  const [{ connectionId }] = (await request(server, 'GET', '/open/@connections')).json.connections
  assert.equal((await request(server, 'DELETE', `/open/@connections/${encodeURIComponent(connectionId)}`)).status, 204)
  await closed.closed()
  await until('the closed one is told', () => team.events.length === 3)
  assert.deepEqual(ends()[2], ['open', 1000, 'Connection Closed Normally'])
  await quiet(server)
})
