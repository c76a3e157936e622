// TLS on the same port as plain HTTP, and a new certificate without a restart.
// SE-3
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import https from 'node:https'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { atEnd, program, quiet, start, temporaryFolder, until, within } from './lib/weir.mjs'
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

/** The server's first line; it cannot be asked for counters in plain, so it is not started as the other tests do. */
async function started(t, folder) {
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--data', path.join(folder, 'data'), '--config', path.join(folder, 'weir.yaml'), '--io-threads', '1'], { stdio: ['ignore', 'pipe', 'ignore'] })
  atEnd(t, async () => {
    child.kill('SIGTERM')
    await within('the end', new Promise((resolve) => (child.exitCode === null ? child.on('close', resolve) : resolve())))
  })
  const line = await within('the first line', new Promise((resolve) => child.stdout.once('data', resolve)))
  return JSON.parse(line)
}

test('TLS and nothing else, where the configuration says so', async (t) => {
  const folder = temporaryFolder(t)
  certificate(folder, 'only')
  writeFileSync(path.join(folder, 'weir.yaml'), 'tls: {certificate: certificate.pem, key: key.pem, only: true}\napps: [echo]\n')
  const first = await started(t, folder)
  assert.deepEqual([first.http, first.ws], [undefined, undefined])
  assert.equal(first.wss, `wss://${first.listening}`)
  const port = Number(first.listening.split(':')[1])
  for (const bytes of ['GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', 'G', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.from([0, 1, 2])]) {
    const answer = await within('the refusal', new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes))
      let text = ''
      socket.on('data', (piece) => (text += piece))
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
    }))
    assert.match(answer, /^(HTTP\/1\.1 426 Upgrade Required\r\n[\s\S]*https:\n)?$/)
  }
  const secure = await connect(`${first.wss}/echo`, { rejectUnauthorized: false })
  secure.send('in private')
  assert.equal(await secure.text(), 'in private')
  await secure.close(1000)
  const metrics = await fetch_(`${first.https}/metrics`)
  assert.match(metrics, /^weir_net_plain_refused_total 4$/m)
})

const fetch_ = (url) => within(url, new Promise((resolve, reject) => {
  https.get(url, { rejectUnauthorized: false, agent: false }, (answer) => {
    let text = ''
    answer.on('data', (piece) => (text += piece))
    answer.on('end', () => resolve(text))
  }).on('error', reject)
}))
