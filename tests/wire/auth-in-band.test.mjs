// With authInBand a socket may open without a token; until it has sent one, its messages get UNAUTHENTICATED_CONNECTION.
// GW-14, AU-5, AU-6, AU-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('authentication as a message', async (t) => {
  const team = await backend(t, (event) => `for ${event.requestContext.authorizer.userId}: ${event.body}`)
  const server = await start(t, { config: `
apis:
  chat:
    auth: jwt
    authInBand: true
    jwt: {secret: "${secret}"}
    routeSelection: $request.body.type
    routes:
      message: ${team.url}/message
` })
  const exp = seconds(await server.now(), 600)
  const client = await connect(`${server.ws}/chat`)
  const early = await client.ask({ type: 'message', message: 'hello', requestId: 1 })
  assert.deepEqual([early.type, early.error, early.requestId], ['error', 'UNAUTHENTICATED_CONNECTION', 1])
  assert.equal((await client.ask({ type: 'message' })).error, 'UNAUTHENTICATED_CONNECTION')
  assert.equal((await client.ask({ type: 'auth', token: 'x.y.z' })).error, 'INVALID_TOKEN')
  assert.equal((await client.ask({ type: 'auth', token: '' })).error, 'MISSING_TOKEN')
  assert.equal(team.events.length, 0)
  assert.equal((await client.ask({ action: 'auth', type: 'auth', token: token({ sub: 'ada', exp }), requestId: 2 })).type, 'ack')
  client.send('{"type":"message","message":"hello"}')
  assert.equal(await client.text(), 'for ada: {"type":"message","message":"hello"}')
  const [row] = (await request(server, 'GET', '/chat/@users/ada')).json.connections
  assert.equal(row.proven, true)
  await server.advance(700000)
  assert.equal((await client.closed()).code, 4401)
  assert.equal((await refused(`${server.ws}/chat?token=nonsense`)).status, 401)
  await quiet(server)
})

test('a socket that does not authenticate within a minute is closed', async (t) => {
  const team = await backend(t, () => '')
  const server = await start(t, { config: `
apis:
  chat:
    auth: jwt
    authInBand: true
    jwt: {secret: "${secret}"}
    routes:
      $default: ${team.url}/message
` })
  const late = await connect(`${server.ws}/chat`)
  const punctual = await connect(`${server.ws}/chat`)
  const exp = seconds(await server.now(), 600)
  assert.equal((await punctual.ask({ type: 'auth', token: token({ sub: 'ada', exp }) })).type, 'ack')
  await server.advance(61000)
  const { code, reason } = await late.closed()
  assert.deepEqual([code, String(reason)], [4401, 'UNAUTHENTICATED'])
  assert.equal((await punctual.ask({ type: 'auth', token: token({ sub: 'ada', exp }) })).type, 'ack')
  punctual.close()
  await quiet(server)
})
