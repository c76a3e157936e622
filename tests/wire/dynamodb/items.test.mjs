// Single items: put, get, update, delete, with everything that may be asked of them.
// TB-10, TB-15
import test from 'node:test'
import assert from 'node:assert/strict'
import { DeleteItemCommand, GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand, QueryCommand, UpdateCommand, BatchWriteCommand, TransactWriteCommand, paginateScan } from '@aws-sdk/lib-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, fails, ok, rich, table } from './lib.mjs'

test('every type comes back as it was put', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'types')
  const Item = {
    id: { S: 'ключ 🔑' }, s: { S: '' }, b: { B: new Uint8Array([0, 1, 255]) }, empty: { B: new Uint8Array(0) }, yes: { BOOL: true }, no: { BOOL: false }, nil: { NULL: true },
    n: { N: '12345678901234567890123456789012345678' }, small: { N: '-0.00000000000000000000000000000000000001' },
    l: { L: [{ S: 'a' }, { L: [] }, { M: {} }, { N: '1' }] }, m: { M: { deep: { M: { er: { S: 'x' } } } } },
    ss: { SS: ['a', 'b'] }, ns: { NS: ['1', '2.5'] }, bs: { BS: [new Uint8Array([1]), new Uint8Array([2])] },
  }
  await db.send(new PutItemCommand({ TableName: 'types', Item }))
  assert.deepEqual((await db.send(new GetItemCommand({ TableName: 'types', Key: { id: Item.id } }))).Item, Item)
  const normal = [['1.50', '1.5'], ['+7', '7'], ['007', '7'], ['1e3', '1000'], ['-0', '0'], ['1E-130', `0.${'0'.repeat(129)}1`], ['9.99E125', `999${'0'.repeat(123)}`]]
  for (const [given, kept] of normal) {
    await ok(server, 'PutItem', { TableName: 'types', Item: { id: { S: 'n' }, n: { N: given } } })
    assert.deepEqual((await ok(server, 'GetItem', { TableName: 'types', Key: { id: { S: 'n' } } })).Item.n, { N: kept }, given)
  }
  assert.deepEqual(await ok(server, 'GetItem', { TableName: 'types', Key: { id: { S: 'none' } } }), {})
  db.destroy()
  await quiet(server)
})

test('ReturnValues of all writes', async (t) => {
  const server = await start(t)
  await table(server, 'values')
  const TableName = 'values', Key = { id: { S: 'a' } }
  const put = (Item, ReturnValues) => ok(server, 'PutItem', { TableName, Item: { ...Key, ...Item }, ReturnValues })
  assert.deepEqual(await put({ v: { N: '1' } }), {})
  assert.deepEqual(await put({ v: { N: '2' } }, 'ALL_OLD'), { Attributes: { ...Key, v: { N: '1' } } })
  const update = (ReturnValues, n) => ok(server, 'UpdateItem', {
    TableName, Key, ReturnValues, UpdateExpression: 'SET v = :n, extra.x = :n', ExpressionAttributeValues: { ':n': { N: String(n) } },
  })
  await put({ v: { N: '1' }, other: { S: 'o' }, extra: { M: { x: { N: '0' }, y: { N: '9' } } } })
  assert.deepEqual(await update('NONE', 2), {})
  assert.deepEqual(await update('UPDATED_OLD', 3), { Attributes: { v: { N: '2' }, extra: { M: { x: { N: '2' } } } } })
  assert.deepEqual(await update('UPDATED_NEW', 4), { Attributes: { v: { N: '4' }, extra: { M: { x: { N: '4' } } } } })
  assert.deepEqual(await update('ALL_OLD', 5), { Attributes: { ...Key, v: { N: '4' }, other: { S: 'o' }, extra: { M: { x: { N: '4' }, y: { N: '9' } } } } })
  assert.deepEqual(await update('ALL_NEW', 6), { Attributes: { ...Key, v: { N: '6' }, other: { S: 'o' }, extra: { M: { x: { N: '6' }, y: { N: '9' } } } } })
  assert.deepEqual((await ok(server, 'DeleteItem', { TableName, Key, ReturnValues: 'ALL_OLD' })).Attributes.v, { N: '6' })
  assert.deepEqual(await ok(server, 'DeleteItem', { TableName, Key, ReturnValues: 'ALL_OLD' }), {})
  // an update makes the item, one that only removes does not
  assert.deepEqual(await ok(server, 'UpdateItem', { TableName, Key, UpdateExpression: 'REMOVE x' }), {})
  assert.deepEqual(await ok(server, 'GetItem', { TableName, Key }), {})
  assert.deepEqual(await ok(server, 'UpdateItem', { TableName, Key, ReturnValues: 'ALL_NEW' }), { Attributes: Key })
  await fails(server, 'PutItem', { TableName, Item: Key, ReturnValues: 'ALL_NEW' }, 'ValidationException', 'ReturnValues can only be ALL_OLD or NONE')
})

