// Stream consumers: batches in order, each record's effect on the tables exactly once also under kill -9, halving, what is given up.
// ST-1, ST-4, ST-8, ME-5, OP-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, until } from './lib/weir.mjs'
import { Follower, notes } from './lib/live.mjs'

/** What the consumer has counted, followed live. */
async function counted(as) {
  const follower = new Follower({ table: 'notes-counts' }, (row) => row.board)
  follower.follow(await as('root', 'admin'))
  await follower.until('the counts', (f) => f.complete)
  return follower
}
const total = (follower, what) => [...follower.items.values()].reduce((sum, row) => sum + row[what], 0)

test('each change is counted once, whenever the server is killed', async (t) => {
  const { server, as } = await notes(t, { threads: 1 })
  let puts = 0, acknowledged = 0
  for (let round = 0; round < 6; round++) {
    const writers = await Promise.all(Array.from({ length: 4 }, (_, i) => as(`w${i}`)))
    let alive = true
    for (const [i, writer] of writers.entries()) {
      const more = () => alive && (writer.send({ action: 'put', board: `b${i}`, id: `${puts++}`, text: 'x' }), true)
      writer.socket.removeAllListeners('message')
      writer.socket.on('message', () => (acknowledged++, more()))
      writer.socket.on('close', () => (alive = false))
      for (let n = 0; n < 20; n++) more()
    }
    const goal = acknowledged + 200 + round * 97
    await until('enough acknowledgements', () => acknowledged >= goal, { every: 1 })
    await server.kill9()
    alive = false
    await Promise.all(writers.map((writer) => writer.closed()))
    await server.restart()
    const table = new Follower({ table: 'notes' }, (note) => `${note.board}/${note.id}`)
    table.follow(await as('reader'))
    await table.until('the table', (f) => f.complete)
    const counts = await counted(as)
    await counts.until('all are counted', (f) => total(f, 'INSERT') >= table.items.size)
    assert.equal(total(counts, 'INSERT'), table.items.size, `round ${round}`)
    assert.equal(total(counts, 'MODIFY') + total(counts, 'REMOVE') + total(counts, 'spoiled'), 0)
    assert.ok(table.items.size >= acknowledged)
    table.client.socket.terminate()
    counts.client.socket.terminate()
  }
  await quiet(server)
})

test('a record that fails is found, tried again, given up and kept; the others are taken', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  const counts = await counted(as)
  for (let i = 0; i < 400; i++) writer.send({ action: 'put', board: 'a', id: `${i}`, text: i === 123 || i === 317 ? 'illegible' : 'fine' })
  await until('two are given up', async () => {
    await server.advance(1000)
    return (await server.counters()).stream_dead_letters === 2
  })
  await counts.until('the others are counted', (f) => f.items.get('a')?.INSERT === 398)
  await counts.until('on_failure has run', (f) => f.items.get('a').spoiled === 2)
  const { stream_failures, stream_records } = await server.counters()
  assert.equal(stream_records, 398)
  assert.ok(stream_failures >= 8 && stream_failures < 60, `${stream_failures} failures`)

  const { status, json } = await request(server, 'GET', '/notes/@streams/@count/failed')
  assert.equal(status, 200)
  assert.deepEqual(json.failed.map(({ error, message, attempts, record }) => ({ error, message, attempts, event: record.eventName, keys: record.keys, text: record.new.text, old: record.old })), [
    { error: 'ILLEGIBLE', message: 'this note cannot be counted', attempts: 4, event: 'INSERT', keys: { board: 'a', id: '123' }, text: 'illegible', old: null },
    { error: 'ILLEGIBLE', message: 'this note cannot be counted', attempts: 4, event: 'INSERT', keys: { board: 'a', id: '317' }, text: 'illegible', old: null },
  ])
  assert.equal((await request(server, 'GET', '/notes/@streams/count/failed?limit=1')).json.failed.length, 1)
  assert.equal((await request(server, 'GET', '/notes/@streams/count/failed?limit=0')).status, 400)

  await server.kill9()
  await server.restart()
  assert.equal((await request(server, 'GET', '/notes/@streams/@count/failed')).json.failed.length, 2, 'kept over a crash')
  assert.deepEqual((await request(server, 'DELETE', '/notes/@streams/@count/failed')).json, { deleted: 2 })
  assert.deepEqual((await request(server, 'GET', '/notes/@streams/@count/failed')).json, { failed: [] })
})

test('the listing of consumers, and addresses that are none', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  await writer.ask({ action: 'put', board: 'a', id: '1', text: 'x' })
  await until('taken', async () => (await server.counters()).stream_records === 1)
  await until('shown', async () => {
    await server.advance(1000)
    return (await request(server, 'GET', '/notes/@streams')).json.streams[0].sequence > 0
  })
  const { streams } = (await request(server, 'GET', '/notes/prod/@streams')).json
  assert.deepEqual(streams, [{ route: '@count', table: 'notes', sequence: streams[0].sequence, iteratorAgeMs: 0, givenUp: 0 }])
  assert.deepEqual((await request(server, 'GET', '/echo/@streams')).json, { streams: [] })
  assert.equal((await request(server, 'GET', '/notes/@streams/@nope/failed')).status, 404)
  assert.equal((await request(server, 'GET', '/notes/@streams/@count')).status, 404)
  assert.equal((await request(server, 'POST', '/notes/@streams/@count/failed')).status, 405)
  assert.equal((await request(server, 'GET', '/notes/@streams', { headers: { origin: 'http://evil.example' } })).status, 403, 'not for web pages')
})
