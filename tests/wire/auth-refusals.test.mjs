// A token that does not hold refuses the handshake with 401 and says why, in the words of the documents.
// AU-1, AU-2, AU-3, AU-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { quiet, start } from './lib/weir.mjs'
import { refused } from './lib/client.mjs'
import { seconds, secret, token, tokenRs256, unsigned } from './lib/token.mjs'

const env = { JWT_SECRET: secret }

test('no token, an expired one, and what pretends to be one', async (t) => {
  const server = await start(t, { env })
  const url = `${server.ws}/landing-hub/prod`
  const now = await server.now()
  const good = { sub: 'ada', exp: seconds(now, 3600) }

  const missing = await refused(url)
  assert.equal(missing.status, 401)
  assert.equal(missing.body.error, 'MISSING_TOKEN')
  assert.equal(missing.headers['content-type'], 'application/json')
  assert.equal((await refused(`${url}?token=`)).body.error, 'MISSING_TOKEN')

  const exp = seconds(now, -3600)
  const expired = await refused(`${url}?token=${token({ ...good, exp })}`)
  assert.equal(expired.status, 401)
  assert.equal(expired.body.error, 'TOKEN_EXPIRED')
  assert.equal(expired.body.exp, exp)
  assert.ok(Math.abs(expired.body.now - seconds(now)) < 30)
  assert.equal(typeof expired.body.message, 'string')

  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [head, body, signature] = token(good).split('.')
  const invalid = {
    'another secret': token(good, { key: 'another secret that is long enough to be one' }),
    'alg none': unsigned(good),
    'alg none with the signature': `${unsigned(good)}${signature}`,
    'alg NonE': `${Buffer.from('{"alg":"NonE"}').toString('base64url')}.${body}.`,
    'another algorithm': tokenRs256(good, privateKey),
    'HS256 that calls itself RS256': token(good, { header: { alg: 'RS256' } }),
    'HS512 in name': token(good, { header: { alg: 'HS512' } }),
    'a changed body': `${head}.${Buffer.from(JSON.stringify({ ...good, sub: 'eve' })).toString('base64url')}.${signature}`,
    'a cut signature': `${head}.${body}.${signature.slice(0, -4)}`,
    'an unknown critical header': token(good, { header: { crit: ['b64'], b64: false } }),
    'an embedded key': token(good, { header: { jwk: { kty: 'oct', k: 'AAAA' }, alg: 'none' } }),
    'no expiry': token({ sub: 'ada' }),
    'not yet valid': token({ ...good, nbf: seconds(now, 3600) }),
    'two dots and nothing': '..',
    'no token at all': 'nonsense',
    'five parts': `${head}.${body}.${signature}.x.y`,
  }
  for (const [what, bad] of Object.entries(invalid)) {
    const { status, body: answer } = await refused(`${url}?token=${encodeURIComponent(bad)}`)
    assert.equal(status, 401, what)
    assert.equal(answer.error, 'INVALID_TOKEN', what)
    assert.equal('exp' in answer, false, what)
    assert.ok(!JSON.stringify(answer).includes(signature), `${what}: the token is not repeated`)
  }
  assert.doesNotMatch(server.stderr, /eyJ/, 'no token in the log')
  const counters = await server.counters()
  assert.equal(counters.ws_connects, 0)
  assert.equal(counters.ws_refused, Object.keys(invalid).length + 3)
  await quiet(server)
})
