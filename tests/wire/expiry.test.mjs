// Lifetimes, driven: a score counts for 90 days to the second, a live connection's row is renewed and never expires.
// FO-3, TB-2, TB-8, TB-11, LB-4, ME-6, SE-7, X-2, X-14
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { advance, ok } from './dynamodb/lib.mjs'

const DAY = 86400000

test('a score is gone after 90 days', async (t) => {
  const server = await start(t)
  const say = async (message) => {
    const client = await connect(`${server.ws}/riddle-rush?userId=referee`)
    const answer = await client.ask(message)
    await client.close(1000)
    return answer
  }
  const play = (userId, score) => say({ action: 'updateLeaderboard', data: { userId, gameMode: 'classic', score, playerName: userId, timestamp: 1 } })
  const top = async () => (await say({ action: 'getLeaderboard', data: { gameMode: 'classic' } })).data
  await play('ada', 500)
  await server.advance(45 * DAY)
  await play('bob', 400)
  assert.deepEqual((await top()).entries.map((e) => e.userId), ['ada', 'bob'])
  await server.advance(45 * DAY - 3600000)
  assert.equal((await top()).entries.length, 2)
  await server.advance(3600000 + 1000)
  assert.deepEqual((await top()).entries.map((e) => [e.rank, e.userId]), [[1, 'bob']])
  await until('the rows are deleted', async () => (await server.counters()).tick_expired >= 2)
  assert.equal((await top()).players, 1)
  await server.advance(45 * DAY)
  assert.deepEqual((await top()).entries, [])
  await quiet(server)
})

const rows = async (server) => (await ok(server, 'Scan', { TableName: 'ClashWebSocketConnections' })).Items

test('the row of a live connection is renewed', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/clash-bot`) // its rows live for an hour
  for (let half = 0; half < 12; half++) {
    const [before] = await rows(server)
    await advance(server, 31 * 60000)
    await until('the renewal', async () => Number((await rows(server))[0].ttl.N) > Number(before.ttl.N))
    await client.ask({ type: 'ping' })
  }
  assert.equal((await server.counters()).tick_expired, 0)
  await client.close(1000)
  await quiet(server)
})
