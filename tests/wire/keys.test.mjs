// With keys of one's own nothing of the management answers unsigned, and the development keys are unknown.
import test from 'node:test'
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const signed = async (server, method, target, { body, accessKeyId = 'AKIDOURS', secretAccessKey = 'a long secret of ours', at = new Date(), service = 'execute-api' } = {}) => {
  const url = new URL(server.http + target)
  const signer = new SignatureV4({ service, region: 'us-east-1', credentials: { accessKeyId, secretAccessKey }, sha256: Sha256 })
  const { headers } = await signer.sign({
    method, protocol: 'http:', hostname: url.hostname, port: Number(url.port), path: url.pathname, query: Object.fromEntries(url.searchParams), headers: { host: url.host }, body,
  }, { signingDate: at })
  return request(server, method, target, { headers, body })
}

test('everything is signed', async (t) => {
  const server = await start(t, { config: `
keys:
  - {id: AKIDOURS, secret: a long secret of ours}
apps: [echo]
` })
  const client = await connect(`${server.ws}/echo`)
  for (const [method, target] of [['GET', '/echo/@connections'], ['POST', '/echo/@broadcast'], ['GET', '/echo/@rooms/tea'], ['DELETE', '/echo/@users/ada'], ['GET', '/echo/@connections/AAAAAAAAAAAAAAA='], ['GET', '/@connections/AAAAAAAAAAAAAAA=']]) {
    const answer = await request(server, method, target)
    assert.equal(answer.status, 403, target)
    assert.equal(answer.headers['x-amzn-errortype'], 'MissingAuthenticationTokenException')
  }
  assert.equal((await signed(server, 'GET', '/echo/@connections')).json.count, 1)
  assert.equal((await signed(server, 'POST', '/echo/@broadcast?event=hello&key=%C3%BC', { body: '{"n":1}' })).json.delivered, 1)
  assert.equal((await client.json()).event, 'hello')
  const wrong = [
    [{ accessKeyId: 'test', secretAccessKey: 'test' }, 'UnrecognizedClientException'],
    [{ secretAccessKey: 'guess' }, 'InvalidSignatureException'],
    [{ service: 'dynamodb' }, 'InvalidSignatureException'],
    [{ at: new Date(Date.now() - 3600000) }, 'InvalidSignatureException'],
  ]
  for (const [options, type] of wrong) {
    const answer = await signed(server, 'POST', '/echo/@broadcast', { body: 'x', ...options })
    assert.deepEqual([answer.status, answer.headers['x-amzn-errortype']], [403, type], JSON.stringify(options))
  }
  const host = new URL(server.http).host
  const { headers } = await new SignatureV4({ service: 'execute-api', region: 'us-east-1', credentials: { accessKeyId: 'AKIDOURS', secretAccessKey: 'a long secret of ours' }, sha256: Sha256 })
    .sign({ method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path: '/echo/@broadcast', query: {}, headers: { host }, body: 'this' })
  assert.equal((await request(server, 'POST', '/echo/@broadcast', { headers, body: 'that' })).status, 403, 'another body than the signed one')
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  client.send('nothing came before')
  assert.equal(await client.text(), 'nothing came before')
  await client.close(1000)
  await quiet(server)
})
