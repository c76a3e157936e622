// Port 0 picks a port; the first line on standard output says where, as one JSON object, and all applications are mounted.
// OP-1, OP-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('the first line tells the addresses', async (t) => {
  const server = await start(t)
  assert.match(server.listening, /^127\.0\.0\.1:\d+$/)
  assert.notEqual(server.listening, '127.0.0.1:0')
  assert.equal(server.http, `http://${server.listening}`)
  assert.equal(server.ws, `ws://${server.listening}`)
  for (const api of ['echo', 'riddle-rush', 'clash-bot']) {
    const client = await connect(`${server.ws}/${api}?userId=ada`)
    await client.close(1000)
  }
  assert.equal((await request(server, 'GET', '/landing-hub/@connections')).status, 200)
  await quiet(server)
})
