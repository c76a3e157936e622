// @rooms, @users, @broadcast: the body verbatim, or wrapped in the API's envelope with ?event=; the answer counts who was reached.
// FO-5, FO-6, FO-7, FO-10, FO-14, WF-4, ME-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const reached = (delivered) => ({ delivered, dropped: 0, gone: 0 })

for (const threads of [1, 2])
  test(`rooms, users, everybody, with ${threads} io thread(s)`, async (t) => {
    const server = await start(t, { threads })
    const all = await Promise.all(Array.from({ length: 6 }, () => connect(`${server.ws}/echo`)))
    for (const client of all.slice(0, 4)) await client.ask({ action: 'join', room: 'tee & käse/1' })
    const room = `/echo/@rooms/${encodeURIComponent('tee & käse/1')}`
    assert.deepEqual((await request(server, 'POST', room, { body: 'as it is \u{1f30a}' })).json, reached(4))
    for (const client of all.slice(0, 4)) assert.equal(await client.text(), 'as it is \u{1f30a}')
    assert.deepEqual((await request(server, 'POST', '/echo/@broadcast', { body: '{"to":"all"}' })).json, reached(6))
    for (const client of all) assert.equal(await client.text(), '{"to":"all"}')
    const bytes = Buffer.from([0, 1, 2, 0xff])
    assert.deepEqual((await request(server, 'POST', '/echo/@broadcast?binary=true', { body: bytes })).json, reached(6))
    for (const client of all) {
      const message = await client.message()
      assert.equal(message.binary, true)
      assert.ok(bytes.equals(message.data))
    }
    assert.equal((await request(server, 'POST', '/echo/@broadcast', { body: bytes })).status, 400)
    assert.deepEqual((await request(server, 'POST', '/echo/@rooms/nobody', { body: 'x' })).json, reached(0))
    assert.equal((await request(server, 'PUT', '/echo/@rooms/tea', { body: 'x' })).status, 405)
    assert.ok([403, 405].includes((await request(server, 'GET', '/echo/@broadcast')).status))
    assert.ok([403, 400].includes((await request(server, 'POST', `/echo/@rooms/${'x'.repeat(300)}`, { body: 'x' })).status))
    for (const client of all) await client.close(1000)
    await quiet(server)
  })

test("all of a user's connections", async (t) => {
  const server = await start(t, { threads: 2 })
  const ada = await Promise.all([1, 2, 3].map(() => connect(`${server.ws}/riddle-rush?userId=${encodeURIComponent('ada lovelace')}`)))
  const bob = await connect(`${server.ws}/riddle-rush?userId=bob`)
  assert.deepEqual((await request(server, 'POST', '/riddle-rush/@users/ada%20lovelace', { body: 'for ada' })).json, reached(3))
  for (const client of ada) assert.equal(await client.text(), 'for ada')
  assert.deepEqual((await request(server, 'POST', '/riddle-rush/@users/bob?event=hello', { body: '{"n":12345678901234567890.5}' })).json, reached(1))
  const text = await bob.text()
  const { event, data, timestamp } = JSON.parse(text)
  assert.equal(event, 'hello')
  assert.ok(text.includes('12345678901234567890.5'), 'numbers keep their text')
  assert.equal(typeof data.n, 'number')
  assert.match(timestamp, ISO)
  for (const client of [...ada, bob]) await client.close(1000)
  await quiet(server)
})

test('what the documents send: the envelopes of landing_hub and clash_bot', async (t) => {
  const server = await start(t)
  const clash = await connect(`${server.ws}/clash-bot/prod`)
  const sent = { tournamentId: 'tournament-123', startTime: '2024-01-01T18:00:00.000Z' }
  assert.deepEqual((await request(server, 'POST', '/clash-bot/@broadcast?event=tournament.registered', { body: JSON.stringify(sent) })).json, reached(1))
  const { timestamp, ...message } = await clash.json()
  assert.deepEqual(message, { type: 'tournament.registered', tournamentId: 'tournament-123', data: sent })
  assert.match(timestamp, ISO)
  await clash.close(1000)
  await quiet(server)
})

test('a body that is no JSON cannot be wrapped', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  for (const body of ['{broken', '{"a":1}{', '\u0001', 'hello'])
    assert.equal((await request(server, 'POST', '/echo/@broadcast?event=x', { body })).status, 400, body)
  assert.equal((await request(server, 'POST', '/echo/@broadcast?event=%zz', { body: '1' })).status, 400)
  assert.deepEqual((await request(server, 'POST', '/echo/@broadcast?event=empty', {})).json, reached(1))
  assert.equal((await client.json()).data, null)
  await client.close(1000)
  await quiet(server)
})
