// Live tables: a snapshot, then every change once and in order; keys, indexes, filters; resuming; who may follow what.
// FO-15, ST-2, SE-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { Follower, noteKey, notes } from './lib/live.mjs'
import { seconds, token } from './lib/token.mjs'

const put = (client, board, id, text, more = {}) => client.ask({ action: 'put', board, id, text, ...more })

test('a snapshot, then changes', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  await put(writer, 'kitchen', '1', 'milk')
  const reader = await as('bob')
  const subscribed = await reader.ask({ action: 'subscribe', table: 'notes', key: { board: 'kitchen' }, requestId: 'r1' })
  assert.deepEqual(subscribed, { type: 'subscribed', subscription: subscribed.subscription, requestId: 'r1', table: 'notes', history: subscribed.history })
  assert.match(subscribed.history, /^[0-9a-f]{16}$/)
  const { subscription } = subscribed
  const snapshot = await reader.json()
  assert.equal(typeof snapshot.sequence, 'number')
  assert.deepEqual(snapshot, {
    type: 'snapshot', subscription, sequence: snapshot.sequence, last: true,
    items: [{ board: 'kitchen', id: '1', author: 'ada', text: 'milk', stars: 0 }],
  })
  const seqs = []
  seqs.push((await put(writer, 'kitchen', '2', 'tea', { stars: 5 })).seq)
  seqs.push((await put(writer, 'garden', '1', 'weeds')).seq)
  seqs.push((await put(writer, 'kitchen', '1', 'oat milk')).seq)
  seqs.push((await writer.ask({ action: 'take-down', board: 'kitchen', id: '2' })).seq)
  const next = async () => { // its number tells it from other changes of the same commit
    const { number, ...change } = await reader.json()
    assert.ok(Number.isInteger(number) && number >= 0)
    return change
  }
  assert.deepEqual(await next(), { type: 'change', subscription, sequence: seqs[0], event: 'INSERT', key: { board: 'kitchen', id: '2' }, data: { board: 'kitchen', id: '2', author: 'ada', text: 'tea', stars: 5 } })
  assert.deepEqual(await next(), { type: 'change', subscription, sequence: seqs[2], event: 'MODIFY', key: { board: 'kitchen', id: '1' }, data: { board: 'kitchen', id: '1', author: 'ada', text: 'oat milk', stars: 0 } })
  assert.deepEqual(await next(), { type: 'change', subscription, sequence: seqs[3], event: 'REMOVE', key: { board: 'kitchen', id: '2' }, data: null })
  assert.deepEqual(await reader.ask({ action: 'unsubscribe', subscription, requestId: 7 }), { type: 'unsubscribed', subscription, requestId: 7 })
  await put(writer, 'kitchen', '3', 'unheard')
  assert.equal((await reader.ask({ action: 'put', board: 'b', id: '1', text: 'x' })).type, 'ack', 'nothing came in between')
  assert.equal((await server.counters()).live_subscriptions, 0)
  await Promise.all([writer.close(1000), reader.close(1000)])
  await quiet(server)
})

test('an index, a filter, and rows that enter and leave the set', async (t) => {
  const { as } = await notes(t)
  const ada = await as('ada'), bob = await as('bob')
  await put(ada, 'a', '1', 'one')
  await put(bob, 'a', '2', 'two')
  const byAuthor = new Follower({ table: 'notes', index: 'ByAuthor', key: { author: 'ada' } }, noteKey)
  byAuthor.follow(await as('cyd'))
  const starred = new Follower({ table: 'notes', filter: { stars: 5 } }, noteKey)
  starred.follow(await as('cyd'))
  await byAuthor.until('a snapshot', (f) => f.complete)
  await starred.until('a snapshot', (f) => f.complete)
  assert.deepEqual(byAuthor.sorted().map(noteKey), ['a/1'])
  assert.deepEqual(starred.sorted(), [])
  await put(bob, 'a', '1', 'taken over') // leaves the author's set
  await put(ada, 'a', '2', 'taken over', { stars: 5 }) // enters both
  await byAuthor.until('two changes', (f) => f.counts.changes === 2)
  assert.deepEqual(byAuthor.sorted().map(noteKey), ['a/2'])
  await starred.until('one change', (f) => f.counts.changes === 1)
  assert.deepEqual(starred.sorted().map(noteKey), ['a/2'])
  await put(ada, 'a', '2', 'less', { stars: 4 })
  await starred.until('it leaves', (f) => f.items.size === 0)
})

