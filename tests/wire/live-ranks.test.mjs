// Ranks: the top of a board as a live view. Steps alone, in order, each once; 20 clients that break off at random end with exactly the top.
// FO-15, LB-2, LB-5, IN-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { dynamodb } from './lib/dynamodb.mjs'
import { RankFollower, notes } from './lib/live.mjs'

const seed = Number(process.env.SEED ?? Date.now() % 1000000)
let state = seed
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

const table = 'riddle-rush-best-dev'
const board = (top, mode = 'classic') => ({ table, index: 'RankIndex', key: { gameMode: mode }, top })
const player = (server, id) => connect(`${server.ws}/riddle-rush?userId=${id}`)
const score = (client, value, mode = 'classic') => client.ask({ action: 'updateLeaderboard', gameMode: mode, score: value, playerName: 'p' })
const byUser = (item) => item.userId
/** What the application answers: the truth. */
const leaders = async (client, limit, mode = 'classic') => (await client.ask({ action: 'getLeaderboard', gameMode: mode, limit })).data.entries.map((e) => [e.userId, e.score])
const shown = (follower) => follower.items().map((item) => [item.userId, item.score])

test('a snapshot, then what enters, moves and leaves', async (t) => {
  const server = await start(t)
  const ada = await player(server, 'ada'), bob = await player(server, 'bob'), cyd = await player(server, 'cyd'), dan = await player(server, 'dan')
  await score(ada, 100)
  await score(bob, 50)
  const reader = await player(server, 'reader')
  const subscribed = await reader.ask({ action: 'subscribe', ranks: board(3), requestId: 'r' })
  assert.deepEqual(subscribed, { type: 'subscribed', subscription: subscribed.subscription, requestId: 'r', table, history: subscribed.history })
  const snapshot = await reader.json()
  assert.deepEqual([snapshot.type, snapshot.last, snapshot.items.map(byUser)], ['snapshot', true, ['ada', 'bob']])
  const next = async () => {
    const { type, subscription, sequence, number, steps, ...rest } = await reader.json()
    assert.deepEqual([type, subscription, rest], ['ranks', subscribed.subscription, {}])
    assert.ok(sequence > snapshot.sequence && Number.isInteger(number))
    return steps.map(({ event, rank, from, key, data }) => [event, rank, from, key.userId, data?.score])
  }
  await score(cyd, 75)
  assert.deepEqual(await next(), [['ENTER', 2, undefined, 'cyd', 75]])
  await score(dan, 10) // behind the third
  await score(bob, 20) // no better than his best
  await score(dan, 90)
  assert.deepEqual(await next(), [['LEAVE', 3, undefined, 'bob', undefined], ['ENTER', 2, undefined, 'dan', 90]])
  await score(cyd, 1000)
  assert.deepEqual(await next(), [['MOVE', 1, 3, 'cyd', 1000]])
  await score(ada, 101)
  await score(ada, 110)
  assert.deepEqual(await next(), [['UPDATE', 2, undefined, 'ada', 101]])
  assert.deepEqual(await next(), [['UPDATE', 2, undefined, 'ada', 110]])
  await dynamodb(server, 'DeleteItem', { TableName: table, Key: { gameMode: { S: 'classic' }, userId: { S: 'cyd' } } })
  assert.deepEqual(await next(), [['LEAVE', 1, undefined, 'cyd', undefined], ['ENTER', 3, undefined, 'bob', 50]], 'who was fourth comes in')
  await score(ada, 5, 'another mode')
  assert.equal((await reader.ask({ action: 'unsubscribe', subscription: subscribed.subscription })).type, 'unsubscribed', 'nothing in between')
  for (const client of [ada, bob, cyd, dan, reader]) await client.close(1000)
  await quiet(server)
})

test('what is wrong with a request is said', async (t) => {
  const server = await start(t)
  const client = await player(server, 'ada')
  const wrong = [
    [{ top: 3 }, 'MISSING', 'table'],
    [{ ...board(3), table: 'riddle-rush-users-dev' }, 'FORBIDDEN', 'table'],
    [{ ...board(3), index: 'Nope' }, 'NOT_FOUND', 'index'],
    [{ ...board(3), key: undefined }, 'MISSING', 'key'],
    [{ ...board(3), key: { gameMode: 1 } }, 'TYPE', 'key'],
    [{ ...board(3), key: { gameMode: 'a', rankKey: 'b' } }, 'INVALID', 'key'],
    [board(0), 'INVALID', 'top'],
    [board(1001), 'INVALID', 'top'],
    [board('ten'), 'INVALID', 'top'],
    [{ ...board(3), backward: 1 }, 'TYPE', 'backward'],
  ]
  for (const [ranks, code, field] of wrong) {
    const answer = await client.ask({ action: 'subscribe', ranks })
    assert.deepEqual([answer.type, answer.error, answer.field], ['error', code, field], JSON.stringify(ranks))
  }
  assert.equal((await client.ask({ action: 'subscribe', ranks: board(3), filter: { a: 1 } })).field, 'filter')
  assert.equal((await client.ask({ action: 'subscribe', ranks: 'all' })).field, 'ranks')
})

