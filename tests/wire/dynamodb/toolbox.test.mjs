// dynamodb-toolbox, a query builder over the document client: entities, updates with its extensions, conditions, batches, transactions, queries and scans.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import {
  $add, $append, $delete, $get, $prepend, $remove, $set, $subtract, $sum,
  BatchDeleteRequest, BatchGetCommand, BatchGetRequest, BatchPutRequest, BatchWriteCommand, ConditionCheck, DeleteItemCommand, DeletePartitionCommand, DeleteTransaction,
  Entity, EntityRepository, GetItemCommand, GetTransaction, PutItemCommand, PutTransaction, QueryCommand, ScanCommand, Table, UpdateAttributesCommand, UpdateItemCommand, UpdateTransaction,
  any, anyOf, binary, boolean, executeBatchGet, executeBatchWrite, executeTransactGet, executeTransactWrite, isConditionCheckFailed, isTransactionCancelled, item, list, map, nul, number, record, set, string, tuple,
} from 'dynamodb-toolbox'
import { quiet, start } from '../lib/weir.mjs'
import { client, ok } from './lib.mjs'

const attributes = (types) => Object.entries(types).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType }))
const key = (hashes, ranges = []) => [...hashes.map((AttributeName) => ({ AttributeName, KeyType: 'HASH' })), ...ranges.map((AttributeName) => ({ AttributeName, KeyType: 'RANGE' }))]
const all = { ProjectionType: 'ALL' }

/** The table, and the entities over it. */
async function world(t) {
  const server = await start(t)
  await ok(server, 'CreateTable', {
    TableName: 'zoo',
    AttributeDefinitions: attributes({ pk: 'S', sk: 'S', species: 'S', level: 'N', zone: 'S', house: 'N', row: 'N', born: 'N' }),
    KeySchema: key(['pk'], ['sk']),
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      { IndexName: 'bySpecies', KeySchema: key(['species'], ['level']), Projection: all },
      { IndexName: 'byPlace', KeySchema: key(['zone', 'house'], ['row', 'species', 'level']), Projection: all },
    ],
    LocalSecondaryIndexes: [{ IndexName: 'byBirth', KeySchema: key(['pk'], ['born']), Projection: all }],
  })
  const db = client(server)
  const table = new Table({
    documentClient: DynamoDBDocumentClient.from(db, { marshallOptions: { removeUndefinedValues: true } }),
    name: 'zoo',
    partitionKey: { name: 'pk', type: 'string' },
    sortKey: { name: 'sk', type: 'string' },
    indexes: {
      bySpecies: { type: 'global', partitionKey: { name: 'species', type: 'string' }, sortKey: { name: 'level', type: 'number' } },
      byPlace: {
        type: 'global',
        partitionKeys: [{ name: 'zone', type: 'string' }, { name: 'house', type: 'number' }],
        sortKeys: [{ name: 'row', type: 'number' }, { name: 'species', type: 'string' }, { name: 'level', type: 'number' }],
      },
      byBirth: { type: 'local', sortKey: { name: 'born', type: 'number' } },
    },
  })
  const Animal = new Entity({
    name: 'Animal',
    table,
    schema: item({
      keeper: string().key().savedAs('pk'),
      id: string().key().savedAs('sk'),
      species: string().enum('otter', 'heron', 'newt').default('otter'),
      level: number().default(1),
      born: number().optional(),
      zone: string().optional(),
      house: number().optional(),
      row: number().optional(),
      name: string().optional().savedAs('n'),
      tame: boolean().optional(),
      chip: binary().optional(),
      nothing: nul().optional(),
      tags: set(string()).optional(),
      marks: set(number()).optional(),
      visits: list(string()).default([]),
      path: list(map({ x: number(), y: number() })).optional(),
      size: map({ weight: number(), box: map({ w: number(), h: number() }).optional() }).optional(),
      scores: record(string(), number()).optional(),
      pair: tuple(string(), number()).optional(),
      either: anyOf(string(), number()).optional(),
      extra: any().optional(),
    }),
  })
  const Keeper = new Entity({
    name: 'Keeper',
    table,
    schema: item({ keeper: string().key().savedAs('pk'), kind: string().const('keeper').key().default('keeper').savedAs('sk'), animals: number().default(0), salary: number({ big: true }).optional() }),
  })
  t.after(() => db.destroy())
  return { server, db, table, Animal, Keeper }
}