test('what a rule allows', async (t) => {
  const { as } = await notes(t)
  const ada = await as('ada'), bob = await as('bob'), root = await as('root', 'admin')
  await ada.ask({ action: 'draft', id: 'd1', text: 'mine' })
  await bob.ask({ action: 'draft', id: 'd2', text: 'his' })
  const own = new Follower({ table: 'notes-drafts' }, (d) => d.id)
  own.follow(await as('ada'))
  await own.until('own rows', (f) => f.complete)
  assert.deepEqual(own.sorted(), [{ id: 'd1', author: 'ada', text: 'mine' }])
  await bob.ask({ action: 'draft', id: 'd3', text: 'not for her' })
  await bob.ask({ action: 'draft', id: 'd1', text: 'taken from her' })
  await own.until('the row that changed hands leaves', (f) => f.items.size === 0)
  assert.equal(own.counts.changes, 1)
  const one = await bob.ask({ action: 'subscribe', table: 'notes-drafts', filter: { author: 'ada' } })
  assert.equal(one.error, 'FORBIDDEN')
  for (const table of ['notes-counts', 'nothing', 'LeaderboardTable', 'iops-dashboard-metrics']) {
    const refused = await bob.ask({ action: 'subscribe', table })
    assert.deepEqual([refused.type, refused.error, refused.field], ['error', 'FORBIDDEN', 'table'])
  }
  assert.equal((await root.ask({ action: 'subscribe', table: 'notes-counts' })).type, 'subscribed')
  assert.equal((await root.json()).type, 'snapshot')
})

test('who is no administrator any more loses what is for administrators', async (t) => {
  const { server, as } = await notes(t)
  const root = await as('root', 'admin'), ada = await as('ada')
  const { subscription } = await root.ask({ action: 'subscribe', table: 'notes-counts' })
  assert.equal((await root.json()).type, 'snapshot')
  await put(ada, 'a', '1', 'x')
  assert.equal((await root.json()).data.INSERT, 1)
  const renewed = token({ sub: 'root', role: 'user', exp: seconds(await server.now(), 3600) })
  assert.equal((await root.ask({ type: 'auth', token: renewed })).type, 'ack')
  await put(ada, 'a', '2', 'x')
  const told = await root.json()
  assert.deepEqual([told.type, told.error, told.subscription], ['error', 'FORBIDDEN', subscription])
  await put(ada, 'a', '3', 'x')
  await until('counted', async () => (await server.counters()).stream_records === 3)
  assert.equal((await root.ask({ action: 'subscribe', table: 'notes-counts' })).error, 'FORBIDDEN', 'nothing else came')
})

