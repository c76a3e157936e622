// landing_hub: rooms and who may enter them, the three ways to send, the envelope {event, data, timestamp} everywhere.
// GW-15, AU-13, FO-6 … FO-11, CH-5, SE-5, SE-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const reached = (delivered) => ({ delivered, dropped: 0, gone: 0 })

const land = async (t, options) => {
  const server = await start(t, { env: { JWT_SECRET: secret }, ...options })
  const exp = seconds(await server.now(), 3600)
  const as = (sub, role) => connect(`${server.ws}/landing-hub?token=${token({ sub, role, exp })}`)
  return { server, as }
}

/** Event and data; the timestamp is checked here. */
const event = async (client) => {
  const { timestamp, ...rest } = await client.json()
  assert.match(timestamp, ISO)
  return rest
}
const ask = (client, message) => {
  client.send(message)
  return event(client)
}

test('the six actions', async (t) => {
  const { server, as } = await land(t)
  const admin = await as('boss', 'admin')
  const ada = await as('ada')
  assert.deepEqual(await ask(admin, { action: 'dashboard:join' }), { event: 'dashboard:joined', data: { room: 'dashboard_admin' } })
  assert.deepEqual(await ask(ada, { action: 'dashboard:join', requestId: 7 }), { event: 'dashboard:joined', data: { room: 'dashboard_ada', requestId: 7 } })
  assert.deepEqual(await ask(ada, { action: 'chat:join_room', room: 'chat_lobby' }), { event: 'chat:joined', data: { room: 'chat_lobby' } })
  assert.deepEqual(await ask(ada, { action: 'chat:join_room', data: { room: 'chat_two' } }), { event: 'chat:joined', data: { room: 'chat_two' } })
  assert.deepEqual(await ask(ada, { action: 'ping' }), { event: 'pong', data: {} })
  const [row] = (await request(server, 'GET', '/landing-hub/@users/ada')).json.connections
  assert.deepEqual(row.rooms.sort(), ['chat_lobby', 'chat_two', 'dashboard_ada'])

  const none = await ask(admin, { action: 'dashboard:refresh' })
  assert.deepEqual(none, { event: 'dashboard:refreshed', data: { room: 'dashboard_admin', sequence: 0, message: null } })
  assert.deepEqual((await request(server, 'POST', '/landing-hub/@rooms/dashboard_admin?event=dashboard:update', { body: '{"type":"new_order","orderId":"123"}' })).json, reached(1))
  const update = await event(admin)
  assert.deepEqual(update, { event: 'dashboard:update', data: { type: 'new_order', orderId: '123' } })
  const refreshed = await ask(admin, { action: 'dashboard:refresh' })
  assert.equal(refreshed.event, 'dashboard:refreshed')
  assert.deepEqual(refreshed.data.message.data, update.data)
  assert.ok(refreshed.data.sequence > 0)

  assert.deepEqual(await ask(ada, { action: 'chat:leave_room', room: 'chat_two' }), { event: 'chat:left', data: { room: 'chat_two' } })
  assert.deepEqual(await ask(ada, { action: 'dashboard:leave' }), { event: 'dashboard:left', data: { room: 'dashboard_ada' } })
  assert.deepEqual((await request(server, 'POST', '/landing-hub/@rooms/chat_two?event=x', { body: '1' })).json, reached(0))
  for (const client of [admin, ada]) await client.close(1000)
  await quiet(server)
})

test('sendToUser, sendToRoom, broadcast', async (t) => {
  const { server, as } = await land(t, { threads: 2 })
  const ada = [await as('ada'), await as('ada')]
  const bob = await as('bob')
  await ask(bob, { action: 'chat:join_room', room: 'chat_lobby' })
  const post = async (path, body) => (await request(server, 'POST', `/landing-hub/prod${path}`, { body: JSON.stringify(body) })).json
  assert.deepEqual(await post('/@users/ada?event=order_delivered', { orderId: '123', amount: 50000 }), reached(2))
  for (const client of ada) assert.deepEqual(await event(client), { event: 'order_delivered', data: { orderId: '123', amount: 50000 } })
  assert.deepEqual(await post('/@rooms/chat_lobby?event=dashboard:update', { type: 'new_order' }), reached(1))
  assert.deepEqual(await event(bob), { event: 'dashboard:update', data: { type: 'new_order' } })
  assert.deepEqual(await post('/@broadcast?event=system_alert', { message: 'System maintenance in 5 minutes' }), reached(3))
  for (const client of [...ada, bob]) assert.deepEqual(await event(client), { event: 'system_alert', data: { message: 'System maintenance in 5 minutes' } })
  for (const client of [...ada, bob]) await client.close(1000)
  await quiet(server)
})

test('a room belongs to whom it is named after', async (t) => {
  const { server, as } = await land(t)
  const admin = await as('boss', 'admin')
  const ada = await as('ada')
  for (const [client, room, allowed] of [
    [ada, 'dashboard_ada', true], [ada, 'user_ada', true], [ada, 'dashboard_bob', false], [ada, 'dashboard_admin', false], [ada, 'admin_alerts', false],
    [ada, 'dashboard_adam', false], [ada, 'dashboard_', false], [ada, 'anything', false], [admin, 'admin_alerts', true], [admin, 'dashboard_admin', true],
  ]) {
    const answer = await ask(client, { action: 'dashboard:join', room })
    if (allowed) assert.equal(answer.event, 'dashboard:joined', room)
    else assert.deepEqual([answer.event, answer.data.error, answer.data.field], ['error', 'FORBIDDEN', 'room'], room)
  }
  const refresh = await ask(ada, { action: 'dashboard:refresh', room: 'dashboard_admin' })
  assert.equal(refresh.data.error, 'FORBIDDEN')
  for (const client of [admin, ada]) await client.close(1000)
  await quiet(server)
})

test("errors come in the application's envelope, by field, and the connection stays", async (t) => {
  const { server, as } = await land(t)
  const ada = await as('ada')
  for (const [message, error, field] of [
    [{ action: 'chat:join_room' }, 'MISSING', 'room'],
    [{ action: 'chat:join_room', room: 5 }, 'TYPE', 'room'],
    [{ action: 'chat:join_room', room: 'lobby' }, 'INVALID', 'room'],
    [{ action: 'chat:join_room', room: 'chat_' }, 'FORBIDDEN', 'room'],
    [{ action: 'dashboard:join', room: 'x'.repeat(300) }, 'TOO_LARGE', 'room'],
    [{ action: 'nothing like it' }, 'UNKNOWN_ACTION', 'action'],
    ['hello', 'UNKNOWN_ACTION', 'action'],
  ]) {
    const answer = await ask(ada, message)
    assert.deepEqual([answer.event, answer.data.error, answer.data.field], ['error', error, field], JSON.stringify(message))
  }
  assert.equal((await ask(ada, { action: 'ping' })).event, 'pong')
  await ada.close(1000)
  await quiet(server)
})

test("a room's newest message is durable", async (t) => {
  const { server, as } = await land(t)
  await request(server, 'POST', '/landing-hub/@rooms/dashboard_ada?event=dashboard:update', { body: '{"n":1}' })
  await request(server, 'POST', '/landing-hub/@rooms/dashboard_ada?event=dashboard:update', { body: '{"n":2}' })
  await server.kill9()
  await server.restart()
  const ada = await as('ada')
  const { data } = await ask(ada, { action: 'dashboard:refresh' })
  assert.deepEqual(data.message.data, { n: 2 })
  await ada.close(1000)
  await quiet(server)
})