const put = (entity, value, options = {}) => entity.build(PutItemCommand).item(value).options(options).send()
const get = async (entity, of, options = {}) => (await entity.build(GetItemCommand).key(of).options(options).send()).Item
const update = (entity, value, options = {}) => entity.build(UpdateItemCommand).item(value).options(options).send()
const plain = ({ created, modified, entity, ...rest }) => rest

test('items of every type come back as they went', async (t) => {
  const { server, db, Animal, Keeper } = await world(t)
  const whole = {
    keeper: 'ann', id: 'a1', species: 'heron', level: -2.5, born: 1700000000, zone: 'north', house: 3, row: 1, name: 'Gråskarv', tame: false, chip: new Uint8Array([0, 255, 7]), nothing: null,
    tags: new Set(['x', 'y']), marks: new Set([1, 2.5]), visits: ['mon', 'tue'], path: [{ x: 1, y: 2 }], size: { weight: 3, box: { w: 1, h: 2 } }, scores: { swim: 9, dive: 1 }, pair: ['p', 1], either: 7, extra: { deep: [1, { b: null }] },
  }
  const answer = await put(Animal, whole, { capacity: 'INDEXES', returnValues: 'ALL_OLD' })
  assert.equal(answer.Attributes, undefined)
  assert.ok(answer.ConsumedCapacity.GlobalSecondaryIndexes.byPlace.CapacityUnits >= 1)
  const back = await get(Animal, { keeper: 'ann', id: 'a1' }, { consistent: true })
  assert.deepEqual(plain(back), whole)
  assert.ok(Date.parse(back.created) && Date.parse(back.modified))
  assert.deepEqual(await get(Animal, { keeper: 'ann', id: 'a1' }, { attributes: ['name', 'size.box.h', 'path[0].y', 'visits[1]'] }), { name: 'Gråskarv', size: { box: { h: 2 } }, path: [{ y: 2 }], visits: ['tue'] })
  assert.equal(await get(Animal, { keeper: 'ann', id: 'none' }), undefined)
  await put(Keeper, { keeper: 'ann', salary: 123456789012345678901234567890n })
  assert.equal((await get(Keeper, { keeper: 'ann' })).salary, 123456789012345678901234567890n)
  const old = await put(Animal, { keeper: 'ann', id: 'a1' }, { returnValues: 'ALL_OLD' })
  assert.equal(old.Attributes.name, 'Gråskarv')
  const deleted = await Animal.build(DeleteItemCommand).key({ keeper: 'ann', id: 'a1' }).options({ returnValues: 'ALL_OLD' }).send()
  assert.equal(deleted.Attributes.species, 'otter')
  db.destroy()
  await quiet(server)
})

test('updates: sums, references, lists, sets, maps, records, removals', async (t) => {
  const { server, db, Animal } = await world(t)
  const at = { keeper: 'bob', id: 'b1' }
  await put(Animal, { ...at, level: 5, tags: new Set(['a', 'b']), marks: new Set([1]), visits: ['v0', 'v1', 'v2'], path: [{ x: 0, y: 0 }], size: { weight: 10, box: { w: 1, h: 1 } }, scores: { swim: 1, dive: 2 }, name: 'Bo' })
  const now = async () => plain(await get(Animal, at, { consistent: true }))
  const step = async (change, expected) => {
    const { Attributes } = await update(Animal, { ...at, ...change }, { returnValues: 'ALL_NEW' })
    const have = await now()
    assert.deepEqual(plain(Attributes), have)
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(have[name], value, name)
  }
  await step({ level: $add(2) }, { level: 7 })
  await step({ level: $sum($get('level'), 10) }, { level: 17 })
  await step({ level: $subtract($get('level'), 0.5) }, { level: 16.5 })
  await step({ born: $get('born', 99) }, { born: 99 })
  await step({ tags: $add(new Set(['c'])), marks: $delete(new Set([1])) }, { tags: new Set(['a', 'b', 'c']), marks: undefined })
  await step({ tags: $delete(new Set(['a', 'zz'])) }, { tags: new Set(['b', 'c']) })
  await step({ visits: $append(['v3']) }, { visits: ['v0', 'v1', 'v2', 'v3'] })
  await step({ visits: $prepend(['first']) }, { visits: ['first', 'v0', 'v1', 'v2', 'v3'] })
  await step({ visits: { 1: 'changed', 3: $remove() } }, { visits: ['first', 'changed', 'v1', 'v3'] })
  await step({ path: [{ x: $add(4) }] }, { path: [{ x: 4, y: 0 }] })
  await step({ size: { weight: $add(1), box: { h: 9 } } }, { size: { weight: 11, box: { w: 1, h: 9 } } })
  await step({ size: $set({ weight: 1 }) }, { size: { weight: 1 } })
  await step({ scores: { swim: $add(5), fly: 3, dive: $remove() } }, { scores: { swim: 6, fly: 3 } })
  await step({ name: $remove(), tame: true }, { name: undefined, tame: true })
  const touched = await update(Animal, { ...at, level: $add(1) }, { returnValues: 'UPDATED_NEW' })
  assert.equal(touched.Attributes.level, 17.5)
  const before = await update(Animal, { ...at, level: 1 }, { returnValues: 'UPDATED_OLD' })
  assert.equal(before.Attributes.level, 17.5)
  await Animal.build(UpdateAttributesCommand).item({ ...at, size: { weight: 77 }, visits: ['only'] }).send()
  assert.deepEqual([(await now()).size, (await now()).visits], [{ weight: 77 }, ['only']])
  await update(Animal, { keeper: 'bob', id: 'new', species: 'newt', visits: $set([]), level: $add(3) }) // makes it
  assert.equal((await get(Animal, { keeper: 'bob', id: 'new' })).level, 3)
  db.destroy()
  await quiet(server)
})

