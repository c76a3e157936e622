// Keys of an issuer: RS256 and ES256 by PEM file or JWKS address. Rotation is followed, stale keys are kept while the issuer is away, the algorithms are never confused.
// AU-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import http from 'node:http'
import { atEnd, quiet, start, temporaryFolder, until } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { seconds, token, tokenEs256, tokenRs256 } from './lib/token.mjs'

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key) => key.export({ type: 'spki', format: 'pem' })

test('PEM files, and the public key as a secret', async (t) => {
  const folder = temporaryFolder(t)
  const [r, e] = [rsa(), ec()]
  writeFileSync(path.join(folder, 'rsa.pem'), pem(r.publicKey))
  writeFileSync(path.join(folder, 'ec.pem'), pem(e.publicKey))
  const server = await start(t, { folder, config: `
apis:
  by-rsa: {auth: jwt, jwt: {pemFile: rsa.pem}, routes: {}}
  by-ec: {auth: jwt, jwt: {pemFile: ec.pem, issuer: "https://issuer.example", audience: hub}, routes: {}}
` })
  const exp = seconds(await server.now(), 600)
  const claims = { sub: 'ada', exp }
  const full = { ...claims, iss: 'https://issuer.example', aud: ['other', 'hub'] }
  const good = [['by-rsa', tokenRs256(claims, r.privateKey)], ['by-ec', tokenEs256(full, e.privateKey)], ['by-ec', tokenEs256({ ...full, aud: undefined, client_id: 'hub' }, e.privateKey)]]
  for (const [api, given] of good) await (await connect(`${server.ws}/${api}?token=${given}`)).close(1000)
  const bad = {
    'the public key as an HMAC secret': ['by-rsa', token(claims, { key: pem(r.publicKey) })],
    'the same in ES256 clothes': ['by-ec', token(full, { key: pem(e.publicKey), header: { alg: 'ES256' } })],
    "the other's algorithm": ['by-rsa', tokenEs256(claims, e.privateKey)],
    'another key': ['by-rsa', tokenRs256(claims, rsa().privateKey)],
    'another issuer': ['by-ec', tokenEs256({ ...full, iss: 'https://issuer.example/' }, e.privateKey)],
    'no issuer': ['by-ec', tokenEs256({ ...full, iss: undefined }, e.privateKey)],
    'another audience': ['by-ec', tokenEs256({ ...full, aud: 'hubs' }, e.privateKey)],
    'no audience': ['by-ec', tokenEs256({ ...full, aud: undefined }, e.privateKey)],
  }
  for (const [what, [api, given]] of Object.entries(bad)) {
    const { status, body } = await refused(`${server.ws}/${api}?token=${given}`)
    assert.deepEqual([status, body.error], [401, 'INVALID_TOKEN'], what)
  }
  await quiet(server)
})

test('a JWKS address, its rotation, and the issuer away', async (t) => {
  const first = rsa()
  const second = ec()
  const jwk = (key, kid) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' })
  let keys = [jwk(first.publicKey, 'one')]
  let away = false
  let asked = 0
  const issuer = http.createServer((request, response) => {
    asked++
    response.writeHead(away ? 500 : 200, { 'content-type': 'application/json' })
    response.end(away ? '' : JSON.stringify({ keys }))
  })
  await new Promise((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => {
    issuer.closeAllConnections()
    issuer.close()
  })
  const server = await start(t, { config: `
apis:
  hub: {auth: jwt, jwt: {jwksUrl: "http://127.0.0.1:${issuer.address().port}/keys"}, routes: {}}
` })
  const exp = seconds(await server.now(), 30 * 86400)
  const byFirst = `${server.ws}/hub?token=${tokenRs256({ sub: 'ada', exp }, first.privateKey, { kid: 'one' })}`
  const bySecond = `${server.ws}/hub?token=${tokenEs256({ sub: 'ada', exp }, second.privateKey, { kid: 'two' })}`
  const opens = (url) => until('the token is taken', async () => {
    const client = await connect(url)
    await client.close(1000)
    return true
  }, { every: 100 })
  await opens(byFirst)
  assert.equal((await refused(bySecond)).status, 401)
  keys = [jwk(second.publicKey, 'two')]
  await server.advance(600000)
  await opens(bySecond)
  assert.equal((await refused(byFirst)).status, 401)
  away = true
  await server.advance(86400000)
  const before = asked
  for (let i = 0; i < 20; i++) {
    await opens(bySecond)
    await refused(byFirst).then(({ status }) => assert.ok([401, 503].includes(status)))
  }
  assert.ok(asked - before < 10, `${asked - before} questions to an issuer that is away`)
  await quiet(server)
})
