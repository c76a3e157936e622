// ?userId= is believed but marked as claimed: listed under its name, not proven, and a body may name another.
// GW-13, AU-10, X-13
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

test('a claimed user', async (t) => {
  const server = await start(t)
  const url = `${server.ws}/riddle-rush`
  for (const [query, userId] of [['userId=ada', 'ada'], ['userId=a%20b+c', 'a b c'], ['x=1&userId=%F0%9F%8C%8A', '🌊'], ['userId=first&userId=second', 'first']]) {
    const client = await connect(`${url}?${query}`)
    const [row] = (await request(server, 'GET', '/riddle-rush/@connections')).json.connections
    assert.deepEqual([row.userId, row.proven], [userId, false])
    await client.close(1000)
    await quiet(server)
  }
  const nobody = await connect(url)
  const answer = await nobody.ask({ action: 'getUserStats', data: {} })
  assert.deepEqual([answer.type, answer.field], ['error', 'userId'])
  assert.equal((await nobody.ask({ action: 'getUserStats', data: { userId: 'bob' } })).data.userId, 'bob')
  const ada = await connect(`${url}?userId=ada`)
  assert.equal((await ada.ask({ action: 'getUserStats', data: {} })).data.userId, 'ada')
  assert.equal((await ada.ask({ action: 'getUserStats', data: { userId: 'bob' } })).data.userId, 'bob')
  for (const bad of ['userId=%ff', `userId=${'x'.repeat(257)}`]) assert.equal((await refused(`${url}?${bad}`)).status, 400, bad.slice(0, 20))
  for (const client of [nobody, ada]) await client.close(1000)
  await quiet(server)
})