test('conditions of every kind', async (t) => {
  const { server, db, Animal } = await world(t)
  const at = { keeper: 'cid', id: 'c1' }
  const value = { ...at, species: 'newt', level: 5, name: 'Newton', tags: new Set(['wet', 'small']), visits: ['a', 'b'], size: { weight: 4 } }
  await put(Animal, value, { condition: { attr: 'id', exists: false } })
  const refusal = await put(Animal, value, { condition: { attr: 'id', exists: false }, returnValuesOnConditionFalse: 'ALL_OLD' }).catch((error) => error)
  assert.equal(refusal.name, 'ConditionalCheckFailedException')
  assert.ok(isConditionCheckFailed?.(refusal, Animal) ?? true)
  for (const [condition, holds] of [
    [{ attr: 'level', eq: 5 }, true], [{ attr: 'level', ne: 5 }, false], [{ attr: 'level', gt: 4 }, true], [{ attr: 'level', gte: 6 }, false], [{ attr: 'level', lt: 6 }, true], [{ attr: 'level', lte: 4 }, false],
    [{ attr: 'level', between: [1, 5] }, true], [{ attr: 'level', in: [1, 2, 5] }, true], [{ attr: 'level', in: [1] }, false],
    [{ attr: 'name', beginsWith: 'New' }, true], [{ attr: 'name', contains: 'wto' }, true], [{ attr: 'tags', contains: 'wet' }, true], [{ attr: 'tags', contains: 'dry' }, false], [{ attr: 'visits', contains: 'b' }, true],
    [{ attr: 'name', exists: true }, true], [{ attr: 'born', exists: true }, false], [{ attr: 'name', type: 'S' }, true], [{ attr: 'size', type: 'L' }, false],
    [{ size: 'name', eq: 6 }, true], [{ size: 'visits', gt: 2 }, false], [{ attr: 'size.weight', lt: 5 }, true], [{ attr: 'visits[0]', eq: 'a' }, true],
    [{ and: [{ attr: 'level', gt: 1 }, { attr: 'species', eq: 'newt' }] }, true], [{ or: [{ attr: 'level', gt: 9 }, { attr: 'species', eq: 'newt' }] }, true], [{ not: { attr: 'level', gt: 1 } }, false],
    [{ and: [{ or: [{ attr: 'level', eq: 1 }, { not: { attr: 'name', beginsWith: 'X' } }] }, { attr: 'level', lt: 100 }] }, true],
  ]) {
    const passed = await update(Animal, { ...at, born: 1 }, { condition }).then(() => true, (error) => { assert.equal(error.name, 'ConditionalCheckFailedException'); return false })
    assert.equal(passed, holds, JSON.stringify(condition))
    if (passed) await update(Animal, { ...at, born: $remove() })
    const { Count } = await Animal.table.build(QueryCommand).query({ partition: 'cid' }).entities(Animal).options({ filters: { Animal: condition } }).send()
    assert.equal(Count, holds ? 1 : 0, `filter ${JSON.stringify(condition)}`)
  }
  await assert.rejects(Animal.build(DeleteItemCommand).key(at).options({ condition: { attr: 'level', gt: 99 } }).send(), { name: 'ConditionalCheckFailedException' })
  await Animal.build(DeleteItemCommand).key(at).options({ condition: { attr: 'level', eq: 5 } }).send()
  db.destroy()
  await quiet(server)
})

