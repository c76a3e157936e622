// Global indexes whose keys have several attributes: declared, filled, asked, paged and changed.
// TB-3, TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { paginateQuery, paginateScan } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb'
import { quiet, start, until } from '../lib/weir.mjs'
import { client, fails, ok } from './lib.mjs'

const types = { id: 'S', tournament: 'S', area: 'S', round: 'S', court: 'N', seed: 'B', at: 'N' }
const definitions = (...names) => names.map((AttributeName) => ({ AttributeName, AttributeType: types[AttributeName] }))
const schema = (hashes, ranges = []) => [
  ...hashes.map((AttributeName) => ({ AttributeName, KeyType: 'HASH' })),
  ...ranges.map((AttributeName) => ({ AttributeName, KeyType: 'RANGE' })),
]
const bracket = {
  IndexName: 'Bracket',
  KeySchema: schema(['tournament', 'area'], ['round', 'court', 'seed']),
  Projection: { ProjectionType: 'ALL' },
}

function make(server, TableName, more = {}) {
  return ok(server, 'CreateTable', {
    TableName,
    AttributeDefinitions: definitions('id', 'tournament', 'area', 'round', 'court', 'seed'),
    KeySchema: schema(['id']),
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [bracket],
    ...more,
  })
}

const item = (i, more = {}) => ({
  id: { S: `m${String(i).padStart(3, '0')}` },
  tournament: { S: i % 5 ? 'winter' : 'summer' },
  area: { S: i % 7 ? 'north' : 'south' },
  round: { S: ['final', 'group', 'groups'][i % 3] },
  court: { N: String((i % 4) * 5 - 5) },
  seed: { B: Buffer.from([i % 2, i % 11]).toString('base64') },
  note: { S: `n${i}` },
  ...more,
})

async function fill(server, TableName, items) {
  for (let from = 0; from < items.length; from += 25)
    await ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: items.slice(from, from + 25).map((Item) => ({ PutRequest: { Item } })) } })
}

function order(a, b) {
  return Buffer.compare(Buffer.from(a.round.S), Buffer.from(b.round.S)) || Number(a.court.N) - Number(b.court.N)
    || Buffer.compare(Buffer.from(a.seed.B, 'base64'), Buffer.from(b.seed.B, 'base64')) || (a.id.S < b.id.S ? -1 : 1)
}

const ids = (items) => items.map((one) => one.id.S)
const values = { ':t': { S: 'winter' }, ':r': { S: 'north' } }
const both = 'tournament = :t AND area = :r'
const ask = (server, TableName, condition, more = {}, rest = {}) => ok(server, 'Query', {
  TableName, IndexName: 'Bracket', KeyConditionExpression: condition, ExpressionAttributeValues: { ...values, ...more }, ...rest,
})
const refused = (server, TableName, condition, more, message) => fails(server, 'Query', {
  TableName, IndexName: 'Bracket', KeyConditionExpression: condition, ExpressionAttributeValues: { ...values, ...more },
}, 'ValidationException', message)

