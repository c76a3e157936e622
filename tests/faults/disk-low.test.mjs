// Little disk left: writes are refused by name, reads and connects go on, everybody who looks is told, and it heals by itself.
import test from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { quiet, request, until } from '../wire/lib/weir.mjs'
import { connect, refused } from '../wire/lib/client.mjs'
import { Load, administrator, log, logged, player, publish, retained, startFaulty } from './lib/faults.mjs'

const health = async (server) => {
  const { status, json } = await request(server, 'GET', '/healthz')
  return [status, json.status]
}

test('below the reserve', async (t) => {
  const { server, faults } = await startFaulty(t)
  const ada = await player(server, 'ada')
  const admin = await administrator(server)
  await admin.ask({ action: 'dashboard:join' })
  assert.equal((await log(ada, 'ada')).type, 'ack')
  assert.equal((await ada.ask({ action: 'updateLeaderboard', data: { userId: 'ada', gameMode: 'classic', score: 5, timestamp: 1 } })).type, 'ack')
  assert.equal((await publish(server, 1)).status, 200)
  assert.equal((await admin.json()).data.n, 1)
  assert.deepEqual(await health(server), [200, 'ok'])

  faults.set('statvfs low')
  await until('it is told', async () => (await health(server))[0] === 503)
  const { json } = await request(server, 'GET', '/healthz')
  assert.equal(json.status, 'read-only')
  assert.match(json.reason, /disk|space/i)
  const before = await server.counters()
  for (const [action, data] of [
    ['logPerformance', { userId: 'ada', metricName: 'm', duration: 1, timestamp: 1 }],
    ['updateLeaderboard', { userId: 'ada', gameMode: 'classic', score: 9, timestamp: 1 }],
  ]) {
    const refused = await ada.ask({ action, data, requestId: `no-${action}` })
    assert.deepEqual([refused.type, refused.error, refused.requestId], ['error', 'DISK_FULL', `no-${action}`])
    assert.equal(typeof refused.message, 'string')
  }
  const posted = await publish(server, 2)
  assert.ok(posted.status >= 500, `a message that would be retained: ${posted.status}`)
  const after = await server.counters()
  assert.ok(after.tick_writes_refused > before.tick_writes_refused)
  assert.equal(after.journal_records, before.journal_records, 'nothing is written')

  // Reads and connects go on; echo too.
  assert.equal(await logged(ada, 'ada'), 1)
  const board = await ada.ask({ action: 'getLeaderboard', data: { gameMode: 'classic' } })
  assert.deepEqual(board.data.entries.map(({ userId, score }) => [userId, score]), [['ada', 5]])
  const late = await player(server, 'ada')
  assert.equal(await logged(late, 'ada'), 1)
  assert.equal((await log(late, 'ada')).error, 'DISK_FULL')
  await late.close(1000)
  const boss = await administrator(server)
  assert.equal((await retained(boss)).n, 1)
  await boss.close(1000)
  // The $connect of a player who was never here writes who it is: that is a write, and refused by the same name.
  const { status, body } = await refused(`${server.ws}/riddle-rush?userId=somebody-new`)
  assert.deepEqual([status, body.error], [503, 'DISK_FULL'])
  const echo = await connect(`${server.ws}/echo`)
  echo.send('hello')
  assert.equal(await echo.text(), 'hello')
  await echo.close(1000)
  assert.equal((await retained(admin)).n, 1)
  assert.deepEqual(admin.queue, [], 'nothing was announced')

  faults.clear()
  await until('it heals', async () => (await log(ada, 'ada')).type === 'ack')
  assert.deepEqual(await health(server), [200, 'ok'])
  assert.equal(await logged(ada, 'ada'), 2)
  assert.equal((await publish(server, 3)).status, 200)
  assert.equal((await admin.json()).data.n, 3)
  for (const client of [ada, admin]) await client.close(1000)
  await quiet(server)
  await server.kill9()
  await server.restart()
  const reader = await player(server, 'reader')
  assert.equal(await logged(reader, 'ada'), 2)
  await reader.close(1000)
  await quiet(server)
})

