// A flood of pings costs a bounded queue: a reader who takes the pongs gets them in order, one who does not holds no memory.
// GW-23
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { frame, upgrade } from './lib/raw.mjs'

test('50,000 pings', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  let last = -1
  client.socket.on('pong', (data) => {
    const number = Number(data.toString())
    assert.ok(number > last, 'pongs come in order')
    last = number
  })
  for (let i = 0; i < 50000; i++) client.socket.ping(String(i))
  client.send('done')
  assert.equal(await client.text(), 'done')
  await until('the pong of the newest ping', () => last === 49999)
  await client.close(1000)
  await quiet(server)
})

test('a flood by one who does not read is bounded', async (t) => {
  const server = await start(t)
  const raw = await upgrade(server, '/echo')
  raw.socket.pause()
  const many = Buffer.concat(Array.from({ length: 2000 }, () => frame(9, 'x'.repeat(100))))
  for (let i = 0; i < 50; i++) if (!raw.write(many)) await until('the socket takes more', () => raw.socket.writableLength < many.length, { within: 3000 }).catch(() => {})
  assert.ok((await server.counters()).net_queue_bytes < 1 << 20)
  const other = await connect(`${server.ws}/echo`)
  other.send('nobody is stalled')
  assert.equal(await other.text(), 'nobody is stalled')
  await other.close(1000)
  raw.close()
  await quiet(server)
})
