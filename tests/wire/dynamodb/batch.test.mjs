// BatchGetItem, BatchWriteItem, TransactWriteItems, TransactGetItems.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { BatchGetItemCommand, BatchWriteItemCommand, TransactGetItemsCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { advance, client, fails, ok, rich, table } from './lib.mjs'

const key = (id) => ({ id: { S: String(id) } })

test('batches over several tables', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'one')
  await table(server, 'two')
  const put = (id) => ({ PutRequest: { Item: { ...key(id), v: { N: String(id) } } } })
  const wrote = await db.send(new BatchWriteItemCommand({ RequestItems: { one: [put(1), put(2), { DeleteRequest: { Key: key(9) } }], two: [put(3)] }, ReturnConsumedCapacity: 'TOTAL' }))
  assert.deepEqual(wrote.UnprocessedItems, {})
  assert.deepEqual(wrote.ConsumedCapacity.map((c) => [c.TableName, c.CapacityUnits]), [['one', 3], ['two', 1]])
  const { Responses, UnprocessedKeys } = await db.send(new BatchGetItemCommand({ RequestItems: { one: { Keys: [key(1), key(2), key(5)], ConsistentRead: true }, two: { Keys: [key(3)], ProjectionExpression: 'v' } } }))
  assert.deepEqual(UnprocessedKeys, {})
  assert.deepEqual(Responses.one.map((item) => item.v.N).sort(), ['1', '2'])
  assert.deepEqual(Responses.two, [{ v: { N: '3' } }])
  const duplicates = 'Provided list of item keys contains duplicates'
  await fails(server, 'BatchWriteItem', { RequestItems: { one: [put(1), { DeleteRequest: { Key: key(1) } }] } }, 'ValidationException', duplicates)
  await fails(server, 'BatchGetItem', { RequestItems: { one: { Keys: [key(1), key(1)] } } }, 'ValidationException', duplicates)
  await fails(server, 'BatchWriteItem', { RequestItems: { one: Array.from({ length: 20 }, (_, i) => put(i)), two: Array.from({ length: 6 }, (_, i) => put(i)) } }, 'ValidationException', 'Too many items requested for the BatchWriteItem call')
  await fails(server, 'BatchWriteItem', { RequestItems: { one: [put(7)], none: [put(8)] } }, 'ResourceNotFoundException', 'Requested resource not found')
  assert.deepEqual(await ok(server, 'GetItem', { TableName: 'one', Key: key(7) }), {})
  db.destroy()
  await quiet(server)
})

test('what is too much for one answer or one commit comes back as unprocessed', async (t) => {
  const server = await start(t)
  await table(server, 'much')
  const text = { S: 'x'.repeat(390_000) }
  let left = { much: Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { ...key(i), text } } })) }
  let rounds = 0
  for (; Object.keys(left).length; rounds++) left = (await ok(server, 'BatchWriteItem', { RequestItems: left })).UnprocessedItems
  assert.ok(rounds > 1 && rounds < 10)
  assert.equal((await ok(server, 'DescribeTable', { TableName: 'much' })).Table.ItemCount, 25)
  for (let i = 25; i < 60; i++) await ok(server, 'PutItem', { TableName: 'much', Item: { ...key(i), text } })
  const seen = new Set()
  let keys = { much: { Keys: Array.from({ length: 60 }, (_, i) => key(i)) } }
  for (rounds = 0; Object.keys(keys).length; rounds++) {
    const { Responses, UnprocessedKeys } = await ok(server, 'BatchGetItem', { RequestItems: keys })
    for (const item of Responses.much) seen.add(item.id.S)
    keys = UnprocessedKeys
  }
  assert.equal(seen.size, 60)
  assert.equal(rounds, 2)
})

