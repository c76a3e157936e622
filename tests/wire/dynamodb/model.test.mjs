// Random operations against a simple model in memory, with crashes in between, and the table's stream: replayed from its horizon it rebuilds the table and its
// indexes, and a reader that goes on behind a crash meets each change once. WEIR_SEED repeats a run, WEIR_STEPS makes it longer.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import {
  BatchGetItemCommand, BatchWriteItemCommand, DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand, ScanCommand, TransactGetItemsCommand, TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, ok, rich } from './lib.mjs'
import { arnOf, fine, iterator, readFrom } from './streams.mjs'

const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.WEIR_STEPS ?? 6000)

function random(state) {
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let z = Math.imul(state ^ (state >>> 15), 1 | state)
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z
    return ((z ^ (z >>> 14)) >>> 0) % n
  }
}

const TableName = 'model'
const name = (key) => `${key.p.S}/${key.r.N}`
const plain = (item) => item && Object.fromEntries(Object.keys(item).sort().map((k) => [k, item[k]]))

class Model {
  constructor(pick) {
    this.pick = pick
    this.items = new Map()
    this.changes = 0 // records that the stream must have: a write that changes nothing makes none
  }

  key() {
    return { p: { S: `p${this.pick(6)}` }, r: { N: String(this.pick(25) - 8) } }
  }

  item() {
    const item = this.key()
    if (this.pick(4)) item.color = { S: ['red', 'green', 'blue'][this.pick(3)] }
    if (this.pick(4)) item.mass = { N: String(this.pick(9) / 2) }
    if (this.pick(2)) item.note = { S: 'n'.repeat(this.pick(200)) }
    if (this.pick(3) === 0) item.tags = { SS: ['a', 'b', 'c'].slice(0, 1 + this.pick(3)) }
    item.count = { N: String(this.pick(10)) }
    return item
  }

  get(key) {
    return this.items.get(name(key))
  }

  put(item) {
    if (!isDeepStrictEqual(plain(this.get(item)), plain(item))) this.changes++
    this.items.set(name(item), item)
  }

  delete(key) {
    if (this.items.delete(name(key))) this.changes++
  }

  /** ADD count :n SET color = :c REMOVE note */
  update(key, n, color) {
    const { note, ...item } = this.get(key) ?? key
    item.count = { N: String(Number(item.count?.N ?? 0) + n) }
    item.color = { S: color }
    this.put(item)
    return item
  }
}

const byRange = (a, b) => Number(a.r.N) - Number(b.r.N)
const byMass = (a, b) => Number(a.mass.N) - Number(b.mass.N) || (a.p.S < b.p.S ? -1 : a.p.S > b.p.S ? 1 : byRange(a, b))