test('the rules of live tables hold: own rows only below an own key', async (t) => {
  const { as } = await notes(t)
  const ada = await as('ada')
  const answer = await ada.ask({ action: 'subscribe', ranks: { table: 'notes-drafts', key: { id: 'x' }, top: 5 } })
  assert.deepEqual([answer.error, answer.field], ['FORBIDDEN', 'key'])
  assert.equal((await ada.ask({ action: 'subscribe', ranks: { table: 'notes-counts', key: { board: 'x' }, top: 5 } })).error, 'FORBIDDEN')
  for (const id of ['3', '1', '2']) await ada.ask({ action: 'put', board: 'b', id, text: 'x' })
  await ada.ask({ action: 'subscribe', ranks: { table: 'notes', key: { board: 'b' }, top: 2, backward: true } })
  assert.deepEqual((await ada.json()).items.map((note) => note.id), ['3', '2'], "a table's own order, from the other end")
})

test('a change that leaves the top as it is sends nothing', async (t) => {
  const server = await start(t)
  const writer = await player(server, 'w')
  const users = await Promise.all(Array.from({ length: 30 }, (_, i) => player(server, `u${i}`)))
  for (const [i, user] of users.entries()) await score(user, 1000 + i)
  const follower = new RankFollower(board(5), byUser)
  follower.follow(await player(server, 'reader'))
  await follower.until('a snapshot', (f) => f.complete)
  for (let i = 0; i < 200; i++) await score(writer, i + 1) // never near the top
  await score(users[29], 5000)
  await follower.until('the one that counts', (f) => f.counts.messages === 1)
  assert.deepEqual({ ...follower.counts }, { snapshots: 1, messages: 1, steps: 1, resnapshots: 0, resumed: 0 })
})

test('many leave the top: it is filled again from the table', async (t) => {
  const server = await start(t, { threads: 2 })
  const TableName = table, people = 400
  const item = (i) => ({ gameMode: { S: 'classic' }, userId: { S: `u${String(i).padStart(4, '0')}` }, rankKey: { S: String(i).padStart(6, '0') }, score: { N: String(i) } })
  for (let i = 0; i < people; i += 25) {
    await dynamodb(server, 'BatchWriteItem', { RequestItems: { [TableName]: Array.from({ length: 25 }, (_, n) => ({ PutRequest: { Item: item(i + n) } })) } })
  }
  const plain = new RankFollower(board(10), byUser), merged = new RankFollower(board(10), byUser, { conflate: true })
  for (const follower of [plain, merged]) {
    follower.follow(await player(server, 'reader'))
    await follower.until('a snapshot', (f) => f.complete)
  }
  const left = new Set(Array.from({ length: people }, (_, i) => i))
  while (left.size > 5) {
    const out = [...left].slice(0, 25)
    await dynamodb(server, 'BatchWriteItem', { RequestItems: { [TableName]: out.map((i) => ({ DeleteRequest: { Key: { gameMode: { S: 'classic' }, userId: item(i).userId } } })) } })
    for (const i of out) left.delete(i)
    const expected = [...left].slice(0, 10).map((i) => item(i).userId.S)
    for (const follower of [plain, merged]) {
      await follower.until(`the top from ${expected[0]}`, (f) => JSON.stringify(f.items().map(byUser)) === JSON.stringify(expected))
      assert.equal(follower.counts.resnapshots, 0)
    }
  }
})

