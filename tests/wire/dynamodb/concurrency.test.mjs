// Many clients at once, over several io threads: nothing is lost, nothing happens twice, and money does not appear.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { PutItemCommand, ScanCommand, TransactGetItemsCommand, TransactWriteItemsCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, ok, table } from './lib.mjs'

const key = (id) => ({ id: { S: String(id) } })

test('additions add up, one of many puts wins', async (t) => {
  const server = await start(t, { threads: 2 })
  await table(server, 'race')
  const clients = Array.from({ length: 4 }, () => client(server))
  await Promise.all(Array.from({ length: 400 }, (_, i) => clients[i % 4].send(new UpdateItemCommand({ TableName: 'race', Key: key('sum'), UpdateExpression: 'ADD n :i', ExpressionAttributeValues: { ':i': { N: String(i) } } }))))
  assert.equal((await ok(server, 'GetItem', { TableName: 'race', Key: key('sum') })).Item.n.N, String((399 * 400) / 2))
  const results = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => clients[i % 4].send(new PutItemCommand({ TableName: 'race', Item: { ...key('one'), by: { N: String(i) } }, ConditionExpression: 'attribute_not_exists(id)' }))))
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1)
  for (const { status, reason } of results) if (status === 'rejected') assert.equal(reason.name, 'ConditionalCheckFailedException')
  for (const db of clients) db.destroy()
  await quiet(server)
})

test('transfers keep the sum at every moment that a transaction reads, scans go on meanwhile', async (t) => {
  const server = await start(t, { threads: 2 })
  await table(server, 'bank')
  const clients = Array.from({ length: 4 }, () => client(server))
  for (let i = 0; i < 8; i++) await ok(server, 'PutItem', { TableName: 'bank', Item: { ...key(i), n: { N: '100' }, text: { S: 'x'.repeat(20_000) } } })
  let running = true
  const move = async (db, seed) => {
    for (let i = 0; i < 60; i++) {
      const [from, to] = [(seed + i) % 8, (seed + 3 * i + 1) % 8]
      if (from === to) continue
      const change = (id, n, more) => ({ Update: { TableName: 'bank', Key: key(id), UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': { N: String(n) } }, ...more } })
      await db.send(new TransactWriteItemsCommand({ TransactItems: [change(from, -7), change(to, 7)] }))
    }
  }
  const watch = async (db) => {
    let n = 0
    for (; running; n++) {
      const { Responses } = await db.send(new TransactGetItemsCommand({ TransactItems: Array.from({ length: 8 }, (_, i) => ({ Get: { TableName: 'bank', Key: key(i), ProjectionExpression: 'n' } })) }))
      assert.equal(Responses.reduce((sum, { Item }) => sum + Number(Item.n.N), 0), 800)
      const { Items } = await db.send(new ScanCommand({ TableName: 'bank', ProjectionExpression: 'n' }))
      assert.equal(Items.reduce((sum, item) => sum + Number(item.n.N), 0), 800)
    }
    return n
  }
  const watching = watch(clients[3])
  await Promise.all([move(clients[0], 0), move(clients[1], 2), move(clients[2], 5)])
  running = false
  assert.ok((await watching) > 3)
  for (const db of clients) db.destroy()
  await quiet(server)
})