test('conditions from the left, both directions', async (t) => {
  const server = await start(t)
  const { TableDescription } = await make(server, 'matches')
  assert.deepEqual(TableDescription.GlobalSecondaryIndexes[0].KeySchema, bracket.KeySchema)
  assert.equal(TableDescription.AttributeDefinitions.length, 6)
  const items = Array.from({ length: 120 }, (_, i) => item(i))
  await fill(server, 'matches', items)
  const mine = items.filter((one) => one.tournament.S === 'winter' && one.area.S === 'north').sort(order)
  const n = (v) => ({ N: String(v) })
  const b = (...bytes) => ({ B: Buffer.from(bytes).toString('base64') })
  const seed = (one) => Buffer.from(one.seed.B, 'base64')
  for (const [condition, more, keep] of [
    ['', {}, () => true],
    ['round = :o', { ':o': { S: 'group' } }, (one) => one.round.S === 'group'],
    ['begins_with(round, :o)', { ':o': { S: 'group' } }, (one) => one.round.S !== 'final'],
    ['round > :o', { ':o': { S: 'final' } }, (one) => one.round.S !== 'final'],
    ['round BETWEEN :o AND :p', { ':o': { S: 'a' }, ':p': { S: 'group' } }, (one) => one.round.S !== 'groups'],
    ['round = :o AND court = :c', { ':o': { S: 'final' }, ':c': n(5) }, (one) => one.round.S === 'final' && one.court.N === '5'],
    ['round = :o AND court < :c', { ':o': { S: 'final' }, ':c': n(5) }, (one) => one.round.S === 'final' && Number(one.court.N) < 5],
    ['round = :o AND court <= :c', { ':o': { S: 'final' }, ':c': n(5) }, (one) => one.round.S === 'final' && Number(one.court.N) <= 5],
    ['court >= :c AND round = :o', { ':o': { S: 'groups' }, ':c': n(0) }, (one) => one.round.S === 'groups' && Number(one.court.N) >= 0],
    ['round = :o AND court = :c AND seed >= :s', { ':o': { S: 'final' }, ':c': n(-5), ':s': b(0, 4) }, (one) => one.round.S === 'final' && one.court.N === '-5' && Buffer.compare(seed(one), Buffer.from([0, 4])) >= 0],
    ['round = :o AND court = :c AND begins_with(seed, :s)', { ':o': { S: 'final' }, ':c': n(0), ':s': b(1) }, (one) => one.round.S === 'final' && one.court.N === '0' && seed(one)[0] === 1],
    ['round = :o AND court = :c AND seed = :s', { ':o': { S: 'final' }, ':c': n(0), ':s': b(1, 9) }, (one) => one.round.S === 'final' && one.court.N === '0' && one.seed.B === b(1, 9).B],
  ]) {
    const whole = condition ? `${both} AND ${condition}` : both
    const wanted = mine.filter(keep)
    const there = await ask(server, 'matches', whole, more)
    assert.deepEqual(ids(there.Items), ids(wanted), condition)
    assert.deepEqual(there.Items, wanted)
    assert.deepEqual(ids((await ask(server, 'matches', whole, more, { ScanIndexForward: false })).Items), ids(wanted).reverse(), condition)
    assert.equal((await ask(server, 'matches', whole, more, { Select: 'COUNT' })).Count, wanted.length)
  }
  const legacy = await ok(server, 'Query', {
    TableName: 'matches',
    IndexName: 'Bracket',
    KeyConditions: Object.fromEntries([['area', 'EQ', { S: 'north' }], ['tournament', 'EQ', { S: 'winter' }], ['round', 'EQ', { S: 'final' }], ['court', 'GT', n(0)]]
      .map(([name, ComparisonOperator, value]) => [name, { ComparisonOperator, AttributeValueList: [value] }])),
  })
  assert.deepEqual(ids(legacy.Items), ids(mine.filter((one) => one.round.S === 'final' && Number(one.court.N) > 0)))
  await quiet(server)
})

test('conditions that a key of several attributes does not take', async (t) => {
  const server = await start(t)
  await make(server, 'matches')
  const o = { ':o': { S: 'final' } }, c = { ':c': { N: '1' } }, s = { ':s': { B: 'AAE=' } }
  await fails(server, 'Query', { TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: 'tournament = :t', ExpressionAttributeValues: { ':t': { S: 'w' } } },
    'ValidationException', 'Query condition missed key schema element: area')
  await fails(server, 'Query', { TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: 'tournament = :t AND round = :o', ExpressionAttributeValues: { ':t': { S: 'w' }, ...o } },
    'ValidationException', 'Query condition missed key schema element: area')
  await refused(server, 'matches', 'tournament = :t AND area > :r', {}, 'Query key condition not supported')
  await refused(server, 'matches', `${both} AND court = :c`, c, 'Query condition missed key schema element: round')
  await refused(server, 'matches', `${both} AND round = :o AND seed = :s`, { ...o, ...s }, 'Query condition missed key schema element: court')
  await refused(server, 'matches', `${both} AND round > :o AND court = :c`, { ...o, ...c }, 'Query key condition not supported')
  await refused(server, 'matches', `${both} AND begins_with(round, :o) AND court = :c`, { ...o, ...c }, 'Query key condition not supported')
  await refused(server, 'matches', `${both} AND note = :o`, o, 'Query condition missed key schema element: round')
  await refused(server, 'matches', `${both} AND round = :c`, c, 'One or more parameter values were invalid: Condition parameter type does not match schema type')
  await refused(server, 'matches', `${both} AND round = :o AND court = :c AND seed = :s AND note = :n`, { ...o, ...c, ...s, ':n': { S: 'x' } },
    'The number of query conditions (6) exceeds the number of key attributes defined in the schema (5)')
  const k = (length) => ({ S: 'k'.repeat(length) })
  await fails(server, 'Query', { TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: both, ExpressionAttributeValues: { ':t': k(1500), ':r': k(549) } },
    'ValidationException', /Size of hashkey has exceeded the maximum size limit of ?2048 bytes/)
  for (const [name, value] of [['tournament', 'x'], ['court', '1']])
    await fails(server, 'Query', {
      TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: both, FilterExpression: '#n = :n', ExpressionAttributeNames: { '#n': name }, ExpressionAttributeValues: { ...values, ':n': { [types[name]]: value } },
    }, 'ValidationException', `Filter Expression can only contain non-primary key attributes: Primary key attribute: ${name}`)
  await quiet(server)
})

