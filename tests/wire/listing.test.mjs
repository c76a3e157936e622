// Who is there: connections of an API, of a user, of a room, with their queues.
// FO-4, FO-9, OP-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('connections, users and rooms are listed', async (t) => {
  const server = await start(t, { threads: 2 })
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`, { headers: { 'user-agent': 'wire' } })
  const ada2 = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const bob = await connect(`${server.ws}/riddle-rush?userId=bob`)
  const listed = (await request(server, 'GET', '/riddle-rush/@connections')).json
  assert.equal(listed.count, 3)
  assert.deepEqual(listed.connections.map((c) => c.userId).sort(), ['ada', 'ada', 'bob'])
  for (const row of listed.connections) {
    assert.match(row.connectionId, /^[\w-]{15}=$/)
    assert.ok(Date.parse(row.connectedAt) <= Date.parse(row.lastActiveAt))
    assert.equal(row.identity.sourceIp, '127.0.0.1')
    assert.equal(row.proven, false)
    assert.deepEqual(row.rooms, [])
    assert.equal(row.queuedBytes, 0)
  }
  const of = async (path) => (await request(server, 'GET', path)).json.connections.map((c) => c.userId)
  assert.deepEqual(await of('/riddle-rush/@connections?userId=ada'), ['ada', 'ada'])
  assert.deepEqual(await of('/riddle-rush/@users/bob'), ['bob'])
  assert.deepEqual(await of('/riddle-rush/@users/nobody'), [])
  assert.equal((await request(server, 'GET', '/riddle-rush/@connections?limit=x')).status, 400)
  assert.equal((await request(server, 'POST', '/riddle-rush/@connections')).status, 405)

  const guest = await connect(`${server.ws}/echo`)
  await guest.ask({ action: 'join', room: 'tea' })
  await guest.ask({ action: 'join', room: 'coffee' })
  const room = (await request(server, 'GET', '/echo/@rooms/tea')).json
  assert.equal(room.count, 1)
  assert.deepEqual(room.members[0].rooms.sort(), ['coffee', 'tea'])
  await guest.close(1000)
  assert.equal((await request(server, 'GET', '/echo/@rooms/tea')).json.count, 0)
  for (const client of [ada, ada2, bob]) await client.close(1000)
  await quiet(server)
})
