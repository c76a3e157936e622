// Random operations against a simple model in memory, with crashes in between. WEIR_SEED repeats a run, WEIR_STEPS makes it longer.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  BatchGetItemCommand, BatchWriteItemCommand, DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand, ScanCommand, TransactGetItemsCommand, TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, rich } from './lib.mjs'

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
    this.items.set(name(item), item)
  }

  delete(key) {
    this.items.delete(name(key))
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

test(`a model agrees (WEIR_SEED=${seed})`, async (t) => {
  const pick = random(seed)
  const server = await start(t)
  await rich(server, TableName)
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
    }
  }
  db.destroy()
  await quiet(server)
})
