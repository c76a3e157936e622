// Live tables that weir.yaml alone declares, for tables that are made over the DynamoDB wire: who may follow what, no change missed, over drops and crashes.
// FO-15, IN-5, SE-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { CreateTableCommand, DeleteTableCommand, DescribeTableCommand, DynamoDBClient, UpdateTableCommand } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DeleteCommand, DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { atEnd, quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { Follower, RankFollower } from './lib/live.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const config = `
apps:
  echo:
    live: [{ table: news, who: anyone }]
apis:
  shop:
    auth: jwt
    jwt: { secret: ${JSON.stringify(secret)} }
    tables:
      scores-{env}: { hash: game S, range: player S, indexes: { ByScore: { hash: game S, range: score N, counted: true } } }
    live:
      - { table: "orders-{env}", where: { customerId: $userId } }
      - { table: "orders-{env}", who: role:admin }
      - { table: news, who: anyone }
      - { table: boards, where: { team: $userGroups } }
      - { table: staff, who: group:staff }
      - { table: "scores-{env}", index: ByScore, ranks: 10, who: authenticated }
  open:
    live:
      - { table: news, who: anyone }
`
const TableName = 'orders-dev'
const orderKey = (order) => order.orderId

async function shop(t, options = {}) {
  const server = await start(t, { config, ...options })
  const exp = seconds(await server.now(), 3600 * 24 * 30)
  const claims = (sub, more) => token({ sub, role: 'user', exp, ...more })
  const as = (sub, more) => connect(`${server.ws}/shop?token=${claims(sub, more)}`)
  const clients = []
  const sdk = () => {
    clients.push(new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, maxAttempts: 1 }))
    return DynamoDBDocumentClient.from(clients.at(-1))
  }
  const hangUp = () => clients.forEach((client) => client.destroy())
  atEnd(t, hangUp)
  return { server, hangUp, claims, as, sdk: sdk(), again: async () => { await server.restart(); return sdk() } }
}

const key = (...names) => names.map((AttributeName, i) => ({ AttributeName, KeyType: i ? 'RANGE' : 'HASH' }))
const create = (sdk, name, hash, more = {}) => sdk.send(new CreateTableCommand({
  TableName: name, BillingMode: 'PAY_PER_REQUEST', KeySchema: key(hash), AttributeDefinitions: [{ AttributeName: hash, AttributeType: 'S' }], ...more,
}))
/** The orders, with an index by customer and status. */
const orders = (sdk, more = {}) => create(sdk, TableName, 'orderId', {
  AttributeDefinitions: ['orderId', 'customerId', 'status'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
  GlobalSecondaryIndexes: [{ IndexName: 'ByCustomer', KeySchema: key('customerId', 'status'), Projection: { ProjectionType: 'KEYS_ONLY' } }],
  ...more,
})
const put = (sdk, orderId, customerId, status = 'new', more = {}) => sdk.send(new PutCommand({ TableName, Item: { orderId, customerId, status, ...more } }))
const refused = async (client, request) => {
  const { type, error, field } = await client.ask({ action: 'subscribe', ...request })
  assert.equal(type, 'error', JSON.stringify(request))
  return [error, field]
}

test('a table that is made later, without a stream: own rows, and nobody else’s', async (t) => {
  const { server, as, sdk, hangUp } = await shop(t)
  const ada = await as('ada')
  assert.deepEqual(await refused(ada, { table: TableName }), ['NOT_FOUND', 'table'], 'it may be followed, and is not there yet')
  assert.deepEqual(await refused(ada, { table: 'elsewhere' }), ['FORBIDDEN', 'table'])
  await orders(sdk)
  await put(sdk, '1', 'ada')
  await put(sdk, '2', 'bob')
  const own = new Follower({ table: TableName }, orderKey), his = new Follower({ table: TableName }, orderKey), all = new Follower({ table: TableName }, orderKey)
  own.follow(ada)
  his.follow(await as('bob'))
  all.follow(await as('root', { role: 'admin' }))
  for (const follower of [own, his, all]) await follower.until('a snapshot', (f) => f.complete)
  assert.deepEqual([own, his, all].map((f) => f.sorted().map(orderKey)), [['1'], ['2'], ['1', '2']])
  await put(sdk, '3', 'ada')
  await sdk.send(new UpdateCommand({ TableName, Key: { orderId: '1' }, UpdateExpression: 'SET customerId = :c', ExpressionAttributeValues: { ':c': 'bob' } }))
  await sdk.send(new DeleteCommand({ TableName, Key: { orderId: '2' } }))
  await all.until('three changes', (f) => f.counts.changes === 3)
  await own.until('a new one, and one that changes hands', (f) => f.counts.changes === 2)
  await his.until('one that comes, one that goes', (f) => f.counts.changes === 2)
  assert.deepEqual([own, his, all].map((f) => f.sorted().map(orderKey)), [['3'], ['1'], ['1', '3']])
  const { Table } = await sdk.send(new DescribeTableCommand({ TableName }))
  assert.equal(Table.StreamSpecification, undefined, 'no stream is made of it')
  const eve = await as('eve')
  assert.deepEqual(await refused(eve, { table: TableName, filter: { customerId: 'ada' } }), ['FORBIDDEN', 'filter'])
  assert.deepEqual(await refused(eve, { table: TableName, index: 'ByCustomer', key: { customerId: 'ada' } }), ['FORBIDDEN', 'key'])
  assert.deepEqual(await refused(eve, { table: TableName, index: 'Nope', key: { customerId: 'eve' } }), ['NOT_FOUND', 'index'])
  for (const client of [own.client, his.client, all.client, eve]) await client.close(1000)
  hangUp()
  await quiet(server)
})

test('an index, a filter, a key', async (t) => {
  const { as, sdk } = await shop(t)
  await orders(sdk)
  await put(sdk, '1', 'ada', 'sent', { gift: true })
  await put(sdk, '2', 'ada', 'new')
  const sent = new Follower({ table: TableName, index: 'ByCustomer', key: { customerId: 'ada', status: 'sent' } }, orderKey)
  const gifts = new Follower({ table: TableName, filter: { gift: true } }, orderKey)
  const one = new Follower({ table: TableName, key: { orderId: '2' } }, orderKey)
  for (const follower of [sent, gifts, one]) {
    follower.follow(await as('ada'))
    await follower.until('a snapshot', (f) => f.complete)
  }
  assert.deepEqual([sent, gifts, one].map((f) => f.sorted().map(orderKey)), [['1'], ['1'], ['2']])
  assert.deepEqual(sent.sorted()[0], { orderId: '1', customerId: 'ada', status: 'sent', gift: true }, 'whole items, whatever the index projects')
  await put(sdk, '2', 'ada', 'sent')
  await put(sdk, '1', 'ada', 'sent', { gift: false })
  await put(sdk, '3', 'bob', 'sent', { gift: true })
  await sent.until('one enters, one changes', (f) => f.counts.changes === 2)
  await gifts.until('one leaves', (f) => f.counts.changes === 1)
  await one.until('one changes', (f) => f.counts.changes === 1)
  assert.deepEqual([sent, gifts, one].map((f) => f.sorted().map(orderKey)), [['1', '2'], [], ['2']])
})

test('anyone, a group, one of the own groups; and a renewed token that says less', async (t) => {
  const { server, as, claims, sdk } = await shop(t)
  for (const name of ['news', 'staff']) await create(sdk, name, 'id')
  await create(sdk, 'boards', 'team')
  const nobody = await connect(`${server.ws}/open`), stranger = await connect(`${server.ws}/echo`)
  for (const client of [nobody, stranger]) {
    assert.equal((await client.ask({ action: 'subscribe', table: 'news' })).type, 'subscribed')
    assert.equal((await client.json()).type, 'snapshot')
  }
  assert.deepEqual(await refused(nobody, { table: TableName }), ['FORBIDDEN', 'table'], 'the rules are those of one API')
  const ada = await as('ada', { groups: ['red', 'staff'] }), bob = await as('bob', { groups: ['blue'] })
  assert.deepEqual(await refused(bob, { table: 'staff' }), ['FORBIDDEN', 'table'])
  assert.deepEqual(await refused(ada, { table: 'boards' }), ['FORBIDDEN', 'key'], 'which of her groups')
  assert.deepEqual(await refused(ada, { table: 'boards', key: { team: 'blue' } }), ['FORBIDDEN', 'key'])
  assert.deepEqual(await refused(bob, { table: 'boards', filter: { team: 'red' } }), ['FORBIDDEN', 'filter'])
  assert.deepEqual(await refused(await as('cyd'), { table: 'boards', key: { team: 'red' } }), ['FORBIDDEN', 'table'], 'she is in no group')
  const named = []
  for (const request of [{ table: 'staff' }, { table: 'boards', key: { team: 'red' } }]) {
    named.push((await ada.ask({ action: 'subscribe', ...request })).subscription)
    assert.equal((await ada.json()).type, 'snapshot')
  }
  await sdk.send(new PutCommand({ TableName: 'boards', Item: { team: 'red', text: 'hi' } }))
  assert.deepEqual([(await ada.json()).data.text, (await server.counters()).live_subscriptions], ['hi', 4])
  assert.equal((await ada.ask({ type: 'auth', token: claims('ada', { groups: ['red'] }) })).type, 'ack')
  await sdk.send(new PutCommand({ TableName: 'staff', Item: { id: '1' } }))
  const told = await ada.json()
  assert.deepEqual([told.type, told.error, told.subscription], ['error', 'FORBIDDEN', named[0]])
  await sdk.send(new PutCommand({ TableName: 'boards', Item: { team: 'red', text: 'again' } }))
  assert.deepEqual([(await ada.json()).error, (await ada.ask({ action: 'subscribe', table: 'boards', key: { team: 'red' } })).type], ['FORBIDDEN', 'subscribed'], 'what it rests on is another list')
})

test('resumed after kill -9, without a gap', async (t) => {
  const { server, as, sdk, again } = await shop(t)
  await orders(sdk)
  const follower = new Follower({ table: TableName }, orderKey)
  for (let i = 0; i < 20; i++) await put(sdk, `a${i}`, 'ada')
  follower.follow(await as('ada'))
  await follower.until('a snapshot', (f) => f.complete)
  await put(sdk, 'b', 'ada')
  await follower.until('a change', (f) => f.counts.changes === 1)
  follower.client.socket.terminate()
  await until('it is gone', async () => (await server.counters()).live_subscriptions === 0)
  await put(sdk, 'c', 'ada')
  await sdk.send(new BatchWriteCommand({ RequestItems: { [TableName]: [{ DeleteRequest: { Key: { orderId: 'a0' } } }, { PutRequest: { Item: { orderId: 'd', customerId: 'bob' } } }] } }))
  await server.kill9()
  const later = await again()
  await put(later, 'e', 'ada') // before anybody has come back
  follower.follow(await as('ada'))
  await follower.until('what was missed', (f) => f.counts.changes === 4)
  assert.deepEqual([follower.counts.snapshots, follower.counts.resnapshots, follower.items.has('a0'), follower.items.size], [1, 0, false, 22])
})

test('a table that is dropped, and made again', async (t) => {
  const { as, sdk } = await shop(t)
  await orders(sdk)
  await put(sdk, '1', 'ada')
  const ada = await as('ada'), away = new Follower({ table: TableName }, orderKey)
  away.follow(await as('ada'))
  await away.until('a snapshot', (f) => f.complete)
  await away.client.close(1000)
  const { subscription } = await ada.ask({ action: 'subscribe', table: TableName })
  assert.equal((await ada.json()).items.length, 1)
  await put(sdk, '2', 'ada')
  await sdk.send(new DeleteTableCommand({ TableName }))
  assert.equal((await ada.json()).event, 'INSERT', 'what was committed before is told first')
  assert.deepEqual(await ada.json(), { type: 'dropped', subscription, table: TableName, reason: 'the table was dropped' })
  assert.deepEqual(await refused(ada, { table: TableName }), ['NOT_FOUND', 'table'])
  await orders(sdk)
  await put(sdk, '3', 'ada') // nobody follows the new one yet
  away.follow(await as('ada'))
  await away.until('it begins anew', (f) => f.complete && f.counts.snapshots === 2)
  assert.deepEqual([away.counts.resnapshots, away.sorted().map(orderKey)], [1, ['3']], 'nothing of the old table, all of the new one')
  assert.equal((await ada.ask({ action: 'subscribe', table: TableName })).type, 'subscribed')
  assert.deepEqual((await ada.json()).items.map(orderKey), ['3'])
  await put(sdk, '4', 'ada')
  assert.equal((await ada.json()).data.orderId, '4')
  await away.until('a change', (f) => f.items.has('4'))
})

test('its stream may come and go meanwhile', async (t) => {
  const { as, sdk } = await shop(t)
  const StreamSpecification = { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' }
  await orders(sdk, { StreamSpecification })
  const follower = new Follower({ table: TableName }, orderKey)
  follower.follow(await as('ada'))
  await follower.until('a snapshot', (f) => f.complete)
  await put(sdk, '1', 'ada')
  await sdk.send(new UpdateTableCommand({ TableName, StreamSpecification: { StreamEnabled: false } }))
  await put(sdk, '2', 'ada')
  await sdk.send(new UpdateTableCommand({ TableName, StreamSpecification }))
  await put(sdk, '3', 'ada')
  await follower.until('all three', (f) => f.counts.changes === 3)
  assert.deepEqual([follower.others, follower.counts.resnapshots], [undefined, 0])
})

test('ranks of a table that weir.yaml declares, and nothing else of it', async (t) => {
  const { as, sdk } = await shop(t)
  const table = 'scores-dev', ranks = { table, index: 'ByScore', key: { game: 'go' }, top: 3, backward: true }
  const score = (player, value, game = 'go') => sdk.send(new PutCommand({ TableName: table, Item: { game, player, score: value } }))
  await score('ada', 10)
  await score('bob', 20)
  const client = await as('cyd')
  assert.deepEqual(await refused(client, { table }), ['FORBIDDEN', 'index'])
  assert.deepEqual(await refused(client, { table, index: 'ByScore', key: { game: 'go' } }), ['FORBIDDEN', 'table'])
  assert.deepEqual(await refused(client, { ranks: { ...ranks, index: undefined } }), ['FORBIDDEN', 'index'])
  assert.deepEqual(await refused(client, { ranks: { ...ranks, top: 11 } }), ['FORBIDDEN', 'top'])
  const follower = new RankFollower(ranks, (row) => row.player)
  follower.follow(client)
  await follower.until('a snapshot', (f) => f.complete)
  assert.deepEqual(follower.items().map((row) => row.player), ['bob', 'ada'])
  await score('dan', 15)
  await score('eve', 99, 'chess')
  await score('ada', 30)
  await score('low', 1)
  await follower.until('two messages', (f) => f.counts.messages === 2)
  assert.deepEqual(follower.items().map((row) => [row.player, row.score]), [['ada', 30], ['bob', 20], ['dan', 15]])
  await sdk.send(new DeleteCommand({ TableName: table, Key: { game: 'go', player: 'bob' } }))
  await follower.until('the fourth comes in', (f) => f.items().length === 3 && f.items()[2].player === 'low')
})
