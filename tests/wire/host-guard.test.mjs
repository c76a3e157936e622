// With development keys on loopback no web page can drive weir: neither under a name of its own (DNS rebinding) nor by its Origin.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('a foreign Host or Origin is refused where things can be done', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const foreign = await request(server, 'POST', '/echo/@broadcast', { headers: { host: 'evil.example' }, body: 'x' })
  assert.equal(foreign.status, 403)
  assert.equal(foreign.json.error, 'HOST_REFUSED')
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example'])
    assert.equal((await request(server, 'GET', '/echo/@connections', { headers: { host } })).status, 403, host)
  assert.equal((await request(server, 'GET', '/echo/@connections', { headers: { host: 'localhost@evil.example' } })).status, 400)
  for (const host of ['localhost', 'LOCALHOST:1234', '127.0.0.1', '[::1]:80'])
    assert.equal((await request(server, 'GET', '/echo/@connections', { headers: { host } })).status, 200, host)
  const page = await request(server, 'POST', '/echo/@broadcast', { headers: { origin: 'https://evil.example' }, body: 'x' })
  assert.equal(page.status, 403)
  assert.equal((await request(server, 'GET', '/healthz', { headers: { host: 'probe.internal' } })).status, 200)
  client.send('nothing came before')
  assert.equal(await client.text(), 'nothing came before')
  await client.close(1000)
  await quiet(server)
})
