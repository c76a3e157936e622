// Rows of live connections mirror sockets: gone with them, and after a crash, when no connection lives, start-up purges them. What is no mirror stays.
// GW-10, GW-19, FO-1, FO-13, TB-1, TB-4, TB-8, TB-16, OP-6, OP-10, X-2
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { quiet, request, run, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

/** Items in all tables of a stopped server's folder, which must be sound. */
const counted = async (server) => {
  const { code, stdout } = await run(['verify', path.join(server.folder, 'data')])
  assert.equal(code, 0, stdout)
  assert.match(stdout, /sound\n$/)
  return Number(/tables: (\d+) items/.exec(stdout)[1])
}

/** The same without what every server has from its start: its declared alarms and dashboards. */
let declared
const items = async (t, server) => {
  if (declared === undefined) {
    const fresh = await start(t)
    await fresh.stop()
    declared = await counted(fresh)
  }
  return (await counted(server)) - declared
}

test('rows go with their sockets', async (t) => {
  const server = await start(t)
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(`${server.ws}/clash-bot`)))
  for (const client of clients.slice(0, 5)) await client.close(1000)
  for (const client of clients.slice(5)) client.socket.terminate()
  await quiet(server)
  await server.stop()
  assert.equal(await items(t, server), 0)
})

test('a crash leaves none behind, and users stay', async (t) => {
  const server = await start(t)
  const clients = await Promise.all(['ada', 'bob', 'cyd'].map((user) => connect(`${server.ws}/riddle-rush?userId=${user}`)))
  await clients[0].ask({ action: 'getUserStats', data: { userId: 'ada' } })
  await server.kill9()
  for (const client of clients) await client.closed()
  await server.restart()
  assert.equal((await request(server, 'GET', '/riddle-rush/@connections')).json.count, 0)
  await server.stop()
  assert.equal(await items(t, server), 3, 'a row for each user, none for a connection')
})

test('a drain leaves none behind', async (t) => {
  const server = await start(t)
  await Promise.all(Array.from({ length: 10 }, () => connect(`${server.ws}/clash-bot`)))
  await server.stop()
  assert.equal(await items(t, server), 0)
})
