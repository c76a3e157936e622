// auth: iam: the upgrade is signed with SigV4, in its query (as browsers do it) or in its headers. The key is then the user.
// AU-12, X-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

const config = `
apis:
  signed:
    auth: iam
    routes: {}
`

const signer = (over = {}) =>
  new SignatureV4({ service: 'execute-api', region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, sha256: Sha256, uriEscapePath: true, applyChecksum: false, ...over })

const asked = (server, path = '/signed/prod', query = {}) => {
  const url = new URL(server.http)
  return { method: 'GET', protocol: 'http:', hostname: url.hostname, port: Number(url.port), path, query, headers: { host: url.host } }
}

const presigned = async (server, { signerOptions, path, query, ...options } = {}) => {
  const signed = await signer(signerOptions).presign(asked(server, path, query), { expiresIn: 300, ...options })
  return `${server.ws}${signed.path}?${new URLSearchParams(signed.query)}`.replaceAll('+', '%20')
}

test('a presigned address and a signed head open, the key is the user', async (t) => {
  const server = await start(t, { config })
  const byQuery = await connect(await presigned(server, { query: { room: 'tea & biscuits' } }))
  const head = await signer().sign(asked(server))
  const { host, ...headers } = head.headers
  const byHeader = await connect(`${server.ws}/signed/prod`, { headers })
  const listed = (await request(server, 'GET', '/signed/@connections')).json
  assert.equal(listed.count, 2)
  for (const row of listed.connections) assert.deepEqual([row.userId, row.proven], ['test', true])
  for (const client of [byQuery, byHeader]) await client.close(1000)
  await quiet(server)
})

test('without a good signature the handshake is refused with 403', async (t) => {
  const server = await start(t, { config })
  const good = await presigned(server)
  const now = await server.now()
  const attempts = {
    'no signature': `${server.ws}/signed/prod`,
    'another secret': await presigned(server, { signerOptions: { credentials: { accessKeyId: 'test', secretAccessKey: 'guess' } } }),
    'an unknown key': await presigned(server, { signerOptions: { credentials: { accessKeyId: 'eve', secretAccessKey: 'test' } } }),
    'another service': await presigned(server, { signerOptions: { service: 'dynamodb' } }),
    'another path': good.replace('/signed/prod', '/signed'),
    'another query': `${good}&more=1`,
    'a changed signature': good.replace(/(X-Amz-Signature=)(.)/, (all, name, first) => name + (first === '0' ? '1' : '0')),
    'a signature of yesterday': await presigned(server, { signingDate: new Date(now - 86400000) }),
    'a signature of tomorrow': await presigned(server, { signingDate: new Date(now + 86400000) }),
  }
  for (const [what, url] of Object.entries(attempts)) {
    const { status, body } = await refused(url)
    assert.equal(status, 403, what)
    assert.equal(typeof body.message, 'string', what)
  }
  assert.equal((await refused(attempts['no signature'])).body.error, 'MissingAuthenticationTokenException')
  assert.equal((await refused(attempts['an unknown key'])).body.error, 'UnrecognizedClientException')
  assert.equal((await refused(attempts['another secret'])).body.error, 'InvalidSignatureException')
  await (await connect(good)).close(1000)
  await server.advance(301000)
  assert.equal((await refused(good)).status, 403)
  await quiet(server)
})
