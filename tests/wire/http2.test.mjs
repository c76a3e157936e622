// HTTP/2 with prior knowledge on the one port: the same doors, guards and answers as over HTTP/1.1.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { quiet, start, temporaryFolder, until, within } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect } from './lib/client.mjs'
import { session } from './lib/http2.mjs'

test('health, console, guards', async (t) => {
  const server = await start(t)
  const h2 = await session(server)
  const health = await h2.ask('GET', '/healthz')
  assert.equal(health.status, 200)
  assert.equal(health.json.status, 'ok')
  assert.ok(Date.parse(health.headers.date))
  assert.equal(Number(health.headers['content-length']), health.bytes.length)
  assert.equal(health.headers.connection, undefined)
  const head = await h2.ask('HEAD', '/healthz')
  assert.deepEqual([head.status, head.bytes.length, Number(head.headers['content-length']) > 0], [200, 0, true])
  assert.match((await h2.ask('GET', '/metrics')).body, /^weir_h2_connections 1$/m)
  assert.match((await h2.ask('GET', '/')).body, /^healthy: /)
  assert.equal((await h2.ask('GET', '/nothing/here')).status, 403)
  const foreign = await h2.ask('GET', '/echo/@connections', { headers: { ':authority': 'evil.example' } })
  assert.deepEqual([foreign.status, foreign.json.error], [403, 'HOST_REFUSED'])
  assert.equal((await h2.ask('POST', '/echo/@broadcast', { headers: { origin: 'https://evil.example' }, body: 'x' })).status, 403)
  assert.equal((await h2.ask('GET', '/echo/@connections')).status, 200)
  assert.equal((await h2.ask('GET', '/echo')).status, 403, 'a WebSocket asks for an upgrade, and HTTP/2 has none')
  await h2.close()
  await quiet(server)
  const { h2_connections, h2_streams } = await server.counters()
  assert.deepEqual([h2_connections, h2_streams], [0, 0])
})

test('routes of an API and @connections', async (t) => {
  const team = await backend(t, (event) => ({ status: 201, body: { got: event.body, by: event.headers['x-mine'], cookie: event.headers.cookie } }))
  const server = await start(t, { threads: 2, config: `apps: [echo]\napis:\n  shop:\n    routes:\n      POST /orders/{id}: ${team.url}/orders\n` })
  const socket = await connect(`${server.ws}/echo`)
  const h2 = await session(server)
  const made = await h2.ask('POST', '/shop/orders/7?a=b', { headers: { 'x-mine': 'yes', cookie: ['a=1', 'b=2'] }, body: '{"n":1}' })
  assert.equal(made.status, 201)
  assert.deepEqual(made.json, { got: '{"n":1}', by: 'yes', cookie: 'a=1; b=2' })
  const { event } = await team.event('/orders')
  assert.deepEqual([event.pathParameters.id, event.queryStringParameters.a, event.requestContext.http.method], ['7', 'b', 'POST'])
  const { connectionId } = (await h2.ask('GET', '/echo/@connections')).json.connections[0]
  const id = encodeURIComponent(connectionId)
  assert.equal((await h2.ask('POST', `/echo/@connections/${id}`, { body: 'over h2' })).status, 200)
  assert.equal(await socket.text(), 'over h2')
  const zipped = await h2.ask('POST', `/echo/@connections/${id}`, { headers: { 'content-encoding': 'gzip' }, body: gzipSync('zipped') })
  assert.equal(zipped.status, 200)
  assert.equal(await socket.text(), 'zipped')
  const patient = await h2.ask('POST', `/echo/@connections/${id}`, { headers: { expect: '100-continue' }, body: 'asked first' })
  assert.deepEqual(patient.infos, [100])
  assert.equal(await socket.text(), 'asked first')
  assert.equal((await h2.ask('DELETE', `/echo/@connections/${id}`)).status, 204)
  await socket.closed()
  const gone = await h2.ask('POST', `/echo/@connections/${id}`, { body: 'late' })
  assert.deepEqual([gone.status, gone.body], [410, ''])
  await h2.close()
  await quiet(server)
})

test('hundreds of requests at once, and large bodies both ways', async (t) => {
  const team = await backend(t, (event, { path: asked }) => (asked === '/large' ? { body: Buffer.from(event.body.split('').reverse().join('')) } : { body: { n: event.queryStringParameters.n } }))
  const server = await start(t, { threads: 2, config: `apis:\n  shop:\n    routes:\n      GET /n: ${team.url}/n\n      POST /large: ${team.url}/large\n` })
  const h2 = await session(server, { maxSessionMemory: 100 })
  assert.equal(h2.client.remoteSettings.maxConcurrentStreams, 128)
  const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => h2.ask('GET', `/shop/n?n=${n}`)))
  answers.forEach((answer, n) => assert.deepEqual([answer.status, answer.json], [200, { n: String(n) }]))
  const large = 'abcdefgh'.repeat(1 << 17)
  const all = await Promise.all(Array.from({ length: 8 }, (_, n) => h2.ask('POST', '/shop/large', { body: `${n}${large}` })))
  all.forEach((answer, n) => assert.ok(answer.status === 200 && answer.body.length === large.length + 1 && answer.body.endsWith(`a${n}`), `answer ${n}: ${answer.status}`))
  const refused = h2.client.request({ ':method': 'POST', ':path': '/shop/large' })
  refused.on('error', () => {}).end(Buffer.alloc(40 << 20))
  const [fields] = await within('a refusal', once(refused, 'response'))
  assert.equal(fields[':status'], 413)
  refused.destroy()
  assert.equal((await h2.ask('GET', '/healthz')).status, 200)
  await h2.close()
  await quiet(server)
})

