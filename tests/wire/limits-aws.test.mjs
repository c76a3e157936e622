// limits: aws: what API Gateway cuts, cut alike: 128 KiB messages, 32 KiB frames, text only, 10 idle minutes, 2 hours of life.
// GW-10, X-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const config = `
apis:
  strict:
    limits: aws
    routes: {}
`
const KIB = 1024
const forbidden = /"message": "Forbidden"/

const inFrames = (client, size, piece) => {
  for (let left = size; left > 0; left -= piece) client.send('x'.repeat(Math.min(left, piece)), { fin: left <= piece })
}

test('sizes', async (t) => {
  const server = await start(t, { config })
  const url = `${server.ws}/strict`
  const full = await connect(url)
  inFrames(full, 128 * KIB, 32 * KIB)
  assert.match(await full.text(), forbidden)
  inFrames(full, 128 * KIB + 1, 32 * KIB)
  assert.equal((await full.closed()).code, 1009)
  const wide = await connect(url)
  wide.send('x'.repeat(32 * KIB))
  assert.match(await wide.text(), forbidden)
  wide.send('x'.repeat(32 * KIB + 1))
  assert.equal((await wide.closed()).code, 1009)
  const binary = await connect(url)
  binary.send(Buffer.from('x'))
  assert.equal((await binary.closed()).code, 1003)
  const target = await connect(url)
  const id = (await request(server, 'GET', '/strict/@connections')).json.connections[0].connectionId
  const post = (size) => request(server, 'POST', `/strict/@connections/${encodeURIComponent(id)}`, { body: 'x'.repeat(size) })
  assert.equal((await post(128 * KIB)).status, 200)
  assert.equal((await target.text()).length, 128 * KIB)
  const large = await post(128 * KIB + 1)
  assert.equal(large.status, 413)
  assert.equal(large.headers['x-amzn-errortype'], 'PayloadTooLargeException')
  await target.close(1000)
  await quiet(server)
})

test('ten idle minutes', async (t) => {
  const server = await start(t, { config })
  const busy = await connect(`${server.ws}/strict`)
  const idle = await connect(`${server.ws}/strict`)
  await server.advance(9 * 60000)
  idle.socket.ping()
  busy.send('I am here')
  assert.match(await busy.text(), forbidden)
  await server.advance(61000)
  assert.deepEqual(await idle.closed(), { code: 1001, reason: 'Going away' })
  busy.send('still')
  assert.match(await busy.text(), forbidden)
  const counters = await server.counters()
  assert.equal(counters.ws_idle_timeouts, 1)
  await busy.close(1000)
  await quiet(server)
})

test('two hours', async (t) => {
  const server = await start(t, { config })
  const client = await connect(`${server.ws}/strict`)
  for (let minutes = 0; minutes < 119; minutes += 7) {
    await server.advance(7 * 60000)
    if (minutes + 7 >= 119) break
    client.send('busy')
    assert.match(await client.text(), forbidden)
  }
  await server.advance(60000)
  assert.deepEqual(await client.closed(), { code: 1001, reason: 'Going away' })
  assert.equal((await server.counters()).ws_lifetime_ends, 1)
  await quiet(server)
})

test('without it nothing of this is cut', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/clash-bot`)
  for (let hour = 0; hour < 5; hour++) {
    const before = client.pings
    await server.advance(3600000)
    await until('a heartbeat', () => client.pings > before)
    await client.ask({ type: 'ping' })
  }
  client.send('x'.repeat(1 << 20))
  assert.equal((await client.json()).type, 'ack')
  await client.close(1000)
  await quiet(server)
})
