// Rates of a user and of an address hold over all their connections.
// SE-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('a user with many connections', async (t) => {
  const server = await start(t, { config: 'apps:\n  riddle-rush: {rates: {user: 1/m burst 6}}\n' })
  const ada = await Promise.all([1, 2, 3].map(() => connect(`${server.ws}/riddle-rush?userId=ada`)))
  const bob = await connect(`${server.ws}/riddle-rush?userId=bob`)
  const ask = (client) => client.ask({ action: 'getUserStats', data: {} })
  const answers = []
  for (let i = 0; i < 9; i++) answers.push(await ask(ada[i % 3]))
  assert.ok(answers.slice(0, 6).every((answer) => answer.type === 'userStats'))
  assert.equal(answers[8].error, 'RATE_LIMITED')
  assert.equal((await ask(bob)).type, 'userStats')
  await server.advance(61000)
  assert.equal((await ask(ada[0])).type, 'userStats')
  for (const client of [...ada, bob]) await client.close(1000)
  await quiet(server)
})

test('an address, its sockets and its requests', async (t) => {
  const server = await start(t, { config: 'apis:\n  push: {rates: {address: 1/m burst 5}, routes: {}}\n' })
  const statuses = []
  for (let i = 0; i < 8; i++) statuses.push((await request(server, 'GET', '/push/@connections')).status)
  assert.deepEqual(statuses.slice(0, 5), [200, 200, 200, 200, 200])
  assert.equal(statuses[7], 429)
  await server.advance(61000)
  assert.equal((await request(server, 'GET', '/push/@connections')).status, 200)
  assert.ok((await server.counters()).gw_rate_limited >= 1)
  await quiet(server)
})