test('pages carry the table\'s key and all of the index\'s', async (t) => {
  const server = await start(t)
  await make(server, 'matches')
  const items = Array.from({ length: 150 }, (_, i) => item(i))
  await fill(server, 'matches', items)
  const db = client(server)
  const mine = items.filter((one) => one.tournament.S === 'winter' && one.area.S === 'north').sort(order)
  for (const ScanIndexForward of [true, false]) {
    const wanted = ScanIndexForward ? ids(mine) : ids(mine).reverse(), got = []
    for await (const page of paginateQuery({ client: db, pageSize: 8 }, { TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: both, ExpressionAttributeValues: values, ScanIndexForward })) {
      got.push(...ids(page.Items))
      if (page.LastEvaluatedKey) assert.deepEqual(Object.keys(page.LastEvaluatedKey).sort(), ['area', 'court', 'id', 'round', 'seed', 'tournament'])
    }
    assert.deepEqual(got, wanted)
  }
  const scanned = []
  for await (const page of paginateScan({ client: db, pageSize: 11 }, { TableName: 'matches', IndexName: 'Bracket' })) scanned.push(...ids(page.Items))
  assert.deepEqual(scanned.sort(), ids(items).sort())
  // Starting keys that are not one.
  const first = await ask(server, 'matches', both, {}, { Limit: 1 })
  const from = (key, condition = both, more = {}) => fails(server, 'Query', {
    TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: condition, ExpressionAttributeValues: { ...values, ...more }, ExclusiveStartKey: key,
  }, 'ValidationException', /The provided starting key is/)
  const { court, ...withoutCourt } = first.LastEvaluatedKey
  await from(withoutCourt)
  await from({ ...first.LastEvaluatedKey, court: { S: court.N } })
  await from({ ...first.LastEvaluatedKey, note: { S: 'x' } })
  await from({ ...first.LastEvaluatedKey, area: { S: 'elsewhere' } })
  await from(first.LastEvaluatedKey, `${both} AND round = :o`, { ':o': { S: 'groups' } })
  await from(first.LastEvaluatedKey, `${both} AND round = :o AND court > :c`, { ':o': first.LastEvaluatedKey.round, ':c': { N: '999' } })
  db.destroy()
  await quiet(server)
})

