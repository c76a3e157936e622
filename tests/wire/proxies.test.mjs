// Behind trusted proxies the client's address is the one they tell; from anybody else it is the peer's.
// GW-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { open } from './lib/raw.mjs'

const address = async (server) => (await request(server, 'GET', '/echo/@connections')).json.connections[0].identity.sourceIp

test('X-Forwarded-For', async (t) => {
  const trusting = await start(t, { config: 'trustedProxies: [127.0.0.0/8, 10.0.0.0/8]\napps: [echo]\n' })
  const plain = await start(t)
  for (const [server, forwarded, expected] of [
    [trusting, '203.0.113.7', '203.0.113.7'],
    [trusting, '198.51.100.1, 203.0.113.7, 10.1.2.3', '203.0.113.7'],
    [trusting, '2001:db8::7', '2001:db8::7'],
    [trusting, undefined, '127.0.0.1'],
    [plain, '203.0.113.7', '127.0.0.1'],
  ]) {
    const client = await connect(`${server.ws}/echo`, { headers: forwarded ? { 'x-forwarded-for': forwarded } : {} })
    assert.equal(await address(server), expected, forwarded)
    await client.close(1000)
    await quiet(server)
  }
})

test('the PROXY protocol', async (t) => {
  // Of loopback's many addresses one is the proxy's.
  const server = await start(t, { config: 'trustedProxies: [127.0.0.2]\nproxyProtocol: true\napps: [echo]\n' })
  const upgrade = 'GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
  const second = Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0, 12, 198, 51, 100, 9, 127, 0, 0, 1, 0x12, 0x34, 0, 80]),
  ])
  for (const [header, expected] of [['PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\n', '203.0.113.7'], ['PROXY TCP6 2001:db8::7 ::1 1234 80\r\n', '2001:db8::7'], ['PROXY UNKNOWN\r\n', '127.0.0.2'], [second, '198.51.100.9']]) {
    const raw = await open(server, '127.0.0.2')
    raw.write(header)
    raw.write(upgrade)
    await raw.expect(/^HTTP\/1\.1 101 /)
    assert.equal(await address(server), expected)
    raw.close()
    await quiet(server)
  }
  const bare = await open(server, '127.0.0.2')
  bare.write(upgrade)
  await bare.closed()
  assert.doesNotMatch(bare.text(), /101/)
  const stranger = await open(server)
  stranger.write('PROXY TCP4 203.0.113.7 127.0.0.1 1234 80\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await stranger.closed()
  assert.match(stranger.text(), /^HTTP\/1\.1 400 /, 'nobody else may tell another address')
  await quiet(server)
})
