// An idle server stays under 40 MB, and a thousand idle connections add little.
// GW-21
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const resident = (server) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024

test('an idle server', async (t) => {
  const server = await start(t)
  if (readFileSync(`/proc/${server.pid}/maps`, 'utf8').includes('libasan')) return t.skip('sanitizers need memory of their own')
  assert.ok(resident(server) < 40, `${resident(server)} MB`)
  const clients = []
  for (let i = 0; i < 10; i++) clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(`${server.ws}/echo`)))))
  const before = resident(server)
  assert.ok(before < 44, `${before} MB with a thousand connections`)
  for (const client of clients) client.socket.terminate()
  await quiet(server)
})