test('entries follow their items; what lacks an attribute has none', async (t) => {
  const server = await start(t)
  await make(server, 'matches')
  await fill(server, 'matches', [1, 2, 3].map((i) => item(i)))
  const present = async () => ids((await ask(server, 'matches', both)).Items)
  assert.deepEqual((await present()).sort(), ['m001', 'm002', 'm003'])
  const { court, ...lacking } = item(2)
  await ok(server, 'PutItem', { TableName: 'matches', Item: lacking })
  assert.deepEqual((await present()).sort(), ['m001', 'm003'])
  await ok(server, 'UpdateItem', { TableName: 'matches', Key: { id: { S: 'm002' } }, UpdateExpression: 'SET court = :c', ExpressionAttributeValues: { ':c': court } })
  await ok(server, 'UpdateItem', { TableName: 'matches', Key: { id: { S: 'm001' } }, UpdateExpression: 'REMOVE seed' })
  await ok(server, 'UpdateItem', { TableName: 'matches', Key: { id: { S: 'm003' } }, UpdateExpression: 'SET #r = :r', ExpressionAttributeNames: { '#r': 'area' }, ExpressionAttributeValues: { ':r': { S: 'east' } } })
  assert.deepEqual(await present(), ['m002'])
  const moved = await ok(server, 'Query', { TableName: 'matches', IndexName: 'Bracket', KeyConditionExpression: both, ExpressionAttributeValues: { ':t': { S: 'winter' }, ':r': { S: 'east' } } })
  assert.deepEqual(ids(moved.Items), ['m003'])
  await ok(server, 'DeleteItem', { TableName: 'matches', Key: { id: { S: 'm002' } } })
  assert.deepEqual(await present(), [])
  // Wrong types and sizes are refused wherever an item is written.
  await fails(server, 'PutItem', { TableName: 'matches', Item: item(4, { court: { S: '4' } }) }, 'ValidationException',
    'One or more parameter values were invalid: Type mismatch for Index Key court Expected: N Actual: S IndexName: Bracket')
  await fails(server, 'PutItem', { TableName: 'matches', Item: item(4, { area: { S: '' } }) }, 'ValidationException', /IndexName: Bracket, IndexKey: area/)
  await fails(server, 'UpdateItem', { TableName: 'matches', Key: { id: { S: 'm003' } }, UpdateExpression: 'SET seed = :s', ExpressionAttributeValues: { ':s': { S: 'x' } } }, 'ValidationException', 'The update expression attempted to update the secondary index key to unsupported type')
  const k = (length) => ({ S: 'k'.repeat(length) })
  await ok(server, 'PutItem', { TableName: 'matches', Item: item(5, { tournament: k(1000), area: k(1048) }) })
  await fails(server, 'PutItem', { TableName: 'matches', Item: item(5, { tournament: k(1000), area: k(1049) }) }, 'ValidationException', /Size of hashkey has exceeded/)
  await fails(server, 'PutItem', { TableName: 'matches', Item: item(5, { round: k(1023) }) }, 'ValidationException', /Aggregated size of all range keys has exceeded/)
  // What an index write costs: the entry moves, so it is two writes.
  const cost = await ok(server, 'UpdateItem', { TableName: 'matches', Key: { id: { S: 'm003' } }, UpdateExpression: 'SET court = :c', ExpressionAttributeValues: { ':c': { N: '77' } }, ReturnConsumedCapacity: 'INDEXES' })
  assert.equal(cost.ConsumedCapacity.GlobalSecondaryIndexes.Bracket.CapacityUnits, 2)
  await quiet(server)
})

test('an index of several attributes over items that are there, and its projections', async (t) => {
  const server = await start(t)
  await make(server, 'matches', { GlobalSecondaryIndexes: undefined, AttributeDefinitions: definitions('id') })
  const items = Array.from({ length: 300 }, (_, i) => item(i, i % 10 ? {} : { court: { S: 'of another type' } }))
  await fill(server, 'matches', items)
  const create = (index, ...names) => ok(server, 'UpdateTable', { TableName: 'matches', AttributeDefinitions: definitions('id', ...names), GlobalSecondaryIndexUpdates: [{ Create: index }] })
  await create(bracket, 'tournament', 'area', 'round', 'court', 'seed')
  const ready = async () => (await ok(server, 'DescribeTable', { TableName: 'matches' })).Table.GlobalSecondaryIndexes.every((one) => one.IndexStatus === 'ACTIVE')
  await until('the index is filled', ready)
  const mine = items.filter((one) => one.court.N && one.tournament.S === 'winter' && one.area.S === 'north').sort(order)
  assert.deepEqual(ids((await ask(server, 'matches', both)).Items), ids(mine))
  await create({ IndexName: 'Keys', KeySchema: schema(['area', 'round', 'tournament']), Projection: { ProjectionType: 'KEYS_ONLY' } }, 'area', 'round', 'tournament')
  await until('the second index is filled', ready)
  const { Items } = await ok(server, 'Query', {
    TableName: 'matches', IndexName: 'Keys', KeyConditionExpression: '#r = :r AND round = :o AND tournament = :t', ExpressionAttributeNames: { '#r': 'area' },
    ExpressionAttributeValues: { ...values, ':o': { S: 'group' } }, Limit: 1,
  })
  assert.deepEqual(Object.keys(Items[0]).sort(), ['area', 'id', 'round', 'tournament'])
  await fails(server, 'Query', {
    TableName: 'matches', IndexName: 'Keys', KeyConditionExpression: '#r = :r AND round = :o AND tournament = :t', ExpressionAttributeNames: { '#r': 'area' },
    ExpressionAttributeValues: { ...values, ':o': { S: 'group' } }, ProjectionExpression: 'note',
  }, 'ValidationException', /does not project \[note\]/)
  // The declaration outlives the process.
  await server.stop()
  await server.restart()
  const { Table } = await ok(server, 'DescribeTable', { TableName: 'matches' })
  assert.deepEqual(Table.GlobalSecondaryIndexes.map((one) => one.KeySchema.length).sort(), [3, 5])
  await quiet(server)
})