async function pages(db, Command, input, pick) {
  const items = []
  let ExclusiveStartKey
  const Limit = pick(3) ? undefined : 1 + pick(9)
  do {
    const page = await db.send(new Command({ ...input, Limit, ExclusiveStartKey }))
    items.push(...page.Items)
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return items
}

const same = (got, wanted, what) => assert.deepEqual(got.map(plain), wanted.map(plain), what)

const operations = {
  async put(db, model) {
    const Item = model.item()
    const old = model.get(Item)
    const { Attributes } = await db.send(new PutItemCommand({ TableName, Item, ReturnValues: 'ALL_OLD' }))
    assert.deepEqual(plain(Attributes), plain(old))
    model.put(Item)
  },
  async putIf(db, model, pick) {
    const Item = model.item()
    const old = model.get(Item)
    const limit = pick(10)
    const holds = !old || Number(old.count.N) < limit
    const done = db.send(new PutItemCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(p) OR #c < :l', ExpressionAttributeNames: { '#c': 'count' }, ExpressionAttributeValues: { ':l': { N: String(limit) } } }))
    if (!holds) return assert.rejects(done, { name: 'ConditionalCheckFailedException' })
    await done
    model.put(Item)
  },
  async update(db, model, pick) {
    const Key = model.key()
    const n = pick(20) - 10
    const color = ['red', 'violet'][pick(2)]
    const { Attributes } = await db.send(new UpdateItemCommand({
      TableName, Key, UpdateExpression: 'ADD #c :n SET color = :c REMOVE note', ExpressionAttributeNames: { '#c': 'count' }, ExpressionAttributeValues: { ':n': { N: String(n) }, ':c': { S: color } }, ReturnValues: 'ALL_NEW',
    }))
    assert.deepEqual(plain(Attributes), plain(model.update(Key, n, color)))
  },
  async delete(db, model) {
    const Key = model.key()
    const { Attributes } = await db.send(new DeleteItemCommand({ TableName, Key, ReturnValues: 'ALL_OLD' }))
    assert.deepEqual(plain(Attributes), plain(model.get(Key)))
    model.delete(Key)
  },
  async get(db, model) {
    const Key = model.key()
    const { Item } = await db.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))
    assert.deepEqual(plain(Item), plain(model.get(Key)))
  },
  async batchWrite(db, model, pick) {
    const seen = new Map()
    for (let i = 0; i < 1 + pick(24); i++) {
      const Item = model.item()
      seen.set(name(Item), pick(3) ? { PutRequest: { Item } } : { DeleteRequest: { Key: { p: Item.p, r: Item.r } } })
    }
    const { UnprocessedItems } = await db.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: [...seen.values()] } }))
    assert.deepEqual(UnprocessedItems, {})
    for (const one of seen.values()) one.PutRequest ? model.put(one.PutRequest.Item) : model.delete(one.DeleteRequest.Key)
  },
  async batchGet(db, model, pick) {
    const keys = new Map(Array.from({ length: 1 + pick(20) }, () => model.key()).map((key) => [name(key), key]))
    const { Responses } = await db.send(new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: [...keys.values()] } } }))
    same(Responses[TableName], [...keys.values()].map((key) => model.get(key)).filter(Boolean))
  },
  async transact(db, model, pick) {
    const items = new Map(Array.from({ length: 1 + pick(6) }, () => model.item()).map((item) => [name(item), item]))
    const kinds = [...items.values()].map(() => pick(3))
    let holds = true
    const TransactItems = [...items.values()].map((item, i) => {
      const Key = { p: item.p, r: item.r }
      if (kinds[i] === 0) return { Put: { TableName, Item: item } }
      if (kinds[i] === 1) return { Delete: { TableName, Key } }
      const wantsItem = pick(4) > 0
      if (wantsItem !== Boolean(model.get(Key))) holds = false
      return { ConditionCheck: { TableName, Key, ConditionExpression: wantsItem ? 'attribute_exists(p)' : 'attribute_not_exists(p)' } }
    })
    const done = db.send(new TransactWriteItemsCommand({ TransactItems }))
    if (!holds) return assert.rejects(done, { name: 'TransactionCanceledException' })
    await done
    ;[...items.values()].forEach((item, i) => (kinds[i] === 0 ? model.put(item) : kinds[i] === 1 ? model.delete(item) : undefined))
  },
  async transactGet(db, model, pick) {
    const keys = [...new Map(Array.from({ length: 1 + pick(5) }, () => model.key()).map((key) => [name(key), key])).values()]
    const { Responses } = await db.send(new TransactGetItemsCommand({ TransactItems: keys.map((Key) => ({ Get: { TableName, Key } })) }))
    assert.deepEqual(Responses.map((one) => plain(one.Item)), keys.map((key) => plain(model.get(key))))
  },
  async query(db, model, pick) {
    const p = `p${pick(6)}`
    const from = pick(25) - 8
    const ScanIndexForward = pick(2) === 0
    const wanted = [...model.items.values()].filter((item) => item.p.S === p && Number(item.r.N) >= from).sort(byRange)
    if (!ScanIndexForward) wanted.reverse()
    same(await pages(db, QueryCommand, { TableName, KeyConditionExpression: 'p = :p AND r >= :r', ExpressionAttributeValues: { ':p': { S: p }, ':r': { N: String(from) } }, ScanIndexForward }, pick), wanted)
  },
  async queryIndex(db, model, pick) {
    const color = ['red', 'green', 'blue', 'violet'][pick(4)]
    const ScanIndexForward = pick(2) === 0
    const keysAlone = pick(2) === 0
    let wanted = [...model.items.values()].filter((item) => item.color?.S === color && item.mass && Number(item.mass.N) < 3).sort(byMass)
    if (!ScanIndexForward) wanted.reverse()
    if (keysAlone) wanted = wanted.map(({ p, r, color: c, mass }) => ({ p, r, color: c, mass }))
    same(await pages(db, QueryCommand, {
      TableName, IndexName: keysAlone ? 'byColorKeys' : 'byColor', KeyConditionExpression: 'color = :c AND mass < :m', ExpressionAttributeValues: { ':c': { S: color }, ':m': { N: '3' } }, ScanIndexForward,
    }, pick), wanted)
  },
  async scan(db, model, pick) {
    const tag = ['a', 'b', 'c'][pick(3)]
    const got = await pages(db, ScanCommand, { TableName, FilterExpression: 'contains(tags, :t)', ExpressionAttributeValues: { ':t': { S: tag } } }, pick)
    const order = (a, b) => (a.p.S < b.p.S ? -1 : a.p.S > b.p.S ? 1 : byRange(a, b))
    same(got, [...model.items.values()].filter((item) => item.tags?.SS.includes(tag)).sort(order))
  },
}

