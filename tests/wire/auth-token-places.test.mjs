// A token may stand in the query, in the Authorization header, or in the subprotocols, where browsers can put it.
// GW-13, AU-1, AU-4, AU-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('query, header and subprotocol, and the claims become the identity', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const url = `${server.ws}/landing-hub`
  const exp = seconds(await server.now(), 3600)
  const given = token({ sub: 'ada', name: 'Ada L', email: 'ada@example.org', role: 'admin', exp })
  const places = [
    [`${url}?token=${given}`, {}, ''],
    [`${url}/prod?x=1&token=${given}`, {}, ''],
    [url, { headers: { authorization: `Bearer ${given}` } }, ''],
    [url, { headers: { authorization: `bearer ${given}` } }, ''],
    [url, { protocols: ['bearer', given] }, 'bearer'],
    [`${url}?token=${given}`, { protocols: ['chat', 'other'] }, 'chat'],
  ]
  for (const [at, options, protocol] of places) {
    const client = await connect(at, options)
    assert.equal(client.socket.protocol, protocol)
    assert.equal((await client.ask({ action: 'ping' })).event, 'pong')
    const [row] = (await request(server, 'GET', '/landing-hub/@connections')).json.connections
    assert.deepEqual([row.userId, row.userRole, row.proven], ['ada', 'admin', true])
    await client.close(1000)
    await quiet(server)
  }
  assert.equal((await refused(url, { headers: { authorization: `Basic ${given}` } })).body.error, 'MISSING_TOKEN')
  assert.equal((await refused(url, { protocols: ['bearer', `${given}x`] })).body.error, 'INVALID_TOKEN')
  assert.doesNotMatch(server.stderr, /eyJ/)
  await quiet(server)
})

test('ids under other names, and admins by group', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const exp = seconds(await server.now(), 3600)
  for (const [claims, userId, userRole] of [
    [{ userId: 'bob' }, 'bob', 'user'],
    [{ id: 42 }, '42', 'user'],
    [{ sub: 'c', 'cognito:groups': ['players', 'admin'] }, 'c', 'admin'],
    [{ sub: 'd', role: 'user', groups: ['admin'] }, 'd', 'user'],
  ]) {
    const client = await connect(`${server.ws}/landing-hub?token=${token({ ...claims, exp })}`)
    const [row] = (await request(server, 'GET', '/landing-hub/@connections')).json.connections
    assert.deepEqual([row.userId, row.userRole], [userId, userRole])
    await client.close(1000)
    await quiet(server)
  }
})
