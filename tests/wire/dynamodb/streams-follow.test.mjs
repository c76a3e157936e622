// Readers that follow: every change once and in order, in pages, while writes go on, and over kill -9.
// ST-1, ST-3
import test from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { GetRecordsCommand } from '@aws-sdk/client-dynamodb-streams'
import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, ok, table } from './lib.mjs'
import { all, iterator, readFrom, refused, shardOf, streamed, streamsClient } from './streams.mjs'

test('3,000 changes in pages are the writes that were made', async (t) => {
  const server = await start(t, { threads: 2 })
  const arn = await streamed(server, 'many')
  const other = await streamed(server, 'noise', 'KEYS_ONLY')
  await table(server, 'silent')
  const made = []
  for (let i = 0; i < 3000; i += 25) {
    const items = Array.from({ length: 25 }, (_, k) => ({ id: { S: `k${(i + k) % 700}` }, n: { N: String(i + k) } }))
    made.push(...items.map((item) => `${item.id.S}=${item.n.N}`))
    const puts = items.map((Item) => ({ PutRequest: { Item } }))
    await ok(server, 'BatchWriteItem', { RequestItems: { many: puts } })
    await ok(server, 'BatchWriteItem', { RequestItems: { noise: puts.slice(0, 3), silent: puts.slice(3) } })
  }
  const seen = (records) => records.map((r) => `${r.dynamodb.Keys.id.S}=${r.dynamodb.NewImage.n.N}`)
  const full = await all(server, arn)
  assert.deepEqual(seen(full), made)
  assert.deepEqual(full.map((r) => r.eventName), made.map((_, i) => (i < 700 ? 'INSERT' : 'MODIFY')))
  for (const [i, record] of full.entries()) if (i >= 700) assert.equal(record.dynamodb.OldImage.n.N, String(i - 700))
  assert.equal(new Set(full.map((r) => r.eventID)).size, 3000)
  const numbers = full.map((r) => r.dynamodb.SequenceNumber)
  assert.deepEqual([...new Set(numbers)].sort(), numbers)
  for (const Limit of [7, 999, 1000]) assert.deepEqual(await all(server, arn, { Limit }), full)
  assert.equal((await all(server, other)).length, 360)
  const middle = await iterator(server, arn, 'AFTER_SEQUENCE_NUMBER', numbers[1499])
  assert.deepEqual((await readFrom(server, middle, { Limit: 333 })).records, full.slice(1500))
  await quiet(server)
})

test('a reader that follows sees each change once while writes go on', async (t) => {
  const server = await start(t, { threads: 2 })
  const arn = await streamed(server, 'live')
  await table(server, 'silent')
  const db = client(server)
  const streams = streamsClient(server)
  const total = 600
  const writers = Array.from({ length: 6 }, async (_, w) => {
    for (let i = 0; i < total / 6; i++) {
      await db.send(new PutItemCommand({ TableName: 'live', Item: { id: { S: `w${w}` }, n: { N: String(i) } } }))
      await db.send(new UpdateItemCommand({ TableName: 'silent', Key: { id: { S: 'x' } }, UpdateExpression: 'ADD n :one', ExpressionAttributeValues: { ':one': { N: '1' } } }))
    }
  })
  const follow = async (Limit) => {
    const seen = []
    let ShardIterator = await iterator(server, arn)
    for (const end = Date.now() + 120000; seen.length < total;) {
      const page = await streams.send(new GetRecordsCommand({ ShardIterator, Limit }))
      seen.push(...page.Records)
      ShardIterator = page.NextShardIterator
      assert.ok(Date.now() < end, `only ${seen.length}`)
    }
    return seen
  }
  const followers = await Promise.all([follow(), follow(1), follow(50)])
  await Promise.all(writers)
  for (const seen of followers) {
    assert.equal(new Set(seen.map((r) => r.dynamodb.SequenceNumber)).size, total)
    for (let w = 0; w < 6; w++)
      assert.deepEqual(seen.filter((r) => r.dynamodb.Keys.id.S === `w${w}`).map((r) => Number(r.dynamodb.NewImage.n.N)), Array.from({ length: total / 6 }, (_, i) => i))
  }
  assert.deepEqual(followers[1], followers[0])
  assert.deepEqual(followers[2], followers[0])
  db.destroy()
  streams.destroy()
  await quiet(server)
})

test('kill -9 and a restart: iterators mean what they meant', async (t) => {
  const server = await start(t, { threads: 2 })
  const arn = await streamed(server, 'crash')
  const acknowledged = []
  let token = await iterator(server, arn)
  const seen = []
  for (let round = 0; round < 3; round++) {
    const db = client(server)
    let alive = true
    const writers = Array.from({ length: 8 }, async (_, w) => {
      for (let i = 0; alive; i++) {
        const id = `r${round}w${w}i${i}`
        try {
          await db.send(new PutItemCommand({ TableName: 'crash', Item: { id: { S: id } } }))
        } catch {
          break
        }
        acknowledged.push(id)
      }
    })
    const before = acknowledged.length
    while (acknowledged.length < before + 150) {
      const page = await readFrom(server, token, { count: 1, Limit: 20 })
      seen.push(...page.records)
      token = page.next
    }
    alive = false
    await server.kill9()
    await Promise.all(writers)
    db.destroy()
    await server.restart()
  }
  const rest = await readFrom(server, token, { Limit: 100 })
  seen.push(...rest.records)
  assert.deepEqual(seen, await all(server, arn), 'pages over crashes are the stream')
  const ids = seen.map((r) => r.dynamodb.Keys.id.S)
  assert.equal(new Set(ids).size, ids.length)
  const shown = new Set(ids)
  assert.deepEqual(acknowledged.filter((id) => !shown.has(id)), [], 'what was acknowledged is there')
  const { Count } = await ok(server, 'Scan', { TableName: 'crash', Select: 'COUNT' })
  assert.equal(Count, ids.length, 'and nothing else')
  await quiet(server)
})

test('far apart in the journal, and what the journal has forgotten', async (t) => {
  const server = await start(t, { config: 'apps: [echo]\n' }) // no application whose tables keep the journal for recovery
  const arn = await streamed(server, 'far')
  await table(server, 'noise')
  const put = (TableName, id, text) => ok(server, 'PutItem', { TableName, Item: { id: { S: id }, text: { S: text } } })
  const seen = async (count) => (await all(server, arn, { count })).map((r) => r.dynamodb.Keys.id.S)
  await put('far', 'a', '')
  const [{ dynamodb: { SequenceNumber } }] = await all(server, arn)
  for (let i = 0; i < 190; i++) await put('noise', `n${i % 10}`, String(i).padEnd(390000, 'x')) // more than one file of the journal
  await put('far', 'b', '')
  assert.deepEqual(await seen(2), ['a', 'b'])
  const files = () => readdirSync(path.join(server.folder, 'data', 'journal')).filter((name) => /^\d{20}\.log$/.test(name)).sort()
  const [oldest] = files()
  await advance(server, 25 * 3600000)
  await until('the oldest file of the journal is given up', async () => {
    await put('noise', 'n', String(Date.now()))
    return files()[0] !== oldest
  })
  await put('far', 'c', '')
  await until('the horizon', async () => (await seen(1)).join('') === 'c')
  const { ShardId } = await shardOf(server, arn)
  await refused(server, 'GetShardIterator', { StreamArn: arn, ShardId, ShardIteratorType: 'AT_SEQUENCE_NUMBER', SequenceNumber }, 'TrimmedDataAccessException')
  await quiet(server)
})
