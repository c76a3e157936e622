// Two thousand games of three hundred players against a model: every rank, every page, the total.
// LB-2, X-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

// The same games each time.
let seed = 42
const random = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
  return seed % below
}

test('ranks are exact', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=referee`)
  const best = new Map()
  const games = Array.from({ length: 2000 }, () => ({ userId: `player${random(300)}`, score: random(500) }))
  games.push({ userId: 'last', score: 0 }, { userId: 'first', score: Number.MAX_SAFE_INTEGER })
  for (const [order, { userId, score }] of games.entries()) {
    client.send({ action: 'updateLeaderboard', data: { userId, gameMode: 'model', score, playerName: userId, timestamp: 1 } })
    if (!best.has(userId) || best.get(userId).score < score) best.set(userId, { score, order })
  }
  for (let i = 0; i < games.length; i++) assert.equal((await client.json()).type, 'ack')
  const model = [...best].map(([userId, { score, order }]) => ({ userId, score, order })).sort((a, b) => b.score - a.score || a.order - b.order)
  const expected = model.map(({ userId, score }, i) => [i + 1, userId, score])

  const got = []
  for (let rank = 1; rank <= model.length; rank += 100) {
    const { data } = await client.ask({ action: 'getLeaderboard', data: { gameMode: 'model', rank, limit: 100 } })
    assert.equal(data.players, model.length)
    got.push(...data.entries.map((e) => [e.rank, e.userId, e.score]))
  }
  assert.deepEqual(got, expected)
  for (const [rank, userId] of expected.filter((_, i) => i % 17 === 0)) {
    const { data } = await client.ask({ action: 'getLeaderboard', data: { gameMode: 'model', around: userId, limit: 5 } })
    assert.equal(data.player.rank, rank)
    assert.deepEqual(data.entries.map((e) => e.rank), expected.slice(Math.max(0, rank - 3), Math.max(0, rank - 3) + 5).map(([r]) => r))
  }
  const beyond = await client.ask({ action: 'getLeaderboard', data: { gameMode: 'model', rank: model.length + 1 } })
  assert.deepEqual(beyond.data.entries, [])
  await client.close(1000)
  await quiet(server)
})
