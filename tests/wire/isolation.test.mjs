// APIs are isolated: rooms, users and connections of one are unknown to the other, whatever their names.
// GW-20
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('two APIs share nothing', async (t) => {
  const server = await start(t, { threads: 2 })
  const echo = await connect(`${server.ws}/echo`)
  await echo.ask({ action: 'join', room: 'tea' })
  const rider = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const clash = await connect(`${server.ws}/clash-bot?userId=ada`)

  assert.deepEqual((await request(server, 'POST', '/riddle-rush/@rooms/tea', { body: 'x' })).json, { delivered: 0, dropped: 0, gone: 0 })
  assert.deepEqual((await request(server, 'POST', '/echo/@users/ada', { body: 'x' })).json, { delivered: 0, dropped: 0, gone: 0 })
  assert.deepEqual((await request(server, 'POST', '/clash-bot/@broadcast', { body: '"clash"' })).json, { delivered: 1, dropped: 0, gone: 0 })
  assert.equal(await clash.text(), '"clash"')

  const [{ connectionId }] = (await request(server, 'GET', '/echo/@connections')).json.connections
  const target = `/@connections/${encodeURIComponent(connectionId)}`
  assert.equal((await request(server, 'POST', `/riddle-rush${target}`, { body: 'x' })).status, 410)
  assert.equal((await request(server, 'DELETE', `/clash-bot${target}`)).status, 410)
  assert.equal((await request(server, 'POST', target, { body: 'without a prefix' })).status, 200)
  assert.equal(await echo.text(), 'without a prefix')
  assert.equal((await request(server, 'GET', '/riddle-rush/@connections')).json.count, 1)

  for (const client of [rider, clash]) {
    const id = client === rider ? 'rider' : 'clash'
    client.send(client === rider ? { action: 'getUserStats', data: { userId: 'ada' } } : { type: 'ping' })
    assert.ok(await client.text(), `${id} got nothing that was not its own`)
  }
  for (const client of [echo, rider, clash]) await client.close(1000)
  await quiet(server)
})
