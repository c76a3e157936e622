// The tables of the documents, seen through the wire: their indexes answer, their rows have the documents' lifetimes, and a registry's item count is the number of sockets.
// FO-2, FO-3, FO-4, TB-1, TB-2, TB-3, TB-4, TB-5, TB-7, TB-8, TB-11, TB-16, TB-17, LB-3, LB-4, IN-3, X-1, X-3
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from '../lib/weir.mjs'
import { connect } from '../lib/client.mjs'
import { seconds, secret, token } from '../lib/token.mjs'
import { ok } from './lib.mjs'

const HOUR = 3600
const DAY = 24 * HOUR

/** The rows that an index holds under one value of its hash attribute. */
async function rows(server, TableName, IndexName, attribute, value) {
  const { Items } = await ok(server, 'Query', { TableName, IndexName, KeyConditionExpression: '#k = :v',
    ExpressionAttributeNames: { '#k': attribute }, ExpressionAttributeValues: { ':v': { S: value } } })
  return Items
}

test('indexes, lifetimes, counts', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const now = seconds(await server.now())
  const expires = (row, lifetime) => assert.ok(Math.abs(Number(row.ttl.N) - now - lifetime) <= 5, `ttl ${row.ttl.N}, now ${now}`)
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const logged = { userId: 'ada', metricName: 'page-load', duration: 1234, timestamp: 1234567890, metadata: {} }
  assert.equal((await ada.ask({ action: 'logPerformance', data: logged })).type, 'ack')
  for (const score of [5000, 5000, 7000])
    assert.equal((await ada.ask({ action: 'updateLeaderboard', data: { userId: 'ada', gameMode: 'classic', score, playerName: 'Ada' } })).type, 'ack')

  const [metric] = await rows(server, 'riddle-rush-performance-dev', 'UserMetricsIndex', 'userId', 'ada')
  assert.equal(metric.duration.N, '1234')
  expires(metric, 30 * DAY)
  assert.deepEqual(await rows(server, 'riddle-rush-performance-dev', 'MetricNameIndex', 'metricName', 'page-load'), [metric])
  const board = 'riddle-rush-leaderboard-dev'
  const scores = async (index, attribute, value) => (await rows(server, board, index, attribute, value)).map((row) => Number(row.score.N)).sort()
  assert.deepEqual(await scores('ScoreIndex', 'gameMode', 'classic'), [5000, 5000, 7000])
  assert.deepEqual(await scores('UserScoresIndex', 'userId', 'ada'), [5000, 5000, 7000])
  const recent = await rows(server, board, 'TimestampIndex', 'gameMode', 'classic')
  assert.equal(recent.length, 3)
  recent.forEach((row) => expires(row, 90 * DAY))
  const [user] = await rows(server, 'riddle-rush-users-dev', 'CreatedAtIndex', 'kind', 'user')
  assert.equal(user.userId.S, 'ada')
  assert.deepEqual(await rows(server, 'riddle-rush-users-dev', 'EmailIndex', 'email', 'ada@example.org'), []) /* nobody has told an address */
  const [socket] = await rows(server, 'riddle-rush-ws-connections-dev', 'UserConnectionsIndex', 'userId', 'ada')
  assert.equal(socket.claimed.BOOL, true)
  expires(socket, 2 * HOUR)

  const claims = { sub: 'u1', role: 'user', name: 'Grace', email: 'grace@example.org', exp: now + HOUR }
  const grace = await connect(`${server.ws}/landing-hub?token=${token(claims)}`)
  assert.equal((await grace.ask({ action: 'dashboard:join' })).event, 'dashboard:joined')
  const [member] = await rows(server, 'landinghub-websocket-connections-prod', 'UserIdIndex', 'userId', 'u1')
  assert.deepEqual([member.userRole.S, member.userName.S, member.userEmail.S, member.rooms.L], ['user', 'Grace', 'grace@example.org', [{ S: 'dashboard_u1' }]])
  expires(member, 24 * HOUR)
  const watcher = await connect(`${server.ws}/iops-dashboard`)
  const [viewer] = await rows(server, 'iops-dashboard-websocket-connections', 'ConnectedAtIndex', 'kind', 'connection')
  assert.ok(viewer.ip.S && viewer.connectedAt.S.endsWith('Z'))
  expires(viewer, 24 * HOUR)
  const sockets = [await connect(`${server.ws}/clash-bot`), await connect(`${server.ws}/clash-bot/prod`)]
  const count = async () => (await ok(server, 'DescribeTable', { TableName: 'ClashWebSocketConnections' })).Table.ItemCount
  assert.equal(await count(), 2)
  const { Items } = await ok(server, 'Scan', { TableName: 'ClashWebSocketConnections' })
  Items.forEach((row) => expires(row, HOUR))
  for (const client of [ada, grace, watcher, ...sockets]) await client.close(1000)
  await quiet(server)
  assert.equal(await count(), 0)
})
