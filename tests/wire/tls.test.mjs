// TLS on the same port as plain HTTP, and a new certificate without a restart.
// SE-3
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import tls from 'node:tls'
import { quiet, start, temporaryFolder, until, within } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const certificate = (folder, name) =>
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'certificate.pem')], { stdio: 'ignore' })

const served = (server, options = {}) =>
  within('a TLS handshake', new Promise((resolve, reject) => {
    const url = new URL(server.http)
    const socket = tls.connect({ host: '127.0.0.1', port: Number(url.port), rejectUnauthorized: false, ...options }, () => {
      resolve({ name: socket.getPeerCertificate().subject.CN, version: socket.getProtocol() })
      socket.destroy()
    })
    socket.on('error', reject)
  }))

test('wss and ws on one port, versions, reload', async (t) => {
  const folder = temporaryFolder(t)
  certificate(folder, 'first')
  const server = await start(t, { folder, config: 'tls: {certificate: certificate.pem, key: key.pem}\napps: [echo]\n' })
  assert.equal(server.first.https, `https://${server.listening}`)
  assert.equal(server.first.wss, `wss://${server.listening}`)
  const secure = await connect(`${server.first.wss}/echo`, { rejectUnauthorized: false })
  const plain = await connect(`${server.ws}/echo`)
  for (const client of [secure, plain]) {
    client.send('x'.repeat(1 << 20))
    assert.equal((await client.text()).length, 1 << 20)
  }
  assert.deepEqual(await served(server), { name: 'first', version: 'TLSv1.3' })
  assert.equal((await served(server, { maxVersion: 'TLSv1.2' })).version, 'TLSv1.2')
  await assert.rejects(served(server, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  certificate(folder, 'second')
  server.child.kill('SIGHUP')
  await until('the new certificate', async () => (await served(server)).name === 'second')
  secure.send('the old connection lives on')
  assert.equal(await secure.text(), 'the old connection lives on')
  for (const client of [secure, plain]) await client.close(1000)
  await quiet(server)
})
