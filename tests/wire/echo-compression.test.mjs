// permessage-deflate as `ws` speaks it: with and without context takeover, small windows, small messages plain.
// CL-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const ways = {
  'with context takeover': {},
  'without context takeover': { serverNoContextTakeover: true, clientNoContextTakeover: true },
  'with small windows': { serverMaxWindowBits: 10, clientMaxWindowBits: 9 },
}

for (const [name, options] of Object.entries(ways)) {
  test(`compressed messages ${name}`, async (t) => {
    const server = await start(t)
    const client = await connect(`${server.ws}/echo`, { perMessageDeflate: { threshold: 0, ...options } })
    assert.match(client.socket.extensions, /permessage-deflate/)
    const story = 'A weir stands across a stream, lets it through, and measures it. '
    for (const text of ['', 'a', story, story.repeat(1000), story, JSON.stringify({ story: story.repeat(200) })]) {
      client.send(text)
      assert.equal(await client.text(), text)
    }
    const bytes = randomBytes(300000)
    client.send(bytes)
    assert.ok(bytes.equals((await client.message()).data))
    await client.close(1000)
    await quiet(server)
  })
}

test('a long compressed answer is short on the wire', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`, { perMessageDeflate: { threshold: 0 } })
  const before = (await server.counters()).net_bytes_out
  const text = 'all work and no play '.repeat(50000)
  client.send(text)
  assert.equal(await client.text(), text)
  const sent = (await server.counters()).net_bytes_out - before
  assert.ok(sent < text.length / 20, `${sent} bytes for ${text.length}`)
  await client.close(1000)
  await quiet(server)
})

test('an inflation bomb is cut at the limit with 1009', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`, { perMessageDeflate: { threshold: 0 } })
  client.send(Buffer.alloc(64 << 20))
  assert.equal((await client.closed()).code, 1009)
  await quiet(server)
})