test('conditions, and the item that failed one', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'cond')
  const TableName = 'cond', Item = { id: { S: 'a' }, v: { N: '1' } }
  const fresh = { TableName, Item, ConditionExpression: 'attribute_not_exists(id)' }
  await db.send(new PutItemCommand(fresh))
  await assert.rejects(db.send(new PutItemCommand(fresh)), (error) => {
    assert.equal(error.name, 'ConditionalCheckFailedException')
    assert.equal(error.message, 'The conditional request failed')
    assert.equal(error.Item, undefined)
    return true
  })
  await assert.rejects(db.send(new PutItemCommand({ ...fresh, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })), (error) => {
    assert.deepEqual(error.Item, Item)
    return true
  })
  await assert.rejects(db.send(new DeleteItemCommand({ TableName, Key: { id: { S: 'a' } }, ConditionExpression: 'v > :v', ExpressionAttributeValues: { ':v': { N: '5' } } })), { name: 'ConditionalCheckFailedException' })
  await assert.rejects(db.send(new UpdateItemCommand({ TableName, Key: { id: { S: 'b' } }, UpdateExpression: 'SET v = :v', ConditionExpression: 'attribute_exists(id)', ExpressionAttributeValues: { ':v': { N: '5' } } })), { name: 'ConditionalCheckFailedException' })
  assert.deepEqual((await ok(server, 'Scan', { TableName })).Items, [Item])
  // the old parameters
  await fails(server, 'PutItem', { TableName, Item, Expected: { id: { Exists: false } } }, 'ConditionalCheckFailedException')
  await ok(server, 'PutItem', { TableName, Item, Expected: { v: { Value: { N: '1' } } } })
  await ok(server, 'UpdateItem', { TableName, Key: { id: { S: 'a' } }, AttributeUpdates: { v: { Action: 'ADD', Value: { N: '41' } }, w: { Action: 'PUT', Value: { S: 'x' } } } })
  assert.deepEqual((await ok(server, 'GetItem', { TableName, Key: { id: { S: 'a' } }, AttributesToGet: ['v', 'nothing'] })).Item, { v: { N: '42' } })
  db.destroy()
})

test('updates', async (t) => {
  const server = await start(t)
  await table(server, 'upd')
  const TableName = 'upd', Key = { id: { S: 'a' } }
  const update = async (UpdateExpression, values, names) => (await ok(server, 'UpdateItem', {
    TableName, Key, UpdateExpression, ExpressionAttributeValues: values, ExpressionAttributeNames: names, ReturnValues: 'ALL_NEW',
  })).Attributes
  assert.deepEqual(await update('SET a = if_not_exists(a, :z) + :one, #l = list_append(if_not_exists(#l, :e), :l)', { ':z': { N: '0' }, ':one': { N: '1' }, ':e': { L: [] }, ':l': { L: [{ S: 'x' }] } }, { '#l': 'list' }),
    { ...Key, a: { N: '1' }, list: { L: [{ S: 'x' }] } })
  assert.deepEqual((await update('SET a = if_not_exists(a, :z) + :one ADD tags :t', { ':z': { N: '0' }, ':one': { N: '0.1' }, ':t': { SS: ['q', 'r'] } })).a, { N: '1.1' })
  assert.deepEqual((await update('DELETE tags :t REMOVE #l[0]', { ':t': { SS: ['q'] } }, { '#l': 'list' })), { ...Key, a: { N: '1.1' }, list: { L: [] }, tags: { SS: ['r'] } })
  assert.deepEqual(await update('DELETE tags :t', { ':t': { SS: ['r'] } }), { ...Key, a: { N: '1.1' }, list: { L: [] } })
  await fails(server, 'UpdateItem', { TableName, Key, UpdateExpression: 'SET id = :x', ExpressionAttributeValues: { ':x': { S: 'b' } } }, 'ValidationException', 'One or more parameter values were invalid: Cannot update attribute id. This attribute is part of the key')
  await fails(server, 'UpdateItem', { TableName, Key, UpdateExpression: 'SET a.b = :x', ExpressionAttributeValues: { ':x': { S: 'b' } } }, 'ValidationException', 'The document path provided in the update expression is invalid for update')
  await fails(server, 'UpdateItem', { TableName, Key, UpdateExpression: 'SET a = nothing + :x', ExpressionAttributeValues: { ':x': { N: '1' } } }, 'ValidationException', 'The provided expression refers to an attribute that does not exist in the item')
})

