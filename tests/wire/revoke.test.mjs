// DELETE /@users/{id} closes the user's sockets and refuses the tokens issued until then; newer ones are taken.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('a user is revoked', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret }, threads: 2 })
  const now = await server.now()
  const of = (sub, iat) => `${server.ws}/landing-hub?token=${token({ sub, iat, exp: iat + 7200 })}`
  const ada = await Promise.all([1, 2, 3].map(() => connect(of('ada', seconds(now)))))
  const bob = await connect(of('bob', seconds(now)))
  const { status, json } = await request(server, 'DELETE', '/landing-hub/@users/ada')
  assert.equal(status, 200)
  assert.equal(json.closed, 3)
  assert.match(json.revokedUntil, /^\d{4}-\d\d-\d\dT/)
  for (const client of ada) assert.ok([1008, 4401, 4403].includes((await client.closed()).code))
  assert.equal((await bob.ask({ action: 'ping' })).event, 'pong')
  const again = await refused(of('ada', seconds(now)))
  assert.equal(again.status, 401)
  assert.equal(again.body.error, 'INVALID_TOKEN')
  await server.advance(5000)
  const fresh = await connect(of('ada', seconds(now, 5)))
  await fresh.close(1000)

  const until = new Date(now + 3600000).toISOString()
  assert.equal((await request(server, 'DELETE', `/landing-hub/@users/bob?until=${until}`)).json.revokedUntil, until)
  await bob.closed()
  await server.advance(1800000)
  assert.equal((await refused(of('bob', seconds(now, 1700)))).status, 401)
  await server.advance(2000000)
  await (await connect(of('bob', seconds(now, 3700)))).close(1000)
  assert.equal((await request(server, 'DELETE', '/landing-hub/@users/bob?until=tomorrow')).status, 400)
  await quiet(server)
})

test('a revocation survives a crash', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const now = await server.now()
  const of = (sub) => `${server.ws}/landing-hub?token=${token({ sub, iat: seconds(now), exp: seconds(now, 7200) })}`
  const until = new Date(now + 3600000).toISOString()
  assert.equal((await request(server, 'DELETE', `/landing-hub/@users/ada?until=${until}`)).status, 200)
  await server.kill9()
  await server.restart()
  const { status, body } = await refused(of('ada'))
  assert.deepEqual([status, body.error], [401, 'INVALID_TOKEN'])
  await (await connect(of('bob'))).close(1000)
  await quiet(server)
})