test('declarations that are refused', async (t) => {
  const server = await start(t)
  const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
  const declare = (KeySchema, more = {}) => ({
    TableName: 'letters',
    AttributeDefinitions: ['id', ...new Set(KeySchema.map((one) => one.AttributeName))].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: schema(['id']),
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [{ IndexName: 'index', KeySchema, Projection: { ProjectionType: 'ALL' } }],
    ...more,
  })
  const no = (body, message) => fails(server, 'CreateTable', body, 'ValidationException', message)
  await no(declare(schema(letters.slice(0, 5))), /at most 4 HASH/)
  await no(declare(schema(['a'], letters.slice(1, 6))), /at most 4 RANGE/)
  await no(declare(schema(letters.slice(0, 4), letters.slice(4, 9))), /keySchema.*length less than or equal to 8/)
  await no(declare(schema([], ['a', 'b'])), /first KeySchemaElement is not a HASH key type/)
  await no(declare([...schema(['a'], ['b']), ...schema(['c'])]), /HASH key elements must precede/)
  await no(declare(schema(['a', 'b'], ['a'])), /The attribute a appears more than once/)
  await no(declare(schema(['a', 'a'])), /The attribute a appears more than once/)
  await no(declare(schema(['a'], ['a'])), 'Both the Hash Key and the Range Key element in the KeySchema have the same name')
  await no({ ...declare(schema(['a', 'b'])), AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }, { AttributeName: 'a', AttributeType: 'S' }] }, /Some index key attributes are not defined in AttributeDefinitions\. Keys: \[id, a, b\]/)
  // Tables and local indexes keep one attribute of a kind.
  await no({ ...declare(schema(['a', 'b'])), GlobalSecondaryIndexes: undefined, KeySchema: schema(['id', 'a'], ['b']) }, /Member must have length less than or equal to 2/)
  await no({ ...declare(schema(['a'])), GlobalSecondaryIndexes: undefined, KeySchema: schema(['id', 'a']) }, 'Invalid KeySchema: The second KeySchemaElement is not a RANGE key type')
  await no(declare(schema(['id'], ['a', 'b']), {
    KeySchema: schema(['id'], ['a']), GlobalSecondaryIndexes: undefined, LocalSecondaryIndexes: [{ IndexName: 'local', KeySchema: schema(['id'], ['a', 'b']), Projection: { ProjectionType: 'ALL' } }],
  }), /Member must have length less than or equal to 2/)
  // Four of each are allowed.
  const { TableDescription } = await ok(server, 'CreateTable', declare(schema(letters.slice(0, 4), letters.slice(4, 8))))
  assert.equal(TableDescription.GlobalSecondaryIndexes[0].KeySchema.length, 8)
  await fails(server, 'UpdateTable', {
    TableName: 'letters', AttributeDefinitions: [{ AttributeName: 'x', AttributeType: 'S' }, { AttributeName: 'h', AttributeType: 'N' }],
    GlobalSecondaryIndexUpdates: [{ Create: { IndexName: 'other', KeySchema: schema(['x', 'h']), Projection: { ProjectionType: 'ALL' } } }],
  }, 'ValidationException', /h is a key already, with another type/)
  await quiet(server)
})

test('the document client, and an index key that holds the table\'s key', async (t) => {
  const server = await start(t)
  await ok(server, 'CreateTable', {
    TableName: 'visits',
    AttributeDefinitions: definitions('id', 'at', 'area', 'round'),
    KeySchema: schema(['id'], ['at']),
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [{ IndexName: 'Where', KeySchema: schema(['area', 'id'], ['round', 'at']), Projection: { ProjectionType: 'ALL' } }],
  })
  const db = client(server)
  const documents = DynamoDBDocumentClient.from(db)
  for (let i = 0; i < 12; i++) await documents.send(new PutCommand({ TableName: 'visits', Item: { id: `u${i % 2}`, at: i, area: 'north', round: i < 6 ? 'one' : 'two' } }))
  const query = { TableName: 'visits', IndexName: 'Where', KeyConditionExpression: '#r = :r AND id = :i AND round = :o AND #a BETWEEN :x AND :y', ExpressionAttributeNames: { '#r': 'area', '#a': 'at' }, ExpressionAttributeValues: { ':r': 'north', ':i': 'u1', ':o': 'two', ':x': 8, ':y': 20 } }
  const page = await documents.send(new QueryCommand({ ...query, Limit: 1 }))
  assert.deepEqual(page.Items.map((one) => one.at), [9])
  assert.deepEqual(page.LastEvaluatedKey, { id: 'u1', at: 9, area: 'north', round: 'two' })
  const rest = await documents.send(new QueryCommand({ ...query, ExclusiveStartKey: page.LastEvaluatedKey }))
  assert.deepEqual(rest.Items.map((one) => one.at), [11])
  assert.equal((await documents.send(new GetCommand({ TableName: 'visits', Key: { id: 'u1', at: 9 } }))).Item.round, 'two')
  db.destroy()
  await quiet(server)
})

