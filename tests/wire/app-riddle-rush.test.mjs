// riddle_rush: the conversation of its document, and what a client gets for a wrong field.
// GW-14, IN-1, IN-2, IN-4, LB-1, LB-6, SE-5, X-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('the three messages of the document', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush/prod?userId=user123`)
  const logged = await client.ask({
    action: 'logPerformance', requestId: 'r-1',
    data: { userId: 'user123', metricName: 'page-load', duration: 1234, timestamp: 1234567890, metadata: {} },
  })
  assert.equal(logged.type, 'ack')
  assert.equal(logged.action, 'logPerformance')
  assert.equal(logged.requestId, 'r-1')
  assert.equal(typeof logged.seq, 'number')
  const scored = await client.ask({
    action: 'updateLeaderboard',
    data: { userId: 'user123', gameMode: 'classic', score: 5000, playerName: 'John Doe', timestamp: 1234567890 },
  })
  assert.equal(scored.type, 'ack')
  assert.equal('requestId' in scored, false)
  assert.ok(scored.seq > logged.seq)
  const stats = await client.ask({ action: 'getUserStats', data: { userId: 'user123' }, requestId: 'r-3' })
  assert.equal(stats.type, 'userStats')
  assert.equal(stats.requestId, 'r-3')
  const { firstSeen, lastSeen, ...data } = stats.data
  assert.ok(Date.parse(firstSeen) <= Date.parse(lastSeen))
  assert.deepEqual(data, {
    userId: 'user123', games: 1, metricsLogged: 1,
    modes: { classic: { games: 1, best: 5000, last: 5000 } },
    metrics: { 'page-load': { count: 1, sum: 1234, average: 1234, min: 1234, max: 1234 } },
  })
  await client.close(1000)
  await quiet(server)
})

test('all four envelopes say the same', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const fields = { userId: 'ada', metricName: 'page-load', duration: 10, timestamp: '2026-01-17T10:30:00.000Z' }
  for (const message of [{ action: 'logPerformance', data: fields }, { action: 'logPerformance', ...fields }, { type: 'logPerformance', ...fields }, { type: 'logPerformance', data: fields }])
    assert.equal((await client.ask(message)).type, 'ack', JSON.stringify(message))
  await client.close(1000)
  await quiet(server)
})

test('a wrong field is answered by its name and nothing is written', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const log = { userId: 'ada', metricName: 'page-load', duration: 1, timestamp: 1 }
  const score = { userId: 'ada', gameMode: 'classic', score: 1, playerName: 'Ada', timestamp: 1 }
  const wrong = [
    ['logPerformance', { ...log, metricName: undefined }, 'metricName', 'MISSING'],
    ['logPerformance', { ...log, metricName: 7 }, 'metricName', 'TYPE'],
    ['logPerformance', { ...log, metricName: '' }, 'metricName', 'INVALID'],
    ['logPerformance', { ...log, duration: 'long' }, 'duration', 'TYPE'],
    ['logPerformance', { ...log, duration: -1 }, 'duration', 'INVALID'],
    ['logPerformance', { ...log, timestamp: 'yesterday' }, 'timestamp', 'INVALID'],
    ['logPerformance', { ...log, metadata: 'none' }, 'metadata', 'TYPE'],
    ['updateLeaderboard', { ...score, gameMode: undefined }, 'gameMode', 'MISSING'],
    ['updateLeaderboard', { ...score, score: '5000' }, 'score', 'TYPE'],
    ['updateLeaderboard', { ...score, score: -1 }, 'score', 'INVALID'],
    ['updateLeaderboard', { ...score, score: 1.5 }, 'score', 'INVALID'],
    ['updateLeaderboard', { ...score, gameMode: 'x'.repeat(2000) }, 'gameMode', 'TOO_LARGE'],
  ]
  for (const [action, data, field, error] of wrong) {
    const answer = await client.ask({ action, data, requestId: 'q' })
    assert.deepEqual([answer.type, answer.field, answer.error, answer.requestId], ['error', field, error, 'q'], `${action} ${JSON.stringify(data)}`)
  }
  const { data } = await client.ask({ action: 'getUserStats', data: { userId: 'ada' } })
  assert.doesNotMatch(JSON.stringify(data), /page-load|classic/)
  await client.close(1000)
  await quiet(server)
})

test('what is no action and no JSON is answered, and the connection stays', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (const message of ['hello', '{broken', '{"action":"noSuchThing"}', '{"action":7}', '[]', 'null', '{"action":"$connect"}', '{"action":"@later"}']) {
    client.send(message)
    const answer = await client.json()
    assert.ok(answer.type === 'error' || answer.message === 'Forbidden', `${message}: ${JSON.stringify(answer)}`)
  }
  assert.equal((await client.ask({ action: 'getUserStats', data: { userId: 'ada' } })).type, 'userStats')
  await client.close(1000)
  await quiet(server)
})
