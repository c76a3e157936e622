// Who leaves while a backend still thinks costs nothing afterwards: not the handshake, not the message, not the request.
// GW-18, FO-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'
import { open } from './lib/raw.mjs'

test('leaving early', async (t) => {
  const waiting = []
  const team = await backend(t, (event, { path }) => (path === '/disconnect' ? '' : new Promise((resolve) => waiting.push(() => resolve('late')))))
  const server = await start(t, { threads: 2, config: `
apis:
  chat:
    tables: {"chat-connections-{env}": {hash: connectionId S, ttl: ttl}}
    registry: {table: "chat-connections-{env}"}
    routes:
      $connect: ${team.url}/connect
      $disconnect: ${team.url}/disconnect
      $default: ${team.url}/default
      GET /slow: ${team.url}/slow
` })
  const asked = (count) => until(`${count} questions`, () => waiting.length === count)

  const handshake = await open(server)
  handshake.write('GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n')
  await asked(1)
  handshake.close()
  waiting[0]()

  const opening = connect(`${server.ws}/chat`)
  await asked(2)
  waiting[1]()
  const client = await opening
  client.send('first')
  for (let i = 0; i < 10; i++) client.send(`behind it ${i}`)
  await asked(3)
  client.socket.terminate()
  await until('the end is noticed', async () => (await server.counters()).ws_connections === 0)
  const ends = () => team.events.filter((e) => e.path === '/disconnect').map((e) => [e.event.requestContext.connectionId, e.event.requestContext.disconnectStatusCode])
  const ids = team.events.filter((e) => e.path === '/connect').map((e) => e.event.requestContext.connectionId)
  await until('the backend hears that whom it accepted is gone', () => ends().length === 1)
  assert.deepEqual(ends(), [[ids[0], 1006]], "the other's $disconnect is the last of its lane")
  waiting[2]()
  await team.event('/disconnect', 2)
  assert.deepEqual(ends()[1], [ids[1], 1006])

  const rest = await open(server)
  rest.write('GET /chat/slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await asked(4)
  rest.close()
  waiting[3]()
  await quiet(server)
  assert.ok(team.events.filter((e) => e.path === '/default').length <= 2, 'what was not begun is not begun any more')
})

test('a stop does not wait for a backend for ever', async (t) => {
  const team = await backend(t, () => new Promise(() => {}))
  const server = await start(t, { config: `apis:\n  chat:\n    routes: {$default: "${team.url}/never"}\n`, args: ['--drain', '1s'] })
  const client = await connect(`${server.ws}/chat`)
  client.send('hello')
  await team.event('/never')
  await server.stop()
  assert.ok([1001, 1006].includes((await client.closed()).code))
})