test('a transaction is all or nothing, with a reason for each action', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'acc')
  await rich(server, 'log')
  const put = (id, n) => ({ Put: { TableName: 'acc', Item: { ...key(id), n: { N: String(n) } } } })
  await db.send(new TransactWriteItemsCommand({ TransactItems: [put('a', 10), put('b', 0), { Put: { TableName: 'log', Item: { p: { S: 'x' }, r: { N: '1' } } } }] }))
  const move = (n) => ({
    TransactItems: [
      { Update: { TableName: 'acc', Key: key('a'), UpdateExpression: 'SET n = n - :n', ConditionExpression: 'n >= :n', ExpressionAttributeValues: { ':n': { N: String(n) } }, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } },
      { Update: { TableName: 'acc', Key: key('b'), UpdateExpression: 'SET n = n + :n', ExpressionAttributeValues: { ':n': { N: String(n) } } } },
      { ConditionCheck: { TableName: 'log', Key: { p: { S: 'x' }, r: { N: '1' } }, ConditionExpression: 'attribute_exists(p)' } },
    ],
  })
  await db.send(new TransactWriteItemsCommand(move(7)))
  await assert.rejects(db.send(new TransactWriteItemsCommand(move(7))), (error) => {
    assert.equal(error.name, 'TransactionCanceledException')
    assert.equal(error.message, 'Transaction cancelled, please refer cancellation reasons for specific reasons [ConditionalCheckFailed, None, None]')
    assert.deepEqual(error.CancellationReasons, [
      { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed', Item: { ...key('a'), n: { N: '3' } } }, { Code: 'None' }, { Code: 'None' },
    ])
    return true
  })
  const read = async () => (await db.send(new TransactGetItemsCommand({ TransactItems: [{ Get: { TableName: 'acc', Key: key('a') } }, { Get: { TableName: 'acc', Key: key('b'), ProjectionExpression: 'n' } }, { Get: { TableName: 'acc', Key: key('zz') } }] }))).Responses
  assert.deepEqual(await read(), [{ Item: { ...key('a'), n: { N: '3' } } }, { Item: { n: { N: '7' } } }, {}])
  // a fault of one action that only its item shows
  const error = await fails(server, 'TransactWriteItems', { TransactItems: [put('c', 1), { Update: { TableName: 'acc', Key: key('a'), UpdateExpression: 'SET n = nothing + n' } }] }, 'TransactionCanceledException')
  assert.deepEqual(error.CancellationReasons.map((reason) => reason.Code), ['None', 'ValidationError'])
  assert.deepEqual(await ok(server, 'GetItem', { TableName: 'acc', Key: key('c') }), {})
  await fails(server, 'TransactWriteItems', { TransactItems: [put('c', 1), put('c', 2)] }, 'ValidationException', 'Transaction request cannot include multiple operations on one item')
  await fails(server, 'TransactWriteItems', { TransactItems: [{ ...put('c', 1), Delete: { TableName: 'acc', Key: key('d') } }] }, 'ValidationException', 'TransactItems can only contain one of Check, Put, Update or Delete')
  const cost = await ok(server, 'TransactWriteItems', { TransactItems: [put('c', 1), put('d', 2)], ReturnConsumedCapacity: 'TOTAL' })
  assert.deepEqual(cost.ConsumedCapacity, [{ TableName: 'acc', CapacityUnits: 4, WriteCapacityUnits: 4 }])
  db.destroy()
  await quiet(server)
})

test('a token makes a transaction happen once, also over a crash, for ten minutes', async (t) => {
  const server = await start(t)
  await table(server, 'once')
  const add = (n, ClientRequestToken = 'token-1') => ({
    ClientRequestToken, TransactItems: [{ Update: { TableName: 'once', Key: key('a'), UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': { N: String(n) } } } }],
  })
  const value = async () => (await ok(server, 'GetItem', { TableName: 'once', Key: key('a') })).Item.n.N
  await ok(server, 'TransactWriteItems', add(5))
  await ok(server, 'TransactWriteItems', add(5))
  assert.equal(await value(), '5')
  await fails(server, 'TransactWriteItems', add(6), 'IdempotentParameterMismatchException')
  await server.kill9()
  await server.restart()
  await ok(server, 'TransactWriteItems', add(5))
  assert.equal(await value(), '5')
  await advance(server, 9 * 60_000)
  await ok(server, 'TransactWriteItems', add(5))
  assert.equal(await value(), '5')
  await advance(server, 61_000)
  await ok(server, 'TransactWriteItems', add(5))
  assert.equal(await value(), '10')
  // a cancelled one leaves its token unused
  const failing = { ClientRequestToken: 'token-2', TransactItems: [{ ConditionCheck: { TableName: 'once', Key: key('b'), ConditionExpression: 'attribute_exists(id)' } }] }
  await fails(server, 'TransactWriteItems', failing, 'TransactionCanceledException')
  await ok(server, 'PutItem', { TableName: 'once', Item: key('b') })
  await ok(server, 'TransactWriteItems', failing)
})
