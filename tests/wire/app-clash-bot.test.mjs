// clash_bot: ping gets pong, anything else gets ack, workflow events reach everybody in the document's envelope.
// GW-15, GW-16, AU-11, FO-5, WF-4, X-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

test('pong, ack and broadcasts', async (t) => {
  const server = await start(t, { threads: 2 })
  const clients = await Promise.all(Array.from({ length: 5 }, () => connect(`${server.ws}/clash-bot/prod`)))
  const [client] = clients
  const { timestamp, ...pong } = await client.ask({ type: 'ping' })
  assert.deepEqual(pong, { type: 'pong' })
  assert.match(timestamp, ISO)
  for (const message of [{ type: 'hello' }, { action: 'anything' }, 'not JSON', '{broken', {}, '[1]', '{"type":5}']) {
    client.send(message)
    assert.deepEqual(await client.json(), { type: 'ack', message: 'Message received' }, JSON.stringify(message))
  }
  const steps = [
    ['workflow.started', { tournamentId: 'tournament-123', executionArn: 'arn:aws:states:us-east-1:123456789012:execution:x:y' }],
    ['tournament.registered', { tournamentId: 'tournament-123', startTime: '2024-01-01T18:00:00.000Z' }],
    ['players.assigned', { tournamentId: 'tournament-123', teamId: 'team-tournament-123', assignedCount: 5 }],
    ['teams.locked', { tournamentId: 'tournament-123', teamId: 'team-tournament-123', status: 'locked' }],
  ]
  for (const [type, data] of steps) {
    const { json } = await request(server, 'POST', `/clash-bot/@broadcast?event=${type}`, { body: JSON.stringify(data) })
    assert.deepEqual(json, { delivered: 5, dropped: 0, gone: 0 })
  }
  for (const each of clients)
    for (const [type, data] of steps) {
      const { timestamp: at, ...event } = await each.json()
      assert.deepEqual(event, { type, tournamentId: 'tournament-123', data })
      assert.match(at, ISO)
    }
  for (const each of clients) await each.close(1000)
  await quiet(server)
})