/** Applies records to what is there: each old image is what it holds, each image has its key. */
function apply(held, records) {
  for (const { eventName, dynamodb } of records) {
    const { Keys, OldImage, NewImage } = dynamodb
    const what = `record ${dynamodb.SequenceNumber}`
    assert.equal(eventName, !OldImage ? 'INSERT' : !NewImage ? 'REMOVE' : 'MODIFY', what)
    assert.deepEqual(plain(OldImage), plain(held.get(name(Keys))), what)
    assert.notDeepEqual(plain(OldImage), plain(NewImage), what)
    if (NewImage) {
      assert.deepEqual({ p: NewImage.p, r: NewImage.r }, Keys, what)
      held.set(name(Keys), NewImage)
    } else held.delete(name(Keys))
  }
}

/** A reader that keeps its place over crashes, and what it has rebuilt; and at each look another one, that begins with nothing at the horizon. */
class Follower {
  constructor(server, arn, pick) {
    Object.assign(this, { server, arn, pick, records: [], held: new Map() })
  }

  async look(model, db) {
    this.next ??= await iterator(this.server, this.arn)
    const news = await readFrom(this.server, this.next, { count: model.changes - this.records.length, Limit: 1 + this.pick(1000) })
    this.next = news.next
    this.records.push(...news.records)
    apply(this.held, news.records)
    const { records, next } = await readFrom(this.server, await iterator(this.server, this.arn), { count: model.changes, Limit: 1 + this.pick(1000) })
    assert.deepEqual(records, this.records)
    for (const at of [next, this.next]) assert.deepEqual((await fine(this.server, 'GetRecords', { ShardIterator: at })).Records, [], 'a change that the model did not make')
    for (let i = 1; i < records.length; i++) assert.ok(BigInt(records[i - 1].dynamodb.SequenceNumber) < BigInt(records[i].dynamodb.SequenceNumber), 'the order')
    assert.equal(new Set(records.map((record) => record.eventID)).size, records.length)
    const rebuilt = new Map()
    apply(rebuilt, records)
    for (const held of [rebuilt, this.held])
      assert.deepEqual(new Map([...held].map(([k, item]) => [k, plain(item)]).sort()), new Map([...model.items].map(([k, item]) => [k, plain(item)]).sort()))
    for (const color of ['red', 'green', 'blue', 'violet'])
      same(await pages(db, QueryCommand, { TableName, IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: color } } }, this.pick),
        [...rebuilt.values()].filter((item) => item.color?.S === color && item.mass).sort(byMass), 'the rebuilt index')
  }
}

test(`a model agrees (WEIR_SEED=${seed})`, async (t) => {
  const pick = random(seed)
  const server = await start(t)
  await rich(server, TableName)
  await ok(server, 'UpdateTable', { TableName, StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } })
  const follower = new Follower(server, await arnOf(server, TableName), random(seed + 1))
  const model = new Model(pick)
  const names = Object.keys(operations)
  let db = client(server)
  for (let step = 0; step < STEPS; step++) {
    const operation = names[pick(names.length)]
    try {
      await operations[operation](db, model, pick)
    } catch (error) {
      error.message = `step ${step}, ${operation}, WEIR_SEED=${seed}: ${error.message}`
      throw error
    }
    if (step % 1000 === 999) {
      db.destroy()
      await server.kill9()
      await server.restart()
      db = client(server)
      const all = []
      let ExclusiveStartKey
      do {
        const page = await db.send(new ScanCommand({ TableName, ExclusiveStartKey }))
        all.push(...page.Items)
        ExclusiveStartKey = page.LastEvaluatedKey
      } while (ExclusiveStartKey)
      assert.equal(all.length, model.items.size)
      for (const item of all) assert.deepEqual(plain(item), plain(model.get(item)))
      await follower.look(model, db)
    }
  }
  await follower.look(model, db)
  assert.ok(model.changes > 0)
  db.destroy()
  await quiet(server)
})