test('what is wrong with a request is said', async (t) => {
  const { as } = await notes(t)
  const client = await as('ada')
  const wrong = [
    [{}, 'table'],
    [{ table: 'notes', key: { id: '1' } }, 'key'],
    [{ table: 'notes', key: { board: 1 } }, 'key'],
    [{ table: 'notes', key: { board: 'a', text: 'x' } }, 'key'],
    [{ table: 'notes', index: 'Nope', key: { board: 'a' } }, 'index'],
    [{ table: 'notes', index: 'ByAuthor' }, 'key'],
    [{ table: 'notes', filter: { text: ['list'] } }, 'filter'],
    [{ table: 'notes', filter: { a: 1, b: 2, c: 3, d: 4, e: 5 } }, 'filter'],
    [{ table: 'notes', after: 'x.y' }, 'after'],
    [{ table: 'notes', after: {} }, 'after'],
  ]
  for (const [request, field] of wrong) {
    const answer = await client.ask({ action: 'subscribe', ...request })
    assert.deepEqual([answer.type, answer.field], ['error', field], JSON.stringify(request))
  }
  for (let i = 0; i < 64; i++) {
    assert.equal((await client.ask({ action: 'subscribe', table: 'notes', key: { board: `b${i}` } })).type, 'subscribed')
    assert.equal((await client.json()).type, 'snapshot')
  }
  const full = await client.ask({ action: 'subscribe', table: 'notes', key: { board: 'one too many' } })
  assert.equal(full.error, 'FULL')
})

test('resuming: exactly what was missed, also over a restart; and what cannot be resumed', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  await put(writer, 'a', '1', 'one')
  const follower = new Follower({ table: 'notes' }, noteKey)
  follower.follow(await as('bob'))
  await follower.until('a snapshot', (f) => f.complete)
  follower.client.socket.terminate()
  for (let i = 0; i < 1200; i++) writer.send({ action: 'put', board: 'a', id: `${i % 50}`, text: `v${i}` })
  for (let i = 0; i < 1200; i++) await writer.json()
  follower.follow(await as('bob'))
  await follower.until('1200 changes', (f) => f.counts.changes === 1200)
  assert.equal(follower.items.get('a/49').text, 'v1199')
  await server.kill9()
  await server.restart()
  const again = await as('ada')
  await put(again, 'a', '1', 'after the crash')
  follower.follow(await as('bob'))
  await follower.until('one more', (f) => f.counts.changes === 1201)
  assert.deepEqual({ ...follower.counts }, { snapshots: 1, changes: 1201, resnapshots: 0, resumed: 2 })
  const ahead = await as('bob')
  await ahead.ask({ action: 'subscribe', table: 'notes', after: '999999999.0' })
  assert.equal((await ahead.json()).type, 'resnapshot')
  assert.equal((await ahead.json()).type, 'snapshot')
})

test('a snapshot of many pages while it changes', async (t) => {
  const { as } = await notes(t)
  const writer = await as('ada')
  const text = 'x'.repeat(400)
  const acks = (count) => until('acknowledgements', () => writer.queue.length >= count).then(() => writer.queue.splice(0, count))
  for (let i = 0; i < 3000; i++) writer.send({ action: 'put', board: 'big', id: `${i}`, text })
  await acks(3000)
  const followers = Array.from({ length: 12 }, () => new Follower({ table: 'notes' }, noteKey)) // more than are read at a time
  for (const follower of followers) follower.follow(await as('bob'))
  for (let i = 0; i < 1500; i++) writer.send({ action: 'put', board: 'big', id: `${i * 3}`, text: `new ${i}` })
  await acks(1500)
  for (const follower of followers) {
    await follower.until('the end', (f) => f.complete && f.items.get('big/4497')?.text === 'new 1499')
    assert.equal(follower.items.size, 3500)
    for (let i = 0; i < 1500; i++) assert.equal(follower.items.get(`big/${i * 3}`).text, `new ${i}`)
  }
})

