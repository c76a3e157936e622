// 50 clients that break off at random while 5,000 writes go on: each ends with exactly the table, having seen each change of its set once and in order.
// FO-15, IN-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { until } from './lib/weir.mjs'
import { Follower, noteKey, notes } from './lib/live.mjs'

const WRITES = Number(process.env.WRITES ?? 5000), CLIENTS = Number(process.env.CLIENTS ?? 50), ITEMS = 300, WRITERS = 5 // a soak raises them

/** A generator with a seed, so that a failure can be run again: SEED=... */
const seed = Number(process.env.SEED ?? Date.now() % 1000000)
let state = seed
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

test(`${CLIENTS} clients, ${WRITES} writes, SEED=${seed}`, async (t) => {
  const { server, as } = await notes(t, { threads: 2 })
  const boards = ['a', 'b', 'c']
  const writers = await Promise.all(Array.from({ length: WRITERS }, (_, i) => as(`writer${i}`)))
  const requests = [{}, { conflate: true }, { key: { board: 'a' } }, { filter: { stars: 3 } }, { index: 'ByAuthor', key: { author: 'writer1' } }]
  const followers = Array.from({ length: CLIENTS }, (_, i) => new Follower({ table: 'notes', ...requests[i % requests.length] }, noteKey))
  let done = false, breaks = 0

  const lives = followers.map(async (follower) => {
    for (let first = true; first || !done; first = false) {
      const client = await as('reader')
      follower.follow(client)
      const end = Date.now() + 20 + random(400)
      await until('the next break', () => Date.now() > end || done)
      if (done) break
      breaks++
      if (random(3)) client.socket.terminate()
      else await client.close(1000)
    }
    if (follower.client.socket.readyState !== 1) follower.follow(await as('reader'))
  })

  let sent = 0, failed = 0
  await Promise.all(writers.map(async (writer) => {
    while (sent < WRITES) {
      const window = Math.min(1 + random(20), WRITES - sent)
      for (let i = 0; i < window; i++) {
        const board = boards[random(3)], id = `${random(ITEMS / 3)}`
        sent++
        if (random(5)) writer.send({ action: 'put', board, id, text: `write ${sent}`, stars: random(6) })
        else writer.send({ action: 'take-down', board, id })
      }
      for (let i = 0; i < window; i++) if ((await writer.json()).type !== 'ack') failed++
    }
  }))
  assert.equal(failed, 0)
  // One that comes when all is over sees the table as it is.
  const truth = new Follower({ table: 'notes' }, noteKey)
  truth.follow(await as('truth'))
  await truth.until('the truth', (f) => f.complete)
  done = true
  await Promise.all(lives)
  const marker = await writers[0].ask({ action: 'put', board: 'a', id: 'marker', text: 'the end', stars: 3 })
  assert.equal(marker.type, 'ack')
  const last = await writers[1].ask({ action: 'put', board: 'a', id: 'marker 1', text: 'the end', stars: 3 })
  await truth.until('the end', (f) => f.items.has('a/marker 1'))
  const holds = [() => true, () => true, (n) => n.board === 'a', (n) => n.stars === 3, (n) => n.author === 'writer1']
  for (const [i, follower] of followers.entries()) {
    await follower.until(`follower ${i} at the end`, (f) => f.items.has('a/marker 1'))
    assert.deepEqual(follower.sorted(), truth.sorted().filter(holds[i % holds.length]), `follower ${i}`)
    assert.equal(follower.counts.resnapshots, 0)
  }
  assert.ok(breaks > CLIENTS, `${breaks} breaks`)
  assert.ok(followers.some((f) => f.counts.resumed > 1 && f.counts.snapshots === 1), 'some resumed')
  assert.ok(last.seq > 0)
  t.diagnostic(`${breaks} breaks, ${followers.reduce((sum, f) => sum + f.counts.changes, 0)} changes taken`)
  for (const client of [...followers, truth].map((f) => f.client).concat(writers)) client.socket.terminate()
  await until('no subscription is left', async () => (await server.counters()).live_subscriptions === 0)
})