test('queries and scans, over entities, indexes, pages and segments', async (t) => {
  const { server, db, table, Animal, Keeper } = await world(t)
  const species = ['otter', 'heron', 'newt']
  for (let i = 0; i < 36; i++)
    await put(Animal, { keeper: `k${i % 3}`, id: `a${String(i).padStart(2, '0')}`, species: species[i % 3 ? i % 2 : 2], level: i % 9, born: 100 - i, zone: i % 2 ? 'north' : 'south', house: i % 4, row: i % 5 })
  for (let i = 0; i < 3; i++) await put(Keeper, { keeper: `k${i}`, animals: 12 })
  const query = (q) => table.build(QueryCommand).query(q)
  const mine = await query({ partition: 'k1' }).entities(Animal, Keeper).send()
  assert.equal(mine.Items.length, 13)
  assert.equal(mine.Items.filter((one) => one.animals).length, 1)
  assert.deepEqual((await query({ partition: 'k1', range: { between: ['a01', 'a07'] } }).entities(Animal).send()).Items.map((one) => one.id), ['a01', 'a04', 'a07'])
  assert.deepEqual((await query({ partition: 'k1', range: { beginsWith: 'a0' } }).entities(Animal).options({ reverse: true }).send()).Items.map((one) => one.id), ['a07', 'a04', 'a01'])
  assert.deepEqual((await query({ index: 'byBirth', partition: 'k1', range: { gt: 90 } }).entities(Animal).options({ consistent: true }).send()).Items.map((one) => one.born), [93, 96, 99])
  const herons = await query({ index: 'bySpecies', partition: 'heron', range: { gte: 5 } }).entities(Animal).options({ attributes: ['id', 'level'] }).send()
  assert.ok(herons.Items.length && herons.Items.every((one) => one.level >= 5))
  const { Count } = await query({ index: 'bySpecies', partition: 'heron' }).options({ select: 'COUNT' }).send()
  // Pages by hand, and all of them by the library.
  const ids = []
  let from
  do {
    const page = await query({ index: 'bySpecies', partition: 'heron' }).entities(Animal).options({ limit: 3, exclusiveStartKey: from }).send()
    ids.push(...page.Items.map((one) => one.id))
    from = page.LastEvaluatedKey
  } while (from)
  assert.equal(ids.length, Count)
  const whole = await query({ index: 'bySpecies', partition: 'heron' }).entities(Animal).options({ limit: 2, maxPages: Infinity }).send()
  assert.deepEqual(whole.Items.map((one) => one.id), ids)
  // An index of several attributes.
  const place = async (range, options = {}) => (await query({ index: 'byPlace', partition: ['north', 1], ...(range ? { range } : {}) }).entities(Animal).options(options).send()).Items
  const north = await place()
  assert.ok(north.length > 4 && north.every((one) => one.zone === 'north' && one.house === 1))
  const sorted = [...north].sort((a, b) => a.row - b.row || (a.species < b.species ? -1 : a.species > b.species ? 1 : a.level - b.level))
  assert.deepEqual(north.map((one) => one.id), sorted.map((one) => one.id))
  assert.deepEqual((await place(undefined, { limit: 2, maxPages: Infinity, reverse: true })).map((one) => one.id), sorted.map((one) => one.id).reverse())
  assert.deepEqual((await place([{ gt: 2 }])).map((one) => one.id), sorted.filter((one) => one.row > 2).map((one) => one.id))
  assert.deepEqual((await place([1, { beginsWith: 'h' }])).map((one) => one.id), sorted.filter((one) => one.row === 1 && one.species === 'heron').map((one) => one.id))
  assert.deepEqual((await place([north[0].row, north[0].species, { between: [0, 9] }])).map((one) => one.id), sorted.filter((one) => one.row === north[0].row && one.species === north[0].species).map((one) => one.id))
  // Scans.
  const scanned = await table.build(ScanCommand).entities(Animal, Keeper).options({ limit: 5, maxPages: Infinity }).send()
  assert.equal(scanned.Items.length, 39)
  const segments = await Promise.all([0, 1, 2].map((segment) => table.build(ScanCommand).entities(Animal).options({ segment, totalSegments: 3, maxPages: Infinity }).send()))
  assert.equal(segments.reduce((sum, one) => sum + one.Items.length, 0), 36)
  const filtered = await table.build(ScanCommand).entities(Animal).options({ filters: { Animal: { attr: 'level', eq: 8 } }, maxPages: Infinity }).send()
  assert.equal(filtered.Items.length, 4)
  assert.equal((await table.build(ScanCommand).options({ index: 'byPlace', select: 'COUNT' }).send()).Count, 36)
  await table.build(DeletePartitionCommand).query({ partition: 'k2' }).entities(Animal, Keeper).send()
  assert.equal((await query({ partition: 'k2' }).options({ select: 'COUNT' }).send()).Count, 0)
  db.destroy()
  await quiet(server)
})

