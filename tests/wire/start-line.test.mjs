// Port 0 picks a port; the first line on standard output says where, as one JSON object, and all applications are mounted.
// OP-1, OP-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

test('the first line tells the addresses', async (t) => {
  const server = await start(t)
  assert.match(server.listening, /^127\.0\.0\.1:\d+$/)
  assert.notEqual(server.listening, '127.0.0.1:0')
  assert.equal(server.http, `http://${server.listening}`)
  assert.equal(server.ws, `ws://${server.listening}`)
  const { apis } = server.first
  assert.deepEqual(apis.echo, { path: '/echo', stages: ['prod'], tables: [] })
  assert.deepEqual([apis['riddle-rush'].path, apis['riddle-rush'].stages], ['/riddle-rush', ['prod']])
  const { TableNames } = await dynamodb(server, 'ListTables', {})
  for (const name of ['riddle-rush-users-dev', 'riddle-rush-leaderboard-dev', 'riddle-rush-ws-connections-dev']) assert.ok(apis['riddle-rush'].tables.includes(name), name)
  for (const { tables } of Object.values(apis)) for (const name of tables) assert.ok(TableNames.includes(name), name)
  for (const api of ['echo', 'riddle-rush', 'clash-bot']) {
    const client = await connect(`${server.ws}/${api}?userId=ada`)
    await client.close(1000)
  }
  assert.equal((await request(server, 'GET', '/landing-hub/@connections')).status, 200)
  await quiet(server)
})
