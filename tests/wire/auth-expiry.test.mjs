// A socket ends with its token: 4401, unless it is renewed in band. Time is driven.
// AU-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const SKEW_S = 60 // by which clocks may differ

test('at expiry the socket closes with 4401', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const exp = seconds(await server.now(), 600)
  const client = await connect(`${server.ws}/landing-hub?token=${token({ sub: 'ada', exp })}`)
  await server.advance(590000)
  assert.equal((await client.ask({ action: 'ping' })).event, 'pong')
  await server.advance((10 + SKEW_S) * 1000)
  assert.deepEqual(await client.closed(), { code: 4401, reason: 'TOKEN_EXPIRED' })
  await quiet(server)
})

test('a renewed token keeps it open, a bad one is answered and changes nothing', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const now = await server.now()
  const client = await connect(`${server.ws}/landing-hub?token=${token({ sub: 'ada', exp: seconds(now, 600) })}`)
  const expired = await client.ask({ type: 'auth', token: token({ sub: 'ada', exp: seconds(now, -600) }), requestId: 'a' })
  assert.equal(expired.event, 'error')
  assert.equal(expired.data.error, 'TOKEN_EXPIRED')
  assert.equal(expired.data.field, 'token')
  assert.equal(expired.data.requestId, 'a')
  assert.equal(expired.data.exp, seconds(now, -600))
  assert.equal(typeof expired.data.now, 'number')
  assert.equal((await client.ask({ action: 'auth', data: { token: 'nonsense' } })).data.error, 'INVALID_TOKEN')
  assert.equal((await client.ask({ type: 'auth' })).data.error, 'MISSING_TOKEN')
  const other = await client.ask({ type: 'auth', token: token({ sub: 'eve', exp: seconds(now, 3600) }) })
  assert.equal(other.data.error, 'FORBIDDEN')
  const renewed = await client.ask({ type: 'auth', token: token({ sub: 'ada', exp: seconds(now, 1800) }), requestId: 'b' })
  assert.equal(renewed.event, 'ack')
  assert.equal(renewed.data.requestId, 'b')
  await server.advance(700000)
  assert.equal((await client.ask({ action: 'ping' })).event, 'pong')
  await server.advance(1200000)
  assert.equal((await client.closed()).code, 4401)
  await quiet(server)
})