test('batches and transactions', async (t) => {
  const { server, db, table, Animal, Keeper } = await world(t)
  const animal = (i) => ({ keeper: 'dan', id: `d${i}`, level: i })
  await executeBatchWrite(table.build(BatchWriteCommand).requests(...Array.from({ length: 20 }, (_, i) => Animal.build(BatchPutRequest).item(animal(i))), Keeper.build(BatchPutRequest).item({ keeper: 'dan' })))
  await executeBatchWrite(table.build(BatchWriteCommand).requests(Animal.build(BatchDeleteRequest).key({ keeper: 'dan', id: 'd19' })))
  const { Responses } = await executeBatchGet(table.build(BatchGetCommand).requests(Animal.build(BatchGetRequest).key({ keeper: 'dan', id: 'd3' }), Animal.build(BatchGetRequest).key({ keeper: 'dan', id: 'd19' }), Keeper.build(BatchGetRequest).key({ keeper: 'dan' })).options({ consistent: true }))
  assert.deepEqual([Responses[0][0].level, Responses[0][1], Responses[0][2].animals], [3, undefined, 0])
  const some = await executeBatchGet(table.build(BatchGetCommand).requests(Animal.build(BatchGetRequest).key({ keeper: 'dan', id: 'd4' })).options({ attributes: ['level'] }))
  assert.deepEqual(some.Responses[0][0], { level: 4 })
  await executeTransactWrite(
    { capacity: 'TOTAL', clientRequestToken: 'once' },
    Animal.build(PutTransaction).item(animal(30)).options({ condition: { attr: 'id', exists: false } }),
    Animal.build(UpdateTransaction).item({ keeper: 'dan', id: 'd1', level: $add(100) }),
    Animal.build(DeleteTransaction).key({ keeper: 'dan', id: 'd2' }),
    Keeper.build(UpdateTransaction).item({ keeper: 'dan', animals: $add(1) }),
    Animal.build(ConditionCheck).key({ keeper: 'dan', id: 'd3' }).condition({ attr: 'level', eq: 3 }),
  )
  const read = await executeTransactGet(Animal.build(GetTransaction).key({ keeper: 'dan', id: 'd1' }), Animal.build(GetTransaction).key({ keeper: 'dan', id: 'd2' }), Keeper.build(GetTransaction).key({ keeper: 'dan' }), Animal.build(GetTransaction).key({ keeper: 'dan', id: 'd30' }).options({ attributes: ['level'] }))
  assert.deepEqual(read.Responses.map((one) => one.Item && (one.Item.level ?? one.Item.animals)), [101, undefined, 1, 30])
  const error = await executeTransactWrite(
    Keeper.build(UpdateTransaction).item({ keeper: 'dan', animals: $add(1) }),
    Animal.build(ConditionCheck).key({ keeper: 'dan', id: 'd3' }).condition({ attr: 'level', eq: 4 }),
    Animal.build(PutTransaction).item(animal(30)).options({ condition: { attr: 'id', exists: false }, returnValuesOnConditionFalse: 'ALL_OLD' }),
  ).catch((failure) => failure)
  assert.equal(error.name, 'TransactionCanceledException')
  assert.ok(isTransactionCancelled?.(error) ?? true)
  assert.deepEqual(error.CancellationReasons.map((reason) => reason.Code), ['None', 'ConditionalCheckFailed', 'ConditionalCheckFailed'])
  assert.equal(error.CancellationReasons[2].Item.level.N ?? error.CancellationReasons[2].Item.level, '30')
  assert.equal((await get(Keeper, { keeper: 'dan' })).animals, 1)
  const repository = Animal.build(EntityRepository)
  await repository.put({ keeper: 'dan', id: 'last', level: 1 })
  assert.equal((await repository.get({ keeper: 'dan', id: 'last' })).Item.level, 1)
  await repository.update({ keeper: 'dan', id: 'last', level: $add(1) })
  assert.equal((await repository.get({ keeper: 'dan', id: 'last' })).Item.level, 2)
  await repository.delete({ keeper: 'dan', id: 'last' })
  db.destroy()
  await quiet(server)
})
