// weir token: a token that the server of the same data folder or configuration accepts, and only the token on standard output.
// AU-3
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { quiet, request, run, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())

test('the development secret of a data folder', async (t) => {
  const server = await start(t)
  const data = path.join(server.folder, 'data')
  const made = await run(['token', '--api', 'landing-hub', '--user', 'grace', '--role', 'admin', '--name', 'Grace H', '--email', 'grace@example.org', '--groups', 'a,b', '--ttl', '30m', '--data', data])
  assert.equal(made.code, 0, made.stderr)
  assert.match(made.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const claims = claimsOf(made.stdout.trim())
  assert.equal(claims.sub, 'grace')
  assert.ok(Math.abs(claims.exp - Date.now() / 1000 - 1800) < 60)
  const client = await connect(`${server.ws}/landing-hub?token=${made.stdout.trim()}`)
  const [row] = (await request(server, 'GET', '/landing-hub/@connections')).json.connections
  assert.deepEqual([row.userId, row.userRole], ['grace', 'admin'])
  await client.close(1000)
  const foreign = await run(['token', '--api', 'landing-hub', '--user', 'eve', '--data', path.join(server.folder, 'another')])
  assert.equal((await refused(`${server.ws}/landing-hub?token=${foreign.stdout.trim()}`)).body.error, 'INVALID_TOKEN')
  await quiet(server)
})

test("a configuration's own secret, issuer and audience", async (t) => {
  const server = await start(t, { config: `
apis:
  hub:
    auth: jwt
    jwt: {secret: "a secret of the configuration, long enough", issuer: https://issuer.example, audience: hub, skew: 0s}
    routes: {}
` })
  const file = path.join(server.folder, 'weir.yaml')
  const { stdout } = await run(['token', '--api', 'hub', '--user', 'ada', '--config', file])
  const claims = claimsOf(stdout.trim())
  assert.equal(claims.iss, 'https://issuer.example')
  assert.equal(claims.aud, 'hub')
  await (await connect(`${server.ws}/hub?token=${stdout.trim()}`)).close(1000)
  await quiet(server)
})

test('what cannot be signed is told', async (t) => {
  const server = await start(t)
  const data = path.join(server.folder, 'data')
  for (const [args, code, words] of [
    [['--api', 'echo', '--user', 'x'], 1, /does not take tokens/],
    [['--api', 'nowhere', '--user', 'x'], 1, /landing-hub/],
    [['--api', 'landing-hub'], 2, /--user/],
    [['--api', 'landing-hub', '--user', 'x', '--ttl', 'soon'], 2, /--ttl/],
  ]) {
    const { code: got, stdout, stderr } = await run(['token', ...args, '--data', data])
    assert.equal(got, code, args.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, words)
  }
})
