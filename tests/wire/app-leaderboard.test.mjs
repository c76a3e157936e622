// The leaderboard: no score is lost to an equal one, the earlier of two equals stands above, ranks are exact, each player counts with the best.
// TB-2, LB-1, LB-2, X-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const play = async (client, userId, score, gameMode = 'classic') => {
  const ack = await client.ask({ action: 'updateLeaderboard', data: { userId, gameMode, score, playerName: userId.toUpperCase(), timestamp: Date.now() } })
  assert.equal(ack.type, 'ack', JSON.stringify(ack))
}

const board = async (client, data) => {
  const answer = await client.ask({ action: 'getLeaderboard', data })
  assert.equal(answer.type, 'leaderboard', JSON.stringify(answer))
  return answer.data
}

test('ties, bests and ranks, also after a restart', async (t) => {
  const server = await start(t)
  let client = await connect(`${server.ws}/riddle-rush?userId=referee`)
  await play(client, 'ada', 100)
  await play(client, 'bob', 300)
  await play(client, 'cyd', 300)
  await play(client, 'dan', 200)
  await play(client, 'ada', 250)
  await play(client, 'ada', 50)
  await play(client, 'eve', 999, 'blitz')
  const check = async () => {
    const top = await board(client, { gameMode: 'classic', limit: 10 })
    const rows = top.entries.map((e) => [e.rank, e.userId, e.score])
    // Equal scores: whoever was first stands above. One row a player: the best counts.
    assert.deepEqual(rows, [[1, 'bob', 300], [2, 'cyd', 300], [3, 'ada', 250], [4, 'dan', 200]])
    assert.equal(top.entries[0].playerName, 'BOB')
    assert.deepEqual((await board(client, { gameMode: 'classic', limit: 2 })).entries.map((e) => e.userId), ['bob', 'cyd'])
    assert.deepEqual((await board(client, { gameMode: 'blitz', limit: 5 })).entries.map((e) => e.userId), ['eve'])
    assert.deepEqual((await board(client, { gameMode: 'classic', rank: 3 })).entries.map((e) => [e.rank, e.userId]), [[3, 'ada'], [4, 'dan']])
    assert.equal(top.players, 4)
    const around = await board(client, { gameMode: 'classic', around: 'cyd', limit: 3 })
    assert.deepEqual(around.entries.map((e) => e.userId), ['bob', 'cyd', 'ada'])
    assert.deepEqual([around.player.userId, around.player.rank], ['cyd', 2])
    assert.equal((await board(client, { gameMode: 'classic', around: 'me' })).player, null)
    assert.equal((await board(client, { gameMode: 'classic', around: 'me', userId: 'dan' })).player.rank, 4)
    assert.deepEqual((await board(client, { gameMode: 'nobody plays this' })).entries, [])
  }
  await check()
  await client.close(1000)
  await server.stop()
  await server.restart()
  client = await connect(`${server.ws}/riddle-rush?userId=referee`)
  await check()
  await client.close(1000)
  await quiet(server)
})
