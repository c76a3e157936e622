// Live tables by the key of an index that has several attributes: all of the hash, and of the range as many from the left as are wanted.
// FO-15
import test from 'node:test'
import assert from 'node:assert/strict'
import { Follower, noteKey, notes } from './lib/live.mjs'

const index = 'ByAuthorAndBoard'
const put = (client, board, id, stars) => client.ask({ action: 'put', board, id, text: 't', stars })

test('entries of a hash, and of a hash with the first of the range attributes', async (t) => {
  const { server, as } = await notes(t)
  const ada = await as('ada'), bob = await as('bob'), reader = await as('cyd')
  await put(ada, 'a', '1', 5)
  await put(ada, 'a', '2', 3)
  await put(ada, 'b', '1', 5)
  await put(bob, 'a', '3', 5)
  const whole = new Follower({ table: 'notes', index, key: { author: 'ada', board: 'a' } }, noteKey)
  const starred = new Follower({ table: 'notes', index, key: { author: 'ada', board: 'a', stars: 5 } }, noteKey)
  const one = new Follower({ table: 'notes', index, key: { author: 'ada', board: 'a', stars: 3, id: '2' } }, noteKey)
  for (const follower of [whole, starred, one]) {
    follower.follow(await as('cyd'))
    await follower.until('a snapshot', (f) => f.complete)
  }
  assert.deepEqual([whole, starred, one].map((f) => f.sorted().map(noteKey)), [['a/1', 'a/2'], ['a/1'], ['a/2']])
  await put(ada, 'a', '2', 5) // enters the second set, leaves the third
  await put(bob, 'a', '1', 5) // another author's now
  await put(ada, 'a', '4', 5)
  await whole.until('three changes', (f) => f.counts.changes === 3)
  await starred.until('three changes', (f) => f.counts.changes === 3)
  await one.until('it has left', (f) => f.items.size === 0)
  assert.deepEqual([whole, starred].map((f) => f.sorted().map(noteKey)), [['a/2', 'a/4'], ['a/2', 'a/4']])
  const again = new Follower({ table: 'notes', index, key: { author: 'ada', board: 'a', stars: 5 } }, noteKey)
  again.follow(await as('cyd'))
  await again.until('a snapshot', (f) => f.complete)
  assert.deepEqual(again.sorted(), starred.sorted())
  for (const [key, error] of [[{ author: 'ada' }, 'MISSING'], [{ author: 'ada', board: 'a', id: '1' }, 'INVALID'], [{ author: 'ada', board: 'a', stars: '5' }, 'TYPE'], [{ author: 'ada', board: 7 }, 'TYPE']]) {
    const refused = await reader.ask({ action: 'subscribe', table: 'notes', index, key })
    assert.deepEqual([refused.type, refused.error, refused.field], ['error', error, 'key'], JSON.stringify(key))
  }
  assert.equal((await server.counters()).live_subscriptions, 4)
})