test('indexes of a table that weir.yaml declares', async (t) => {
  const server = await start(t, {
    config: "apis: {shop: {tables: {'sales-{env}': {hash: id, indexes: {Where: {hash: [area, year N], range: [day N, slot B]}}}}, routes: {$default: 'http://127.0.0.1:9/'}}}\n",
  })
  const { Table } = await ok(server, 'DescribeTable', { TableName: 'sales-dev' })
  assert.deepEqual(Table.GlobalSecondaryIndexes[0].KeySchema, schema(['area', 'year'], ['day', 'slot']))
  assert.deepEqual(Table.AttributeDefinitions.map((one) => one.AttributeType).join(''), 'SSNNB')
  const sale = (id, day, slot) => ({ id: { S: id }, area: { S: 'x' }, year: { N: '2026' }, day: { N: day }, slot: { B: slot } })
  await fill(server, 'sales-dev', [sale('1', '7', 'AQ=='), sale('2', '7', 'AA=='), sale('3', '10', 'AA==')])
  const found = await ok(server, 'Query', {
    TableName: 'sales-dev', IndexName: 'Where', KeyConditionExpression: 'area = :a AND #y = :y AND #d <= :d', ExpressionAttributeNames: { '#y': 'year', '#d': 'day' },
    ExpressionAttributeValues: { ':a': { S: 'x' }, ':y': { N: '2026' }, ':d': { N: '9' } },
  })
  assert.deepEqual(ids(found.Items), ['2', '1'])
  await quiet(server)
})

test('the AWS CLI', async (t) => {
  const server = await start(t)
  const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }
  const aws = async (...args) => {
    const { stdout } = await promisify(execFile)('aws', ['dynamodb', ...args, '--endpoint-url', server.http, '--output', 'json'], { env: environment, timeout: 300000 })
    return stdout ? JSON.parse(stdout) : undefined
  }
  await aws('create-table', '--table-name', 'cli', '--billing-mode', 'PAY_PER_REQUEST',
    '--attribute-definitions', ...['id', 'tournament', 'area', 'round', 'court'].map((name) => `AttributeName=${name},AttributeType=${types[name]}`),
    '--key-schema', 'AttributeName=id,KeyType=HASH',
    '--global-secondary-indexes', JSON.stringify([{ IndexName: 'Bracket', KeySchema: schema(['tournament', 'area'], ['round', 'court']), Projection: { ProjectionType: 'ALL' } }]))
  await aws('wait', 'table-exists', '--table-name', 'cli')
  for (let i = 1; i < 7; i++) {
    const { seed, ...one } = item(i)
    await aws('put-item', '--table-name', 'cli', '--item', JSON.stringify(one))
  }
  const ask = (...more) => aws('query', '--table-name', 'cli', '--index-name', 'Bracket', '--key-condition-expression', `${both} AND round = :o AND court >= :c`,
    '--expression-attribute-values', JSON.stringify({ ...values, ':o': { S: 'group' }, ':c': { N: '-5' } }), ...more)
  assert.deepEqual(ids((await ask()).Items), ['m004', 'm001'])
  const first = await ask('--max-items', '1')
  assert.deepEqual(ids(first.Items), ['m004'])
  assert.deepEqual(ids((await ask('--starting-token', first.NextToken)).Items), ['m001'])
  const { Table } = await aws('describe-table', '--table-name', 'cli')
  assert.deepEqual(Table.GlobalSecondaryIndexes[0].KeySchema.map((one) => one.AttributeName), ['tournament', 'area', 'round', 'court'])
  await quiet(server)
})