test('a reader who stops gets no further work done and then is let go', async (t) => {
  let asked = 0
  const team = await backend(t, () => {
    asked++
    return { body: Buffer.alloc(200_000, 'x') }
  })
  const server = await start(t, { config: `apis:\n  shop:\n    routes: {GET /n: "${team.url}/n"}\n` })
  const h2 = await session(server, { settings: { initialWindowSize: 0 } })
  const streams = Array.from({ length: 100 }, () => h2.client.request({ ':path': '/shop/n' }).on('error', () => {}))
  // All that were begun before the first answer came are answered; none is begun after.
  await until('answers that wait', async () => (await server.counters()).net_queue_bytes > 200_000)
  await until('the rest of the answers', async () => (await server.counters()).net_queue_bytes >= asked * 200_000)
  const held = asked
  for (let i = 0; i < 20; i++) streams.push(h2.client.request({ ':path': '/shop/n' }).on('error', () => {}))
  await h2.client.settings
  await within('a ping', new Promise((resolve) => h2.client.ping(resolve)))
  assert.equal(asked, held)
  await server.advance(61_000)
  await within('the end', h2.end)
  await quiet(server)
})

test('a reset request is forgotten', async (t) => {
  const team = await backend(t, () => new Promise(() => {}))
  const server = await start(t, { config: `apis:\n  shop:\n    routes: {GET /never: "${team.url}/never"}\n` })
  const h2 = await session(server)
  const stream = h2.client.request({ ':path': '/shop/never' })
  stream.on('error', () => {})
  await team.event('/never')
  stream.close(8)
  await until('no stream', async () => (await server.counters()).h2_streams === 0)
  assert.equal((await server.counters()).h2_resets, 1)
  assert.equal((await h2.ask('GET', '/healthz')).status, 200)
  await h2.close()
  await until('an idle server', async () => (await server.counters()).h2_connections === 0)
})

test('while it drains, what is under way is answered', async (t) => {
  let answer
  const team = await backend(t, () => new Promise((resolve) => (answer = () => resolve('in time'))))
  const server = await start(t, { config: `apis:\n  shop:\n    routes: {GET /slow: "${team.url}/slow"}\n` })
  const idle = await session(server)
  const h2 = await session(server)
  const asked = h2.ask('GET', '/shop/slow')
  await team.event('/slow')
  server.child.kill('SIGTERM')
  await within('the idle session ends', idle.end)
  await until('GOAWAY', () => h2.state.goaway)
  assert.equal(h2.state.goaway.code, 0)
  answer()
  assert.deepEqual((({ status, body }) => [status, body])(await asked), [200, 'in time'])
  assert.deepEqual(await within('the end', server.ended), { code: 0, signal: null })
})

test('h2 by ALPN inside TLS, beside HTTP/1.1 and WebSocket', async (t) => {
  const folder = temporaryFolder(t)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=h2',
    '-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'certificate.pem')], { stdio: 'ignore' })
  const server = await start(t, { folder, config: 'tls: {certificate: certificate.pem, key: key.pem}\napps: [echo]\n' })
  const h2 = await session(server, { url: server.first.https, rejectUnauthorized: false })
  assert.equal(h2.client.alpnProtocol, 'h2')
  assert.equal((await h2.ask('GET', '/healthz')).status, 200)
  const socket = await connect(`${server.first.wss}/echo`, { rejectUnauthorized: false })
  const large = 'x'.repeat(900_000)
  const { connectionId } = (await h2.ask('GET', '/echo/@connections')).json.connections[0]
  assert.equal((await h2.ask('POST', '/echo/@broadcast', { body: large })).status, 200)
  assert.equal(await socket.text(), large)
  assert.equal((await h2.ask('GET', `/echo/@connections/${encodeURIComponent(connectionId)}`)).status, 200)
  await socket.close(1000)
  await h2.close()
  await quiet(server)
})

test('curl with prior knowledge', async (t) => {
  const server = await start(t)
  let answer
  try {
    answer = execFileSync('curl', ['--noproxy', '*', '-s', '-i', '--http2-prior-knowledge', `${server.http}/healthz`], { encoding: 'utf8' })
  } catch (error) {
    if (error.code === 'ENOENT' || error.status === 2) return t.skip('no curl that speaks HTTP/2')
    throw error
  }
  assert.match(answer, /^HTTP\/2 200 /)
  assert.match(answer, /"status":"ok"/)
  await quiet(server)
})
