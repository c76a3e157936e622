// A proven identity cannot write for another: a body with another userId is refused and counted, without one it writes for itself.
// AU-14, IN-4, SE-8, X-13
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('riddle_rush with tokens', async (t) => {
  const server = await start(t, { config: `
apps:
  riddle-rush: {auth: jwt, jwt: {secret: "${secret}"}}
` })
  const exp = seconds(await server.now(), 600)
  const as = (sub) => connect(`${server.ws}/riddle-rush?userId=eve&token=${token({ sub, exp })}`)
  const ada = await as('ada')
  const bob = await as('bob')
  const log = (client, userId) => client.ask({ action: 'logPerformance', data: { ...(userId && { userId }), metricName: 'page-load', duration: 1, timestamp: 1 } })
  assert.equal((await log(ada, 'ada')).type, 'ack')
  assert.equal((await log(ada)).type, 'ack')
  for (const forged of ['bob', 'eve', 'ADA', 'ada ']) {
    const answer = await log(ada, forged)
    assert.deepEqual([answer.type, answer.error, answer.field], ['error', 'FORBIDDEN', 'userId'], forged)
  }
  const score = await ada.ask({ action: 'updateLeaderboard', data: { userId: 'bob', gameMode: 'classic', score: 1, playerName: 'Bob', timestamp: 1 } })
  assert.deepEqual([score.error, score.field], ['FORBIDDEN', 'userId'])
  const mine = await ada.ask({ action: 'getUserStats', data: {} })
  assert.deepEqual([mine.data.userId, mine.data.metricsLogged, mine.data.games], ['ada', 2, 0])
  assert.equal((await bob.ask({ action: 'getUserStats', data: {} })).data.metricsLogged, 0)
  assert.equal((await server.counters()).gw_identity_mismatches, 5)
  for (const client of [ada, bob]) await client.close(1000)
  await quiet(server)
})