test('the disk fills up under load, again and again', async (t) => {
  const { server, faults } = await startFaulty(t)
  const load = new Load(server, 0)
  await load.begin()
  for (let n = 0; n < 3; n++) {
    await load.reached(load.acknowledged + 150)
    const refused = load.answers.length
    faults.set('statvfs low')
    await until('refusals', () => load.answers.length > refused + 20)
    faults.clear()
  }
  await load.reached(load.acknowledged + 150)
  for (const { type, error } of load.answers) assert.deepEqual([type, error], ['error', 'DISK_FULL'])
  await server.kill9()
  await load.over()
  await server.restart()
  await load.verify()
  await quiet(server)
})

test('no space at all under load: what is sealed may wait, nothing is lost, it heals', async (t) => {
  const { server, faults } = await startFaulty(t)
  const load = new Load(server, 0)
  await load.begin()
  for (let n = 0; n < 3; n++) {
    await load.reached(load.acknowledged + 150)
    faults.set('statvfs none')
    await until('it is told', async () => (await health(server))[0] === 503)
    const reader = await player(server, load.user(0))
    await logged(reader, 'ada')
    await reader.close(1000)
    faults.clear()
  }
  await load.reached(load.acknowledged + 150)
  for (const { type, error } of load.answers) assert.deepEqual([type, error], ['error', 'DISK_FULL'])
  await server.kill9()
  await load.over()
  await server.restart()
  await load.verify()
  await quiet(server)
})

test('segments that were prepared are given back', async (t) => {
  const { server, faults } = await startFaulty(t)
  const ada = await player(server, 'ada')
  const spares = () => readdirSync(path.join(server.folder, 'data', 'journal')).filter((name) => name.startsWith('spare.')).length
  const metadata = { filling: 'x'.repeat(30000) }
  await until('a spare', async () => {
    assert.equal((await log(ada, 'ada', { metadata })).type, 'ack')
    return spares() > 0
  }, { every: 0 })
  faults.set('statvfs low')
  await until('no spares', () => log(ada, 'ada').then(() => spares() === 0))
  faults.clear()
  await until('it heals', async () => (await log(ada, 'ada')).type === 'ack')
  await ada.close(1000)
  await quiet(server)
})

test('a start with little disk left serves what is there', async (t) => {
  const { server, faults } = await startFaulty(t)
  const before = await player(server, 'ada')
  await log(before, 'ada')
  faults.set('statvfs low')
  await server.kill9()
  await before.closed()
  await server.restart()
  assert.deepEqual(await health(server), [503, 'read-only'])
  const ada = await player(server, 'ada')
  assert.equal(await logged(ada, 'ada'), 1)
  assert.equal((await log(ada, 'ada')).error, 'DISK_FULL')
  faults.clear()
  await until('it heals', async () => (await log(ada, 'ada')).type === 'ack')
  assert.equal(await logged(ada, 'ada'), 2)
  await ada.close(1000)
  await quiet(server)
})

for (const rule of ['pwrite ENOSPC', 'pwrite EDQUOT']) {
  test(`${rule}: what is sealed waits, and is announced when there is space`, async (t) => {
    const { server, faults } = await startFaulty(t)
    const ada = await player(server, 'ada')
    const reader = await player(server, 'reader')
    await log(ada, 'ada')
    let answer
    // The server's own figures of a second may be what meets the full disk first; then ada's write is refused, and told so.
    for (let attempt = 0; attempt < 10 && answer?.type !== 'ack'; attempt++) {
      faults.set(rule)
      ada.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
      await faults.injected(rule)
      await until('it is told', async () => (await health(server))[0] === 503)
      assert.equal(await logged(reader, 'ada'), 1, 'reads go on')
      assert.ok(ada.queue.every(({ text }) => JSON.parse(text).error === 'DISK_FULL'), 'nothing is announced')
      faults.clear()
      answer = await ada.json()
      await until('it heals', async () => (await health(server))[0] === 200)
    }
    assert.equal(answer.type, 'ack')
    assert.equal(await logged(reader, 'ada'), 2)
    assert.deepEqual(await health(server), [200, 'ok'])
    for (const client of [ada, reader]) await client.close(1000)
    await quiet(server)
    await server.kill9()
    await server.restart()
    const again = await player(server, 'again')
    assert.equal(await logged(again, 'ada'), 2)
    await again.close(1000)
    await quiet(server)
  })
}
