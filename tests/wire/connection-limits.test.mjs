// Bounds of the whole server: sockets, and idle HTTP connections by the clock.
// SE-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { open } from './lib/raw.mjs'

test('more sockets than allowed are refused, and taken again when there is room', async (t) => {
  const server = await start(t, { config: 'limits: {connections: 20}\napps: [echo]\n' })
  const clients = []
  for (let i = 0; i < 18; i++) clients.push(await connect(`${server.ws}/echo`))
  const more = await Promise.allSettled(Array.from({ length: 10 }, () => connect(`${server.ws}/echo`)))
  const refused = more.filter((m) => m.status === 'rejected').length
  assert.ok(refused >= 8, `${refused} of 10 refused`)
  for (const client of [...clients, ...more.filter((m) => m.value).map((m) => m.value)]) await client.close(1000)
  await until('room again', async () => (await server.counters()).net_accepts_refused >= refused)
  await (await connect(`${server.ws}/echo`)).close(1000)
  await quiet(server)
})

test('an idle HTTP connection is closed after its time, a used one is kept', async (t) => {
  const server = await start(t)
  const raw = await open(server)
  const get = async (count) => {
    raw.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until(`answer ${count}`, () => raw.text().match(/HTTP\/1\.1 200 /g)?.length === count)
  }
  await get(1)
  await server.advance(60000)
  await get(2)
  await server.advance(60000)
  await get(3)
  await server.advance(76000)
  await raw.closed()
  await quiet(server)
})