test('a reader that stands still costs no socket, and misses nothing', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  const slow = new Follower({ table: 'notes' }, noteKey), merged = new Follower({ table: 'notes', conflate: true }, noteKey)
  for (const follower of [slow, merged]) {
    follower.follow(await as('bob'))
    await follower.until('a snapshot', (f) => f.complete)
    follower.client.socket._socket.pause()
  }
  const text = 'y'.repeat(2000)
  for (let i = 0; i < 6000; i++) writer.send({ action: 'put', board: 'a', id: `${i % 20}`, text: `${i} ${text}` })
  await until('acknowledgements', () => writer.queue.length >= 6000)
  await until('one lags', async () => (await server.counters()).live_lags >= 1) // the other one has less to take
  for (const follower of [slow, merged]) follower.client.socket._socket.resume()
  await slow.until('all changes', (f) => f.counts.changes === 6000)
  await merged.until('the newest', (f) => f.items.get('a/19')?.text.startsWith('5999 '))
  assert.ok(merged.counts.changes < 6000, `${merged.counts.changes} conflated changes`)
  assert.deepEqual(merged.sorted(), slow.sorted())
  assert.equal(slow.counts.resnapshots + merged.counts.resnapshots, 0)
  assert.equal((await server.counters()).ws_slow_closed, 0)
})

test('an API without live tables knows no subscribe', async (t) => {
  const { server } = await notes(t)
  const client = await connect(`${server.ws}/iops-dashboard`)
  assert.equal((await client.ask({ action: 'subscribe', table: 'iops-dashboard-metrics' })).message, 'Forbidden')
})

test('a snapshot that is not read in time begins anew', async (t) => {
  const { server, as } = await notes(t)
  const writer = await as('ada')
  const text = 'z'.repeat(4000), count = 4000
  for (let i = 0; i < count; i++) writer.send({ action: 'put', board: 'big', id: `${i}`, text })
  await until('acknowledgements', () => writer.queue.length === count)
  const slow = new Follower({ table: 'notes' }, noteKey)
  slow.follow(await as('bob'))
  await slow.until('a page', (f) => f.items.size > 0)
  slow.client.socket._socket.pause()
  const queued = async () => (await server.counters()).net_queue_bytes
  await until('its socket is full', async () => (await queued()) > 0)
  for (let i = 0; i < 15; i++) await server.advance(1000) // its heartbeat allows more, the snapshot does not
  slow.client.socket._socket.resume()
  await slow.until('the whole', (f) => f.complete)
  assert.equal(slow.items.size, count)
  const { resnapshots, ...counts } = slow.counts
  assert.ok(resnapshots >= 1) // a slow machine may need more than one
  assert.deepEqual(counts, { snapshots: 1, changes: 0, resumed: 0 })
})

test('a position that the journal has forgotten', async (t) => {
  const { server, as } = await notes(t, { config: 'apps: [notes]\n' }) // other applications want the journal for the recovery of their tables
  const writer = await as('ada')
  await put(writer, 'a', '1', 'one')
  const follower = new Follower({ table: 'notes', key: { board: 'a' } }, noteKey)
  follower.follow(await as('bob'))
  await follower.until('a snapshot', (f) => f.complete)
  follower.client.socket.terminate()
  await put(writer, 'a', '2', 'missed')
  // Enough for the tables to be flushed and for several segments of the journal, then a day and more.
  const text = 'w'.repeat(4000), count = 12000
  for (let i = 0; i < count; i++) writer.send({ action: 'put', board: 'bulk', id: `${i % 500}`, text: `${i} ${text}` })
  await until('acknowledgements', () => writer.queue.length === count)
  writer.queue.length = 0
  await until('the journal to forget', async () => {
    await server.advance(13 * 3600 * 1000)
    const client = await as('bob') // the clock's leap has ended the sockets that were open
    await put(client, 'bulk', 'x', `a commit at ${Date.now()}, so that somebody looks`)
    await client.ask({ action: 'subscribe', table: 'notes', key: { board: 'a' }, after: `${follower.position.sequence}` })
    const { type } = await client.json()
    await client.close(1000)
    return type === 'resnapshot'
  }, { every: 100 })
  follower.follow(await as('bob'))
  await follower.until('a new snapshot', (f) => f.counts.snapshots === 2)
  assert.deepEqual(follower.sorted().map(noteKey), ['a/1', 'a/2'])
  assert.deepEqual({ ...follower.counts }, { snapshots: 2, changes: 0, resnapshots: 1, resumed: 1 })
})
