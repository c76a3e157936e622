// What is not a command comes back as it came: text or binary, empty or 16 MiB, whole or in fragments.
// CL-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('text and binary come back', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  for (const text of ['hello', '', 'Grüße 🌊', '{"action":"nobody knows this"}', '{broken', '[1,2]', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65535), 'x'.repeat(65536)]) {
    client.send(text)
    const message = await client.message()
    assert.equal(message.binary, false)
    assert.equal(message.text, text)
  }
  for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    const bytes = randomBytes(size)
    client.send(bytes)
    const message = await client.message()
    assert.equal(message.binary, true)
    assert.ok(bytes.equals(message.data), `${size} bytes`)
  }
  await client.close(1000)
  await quiet(server)
})

test('16 MiB come back, a byte more closes with 1009', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const bytes = randomBytes(16 << 20)
  client.send(bytes)
  const message = await client.message()
  assert.ok(bytes.equals(message.data))
  client.send(Buffer.alloc((16 << 20) + 1))
  assert.equal((await client.closed()).code, 1009)
  assert.equal((await server.counters()).ws_too_large, 1)
  await quiet(server)
})

test('fragments are one message, with a ping between them', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const pong = new Promise((resolve) => client.socket.on('pong', (data) => resolve(data.toString())))
  client.send('one, ', { fin: false })
  client.socket.ping('are you there')
  client.send('two, ', { fin: false })
  client.send('three', { fin: true })
  assert.equal(await pong, 'are you there')
  assert.equal(await client.text(), 'one, two, three')
  await client.close(1000)
  await quiet(server)
})

test('sixteen in flight come back in order', async (t) => {
  const server = await start(t, { threads: 2 })
  const client = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 2000; i++) client.send(String(i))
  for (let i = 0; i < 2000; i++) assert.equal(await client.text(), String(i))
  await client.close(1000)
  await quiet(server)
})
