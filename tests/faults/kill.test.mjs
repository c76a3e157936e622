// kill -9 at any moment under load: every acknowledged write is there afterwards, and nobody heard what is not written. WEIR_SOAK=1: 200 rounds, and a start
// with 64 MB to replay. WEIR_SEED repeats the moments (as far as the machine's timing allows).
import test from 'node:test'
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { quiet, until } from '../wire/lib/weir.mjs'
import { Load, log, logged, player, startFaulty } from './lib/faults.mjs'

const soak = process.env.WEIR_SOAK === '1'
const ROUNDS = soak ? 200 : 3
const ROUNDS_PER_FOLDER = 25 // a folder's journal is then long enough to have been truncated and recycled
const START_MAX_MS = 30000 // of a slow machine; docs/benchmarks.md says what it takes

const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
let state = seed
const random = (below) => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
  return (state >>> 8) % below
}

const restart = async (server) => {
  const began = performance.now()
  await server.restart()
  return Math.round(performance.now() - began)
}

test('kill -9 at random moments', { timeout: 3600000 }, async (t) => {
  t.diagnostic(`WEIR_SEED=${seed}`)
  let slowest = 0
  let promised = 0
  for (let round = 0; round < ROUNDS; ) {
    const { server } = await startFaulty(t)
    const loads = []
    for (let n = 0; n < ROUNDS_PER_FOLDER && round < ROUNDS; n++, round++) {
      const load = new Load(server, round, { before: loads.at(-1) })
      loads.push(load)
      await load.begin()
      await load.reached(1 + random(800))
      // Between two acknowledgements too, not only right behind one.
      const moment = performance.now() + random(4000) / 1000
      while (performance.now() < moment);
      await server.kill9()
      await load.over()
      assert.deepEqual(load.answers, [], 'nothing but acknowledgements')
      promised += load.acknowledged
      slowest = Math.max(slowest, await restart(server))
      await load.verify()
      await quiet(server)
    }
    // What an earlier round was promised is still there; the room meanwhile moved on.
    for (const load of loads) {
      load.published = { ...loads.at(-1).published }
      await load.verify()
    }
    await quiet(server)
    await server.stop()
  }
  t.diagnostic(`${ROUNDS} rounds, ${promised} acknowledged writes, slowest start ${slowest} ms`)
  assert.ok(slowest < START_MAX_MS, `a start took ${slowest} ms`)
})

test('killed while it starts', async (t) => {
  const { server } = await startFaulty(t)
  const load = new Load(server, 0)
  await load.begin()
  await load.reached(1000)
  await server.kill9()
  await load.over()
  for (let n = 0; n < (soak ? 50 : 5); n++) {
    const start = server.restart().then(() => true, () => false)
    const moment = performance.now() + random(60)
    await until('the moment', () => performance.now() >= moment, { every: 1 })
    server.child.kill('SIGKILL')
    await start
    await server.ended
  }
  await server.restart()
  await load.verify()
  await quiet(server)
})

// Where it hurts most, exactly there: before and after the write, in the middle of it, before and after the disk has answered.
for (const rule of ['pwrite kill', 'pwrite torn', 'pwrite killafter', 'fdatasync kill', 'fdatasync killafter']) {
  test(`killed at ${rule}`, async (t) => {
    const { server, faults } = await startFaulty(t)
    let load
    for (let round = 0; round < 2; round++) {
      load = new Load(server, round, { before: load })
      await load.begin()
      await load.reached(100 + random(200))
      faults.set(rule)
      const how = await server.ended
      assert.deepEqual(how, { code: null, signal: 'SIGKILL' })
      assert.ok(faults.seen().some((line) => line.startsWith(rule)))
      await load.over()
      faults.clear()
      faults.forget()
      await server.restart()
      await load.verify()
      await quiet(server)
    }
  })
}

// A proof that cannot fail proves nothing: here the disk forgets what it said it had written, and that must be noticed.
test('a disk that lies is found out', async (t) => {
  const { server, faults } = await startFaulty(t)
  const load = new Load(server, 0)
  await load.begin()
  await load.reached(200)
  faults.set('pwrite lie')
  await faults.injected('pwrite lie')
  await load.reached(load.acknowledged + 200)
  await server.kill9()
  await load.over()
  faults.clear()
  await server.restart()
  await assert.rejects(load.verify(), /acknowledged|answered/)
})

test('a start with 64 MB to replay', { skip: soak ? false : 'WEIR_SOAK=1 runs it', timeout: 600000 }, async (t) => {
  const { server } = await startFaulty(t)
  const CLIENTS = 4
  const kept = Array.from({ length: CLIENTS }, () => 0)
  const metadata = { filling: 'x'.repeat(15000) }
  const clients = await Promise.all(kept.map((_, i) => player(server, `large-${i}`)))
  clients.forEach((client, i) => {
    const more = () => {
      if (client.socket.readyState === 1) client.send({ action: 'logPerformance', data: { userId: `large-${i}`, metricName: 'm', duration: 1, timestamp: 1, metadata } })
    }
    client.socket.removeAllListeners('message')
    client.socket.on('message', (text) => {
      assert.equal(JSON.parse(text).type, 'ack')
      kept[i]++
      more()
    })
    for (let n = 0; n < 8; n++) more()
  })
  let bytes
  await until('64 MB in the journal', async () => (bytes = (await server.counters()).journal_bytes) > 64 << 20, { within: 240000 })
  await server.kill9()
  await Promise.all(clients.map((client) => client.closed()))
  const check = async (what) => {
    const took = await restart(server)
    const [, records] = /replayed (\d+) records/.exec(server.stderr) ?? []
    t.diagnostic(`${what}: ${took} ms, ${records ?? 0} records replayed`)
    const reader = await player(server, 'reader')
    for (const [i, count] of kept.entries()) assert.ok((await logged(reader, `large-${i}`)) >= count, `${count} were acknowledged`)
    assert.equal((await log(reader, 'reader')).type, 'ack')
    await reader.close(1000)
    await quiet(server)
    assert.ok(took < START_MAX_MS, `a start took ${took} ms`)
  }
  await check(`a start after ${Math.round(bytes / 2 ** 20)} MiB of writes`)
  // The tables had flushed the most of it. Without them all of it is replayed: the journal is the truth, the tables are a view.
  await server.kill9()
  rmSync(path.join(server.folder, 'data', 'tables'), { recursive: true })
  await check('a start that replays all of it')
})
