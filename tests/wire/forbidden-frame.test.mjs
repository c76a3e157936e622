// An API without $default answers what it has no route for as API Gateway does, to the very space.
// GW-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('Forbidden', async (t) => {
  const server = await start(t, { config: `
apis:
  push:
    routes: {}
` })
  const client = await connect(`${server.ws}/push/prod`)
  const id = (await request(server, 'GET', '/push/@connections')).json.connections[0].connectionId
  const ids = new Set()
  for (const message of ['{"action":"sendMessage"}', 'hello', '{"action":"$connect"}', '{"action":"$disconnect"}', '{"action":"$default"}', '', '[]']) {
    client.send(message)
    const text = await client.text()
    const frame = /^\{"message": "Forbidden", "connectionId":"([\w-]{15}=)", "requestId":"([\w-]{15}=)"\}$/.exec(text)
    assert.ok(frame, text)
    assert.equal(frame[1], id)
    ids.add(frame[2])
  }
  assert.equal(ids.size, 7, 'each request has its id')
  assert.equal((await server.counters()).gw_routes_missed, 7)
  await request(server, 'POST', '/push/@broadcast', { body: 'still here' })
  assert.equal(await client.text(), 'still here')
  await client.close(1000)
  await quiet(server)
})