test(`20 clients that break off at random, SEED=${seed}`, async (t) => {
  const WRITES = 3000, BREAKS = 60, TOP = [5, 20, 100]
  const server = await start(t, { threads: 2 })
  const writers = await Promise.all(Array.from({ length: 8 }, (_, i) => player(server, `w${i}`)))
  const followers = Array.from({ length: 20 }, (_, i) => new RankFollower(board(TOP[i % 3]), byUser, i % 4 === 3 ? { conflate: true } : {}))
  let done = false, breaks = 0
  const lives = followers.map(async (follower) => {
    for (let first = true; first || !done; first = false) {
      const client = await player(server, 'reader')
      follower.follow(client)
      const end = Date.now() + 20 + random(300)
      await until('the next break', () => Date.now() > end || done)
      if (done) break
      breaks++
      if (random(3)) client.socket.terminate()
      else await client.close(1000)
    }
    if (follower.client.socket.readyState !== 1) follower.follow(await player(server, 'reader'))
  })
  let sent = 0
  await Promise.all(writers.map(async (writer) => {
    while (sent < WRITES || breaks < BREAKS) {
      const window = 1 + random(10)
      for (let i = 0; i < window; i++) {
        sent++
        writer.send({ action: 'updateLeaderboard', gameMode: 'classic', score: random(1000000), userId: `u${random(400)}`, playerName: 'x' })
      }
      for (let i = 0; i < window; i++) assert.equal((await writer.json()).type, 'ack')
    }
  }))
  done = true
  await Promise.all(lives)
  const truth = await leaders(writers[0], 100)
  assert.equal(truth.length, 100)
  for (const [i, follower] of followers.entries()) {
    const expected = truth.slice(0, follower.request.ranks.top)
    await follower.until(`follower ${i} at the end`, (f) => f.complete && JSON.stringify(shown(f)) === JSON.stringify(expected))
  }
  assert.ok(followers.some((f) => f.counts.resumed > f.counts.resnapshots), 'some resumed')
  t.diagnostic(`${breaks} breaks, ${followers.reduce((sum, f) => sum + f.counts.messages, 0)} messages, ${followers.reduce((sum, f) => sum + f.counts.resnapshots, 0)} resnapshots`)
  for (const client of [...followers.map((f) => f.client), ...writers]) client.socket.terminate()
  await until('no subscription is left', async () => (await server.counters()).live_subscriptions === 0)
})

test('over a restart: what is there, after an explicit word', async (t) => {
  const server = await start(t)
  const ada = await player(server, 'ada')
  await score(ada, 7)
  const follower = new RankFollower(board(3), byUser)
  follower.follow(await player(server, 'reader'))
  await follower.until('a snapshot', (f) => f.complete)
  await server.kill9()
  await server.restart()
  const bob = await player(server, 'bob')
  await score(bob, 9)
  follower.follow(await player(server, 'reader'))
  await follower.until('both', (f) => f.complete && f.list.length === 2)
  assert.deepEqual(shown(follower), [['bob', 9], ['ada', 7]])
})

test('a board whose top is larger than a message may be', async (t) => {
  const { as } = await notes(t)
  const writer = await as('ada')
  for (let i = 0; i < 150; i++) writer.send({ action: 'put', board: 'b', id: String(1000 + i), text: 'x'.repeat(4000) })
  await until('acknowledgements', () => writer.queue.length === 150)
  const reader = await as('bob')
  const ranks = (top) => ({ action: 'subscribe', ranks: { table: 'notes', key: { board: 'b' }, top } })
  const { subscription } = await reader.ask(ranks(150))
  const told = await reader.json()
  assert.deepEqual([told.type, told.error, told.subscription], ['error', 'TOO_LARGE', subscription])
  assert.equal((await reader.ask(ranks(20))).type, 'subscribed')
  assert.equal((await reader.json()).items.length, 20)
})

test('there are so many boards and no more', async (t) => {
  const server = await start(t)
  const clients = await Promise.all(Array.from({ length: 65 }, (_, i) => player(server, `u${i}`)))
  const told = async (client) => {
    const refused = []
    for (let i = 0; i < 64; i++) client.send({ action: 'subscribe', ranks: board(3, `mode ${clients.indexOf(client)} ${i}`) })
    for (let i = 0; i < 128; i++) {
      const message = await client.json()
      if (message.type === 'error') refused.push(message.error)
    }
    return refused
  }
  for (const client of clients.slice(0, 64)) assert.deepEqual(await told(client), [])
  assert.deepEqual(new Set(await told(clients[64])), new Set(['FULL']))
  for (const client of clients) client.socket.terminate()
  await until('no subscription is left', async () => (await server.counters()).live_subscriptions === 0)
  const again = await player(server, 'again')
  await again.ask({ action: 'subscribe', ranks: board(3) })
  assert.equal((await again.json()).type, 'snapshot')
})