test('what it would have cost', async (t) => {
  const server = await start(t)
  await rich(server, 'cost')
  const TableName = 'cost'
  const Item = { p: { S: 'a' }, r: { N: '1' }, color: { S: 'red' }, mass: { N: '1' }, note: { S: 'x'.repeat(3000) } }
  const units = async (operation, body) => (await ok(server, operation, { TableName, ReturnConsumedCapacity: 'INDEXES', ...body })).ConsumedCapacity
  assert.deepEqual(await units('PutItem', { Item }), {
    TableName: 'cost', CapacityUnits: 11, Table: { CapacityUnits: 3 }, LocalSecondaryIndexes: { bySize: { CapacityUnits: 1 } },
    GlobalSecondaryIndexes: { byColor: { CapacityUnits: 3 }, byColorKeys: { CapacityUnits: 1 }, byColorSome: { CapacityUnits: 3 } },
  })
  assert.deepEqual(await units('PutItem', { Item }), { TableName: 'cost', CapacityUnits: 3, Table: { CapacityUnits: 3 } })
  assert.equal((await units('UpdateItem', { Key: { p: { S: 'a' }, r: { N: '1' } }, UpdateExpression: 'SET color = :c', ExpressionAttributeValues: { ':c': { S: 'blue' } } })).GlobalSecondaryIndexes.byColor.CapacityUnits, 6)
  const read = (ConsistentRead) => units('GetItem', { Key: { p: { S: 'a' }, r: { N: '1' } }, ConsistentRead })
  assert.deepEqual(await read(false), { TableName: 'cost', CapacityUnits: 0.5, Table: { CapacityUnits: 0.5 } })
  assert.equal((await read(true)).CapacityUnits, 1)
  const { ItemCollectionMetrics } = await ok(server, 'DeleteItem', { TableName, Key: { p: { S: 'a' }, r: { N: '1' } }, ReturnItemCollectionMetrics: 'SIZE' })
  assert.deepEqual(ItemCollectionMetrics.ItemCollectionKey, { p: { S: 'a' } })
})

test('the document client', async (t) => {
  const server = await start(t)
  await table(server, 'doc')
  const db = DynamoDBDocumentClient.from(client(server), { marshallOptions: { removeUndefinedValues: true } })
  const Item = { id: 'a', list: [1, 'two', { three: 3 }], set: new Set(['x', 'y']), nothing: null, yes: true, bytes: new Uint8Array([1, 2]) }
  await db.send(new PutCommand({ TableName: 'doc', Item }))
  assert.deepEqual((await db.send(new GetCommand({ TableName: 'doc', Key: { id: 'a' } }))).Item, Item)
  const { Attributes } = await db.send(new UpdateCommand({ TableName: 'doc', Key: { id: 'a' }, UpdateExpression: 'SET #l[2].three = :n', ExpressionAttributeNames: { '#l': 'list' }, ExpressionAttributeValues: { ':n': 33 }, ReturnValues: 'UPDATED_NEW' }))
  assert.deepEqual(Attributes, { list: [{ three: 33 }] })
  await db.send(new BatchWriteCommand({ RequestItems: { doc: Array.from({ length: 20 }, (_, i) => ({ PutRequest: { Item: { id: `b${i}`, i } } })) } }))
  await db.send(new TransactWriteCommand({ TransactItems: [{ Put: { TableName: 'doc', Item: { id: 'c' } } }, { Delete: { TableName: 'doc', Key: { id: 'a' } } }] }))
  assert.equal((await db.send(new QueryCommand({ TableName: 'doc', KeyConditionExpression: 'id = :i', ExpressionAttributeValues: { ':i': 'b7' } }))).Items[0].i, 7)
  let n = 0
  for await (const page of paginateScan({ client: db, pageSize: 4 }, { TableName: 'doc' })) n += page.Items.length
  assert.equal(n, 21)
  db.destroy()
})
