// REST routes are guarded as the sockets of their API are: a token in the Authorization header, a signature.
// AU-2
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('a token for REST', async (t) => {
  const team = await backend(t, (event) => ({ body: event.requestContext.authorizer }))
  const server = await start(t, { config: `
apis:
  hub:
    auth: jwt
    jwt: {secret: "${secret}"}
    routes: {"GET /me": "${team.url}/me"}
  signed:
    auth: iam
    routes: {"GET /me": "${team.url}/me"}
` })
  const exp = seconds(await server.now(), 600)
  const me = (authorization) => request(server, 'GET', '/hub/me', { headers: authorization ? { authorization } : {} })
  const good = await me(`Bearer ${token({ sub: 'ada', role: 'admin', exp })}`)
  assert.equal(good.status, 200)
  assert.deepEqual([good.json.userId, good.json.userRole, good.json.proven], ['ada', 'admin', true])
  for (const [authorization, error] of [[undefined, 'MISSING_TOKEN'], ['Bearer nonsense', 'INVALID_TOKEN'], [`Bearer ${token({ sub: 'ada', exp: exp - 86400 })}`, 'TOKEN_EXPIRED']]) {
    const answer = await me(authorization)
    assert.deepEqual([answer.status, answer.json.error], [401, error])
  }
  assert.equal((await request(server, 'GET', '/signed/me')).status, 403)
  assert.equal(team.events.length, 1)
  await quiet(server)
})
