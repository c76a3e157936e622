// Rejections: type and sentence, in AWS's order of checks.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { start } from '../lib/weir.mjs'
import { call, fails, ok, rich, table } from './lib.mjs'

const one = (path, value, what) => `1 validation error detected: Value ${value === null ? 'null' : `'${value}'`} at '${path}' failed to satisfy constraint: Member must ${what}`

test('types come first: SerializationException', async (t) => {
  const server = await start(t)
  for (const [operation, body, message] of [
    ['PutItem', { TableName: 23 }, 'NUMBER_VALUE cannot be converted to String'],
    ['PutItem', { TableName: 1.5 }, 'DECIMAL_VALUE cannot be converted to String'],
    ['PutItem', { TableName: true }, 'TRUE_VALUE cannot be converted to String'],
    ['PutItem', { TableName: [] }, 'Unrecognized collection type class java.lang.String'],
    ['PutItem', { TableName: {} }, 'Start of structure or map found where not expected'],
    ['PutItem', { Item: 'x' }, 'Unexpected field type'],
    ['GetItem', { ConsistentRead: 'true' }, 'Unexpected token received from parser'],
    ['GetItem', { ConsistentRead: 1 }, 'NUMBER_VALUE cannot be converted to Boolean'],
    ['GetItem', { AttributesToGet: 'a' }, 'Unexpected field type'],
    ['Scan', { Limit: '5' }, 'STRING_VALUE cannot be converted to Integer'],
    ['CreateTable', { ProvisionedThroughput: { ReadCapacityUnits: 'x' } }, 'STRING_VALUE cannot be converted to Long'],
    ['CreateTable', { KeySchema: [{ AttributeName: 5 }] }, 'NUMBER_VALUE cannot be converted to String'],
  ])
    await fails(server, operation, body, 'SerializationException', message)
  await fails(server, 'PutItem', { TableName: 'abc', Item: { id: { S: 5 } } }, 'SerializationException')
  await fails(server, 'PutItem', { TableName: 'abc', Item: { id: 'text' } }, 'SerializationException')
})

test('then constraints, all of them at once', async (t) => {
  const server = await start(t)
  for (const [operation, body, message] of [
    ['DescribeTable', {}, "The parameter 'TableName' is required but was not present in the request"],
    ['DeleteTable', { TableName: null }, "The parameter 'TableName' is required but was not present in the request"],
    ['CreateTable', { TableName: 'ab' }, 'TableName must be at least 3 characters long and at most 255 characters long'],
    ['UpdateTable', { TableName: 'a'.repeat(256) }, 'TableName must be at least 3 characters long and at most 255 characters long'],
    ['Scan', {}, one('tableName', null, 'not be null')],
    ['Scan', { TableName: null }, one('tableName', null, 'not be null')],
    ['Scan', { TableName: 'ab' }, one('tableName', 'ab', 'have length greater than or equal to 3')],
    ['Scan', { TableName: 'a'.repeat(256) }, one('tableName', 'a'.repeat(256), 'have length less than or equal to 255')],
    ['DescribeTable', { TableName: 'abc;' }, one('tableName', 'abc;', 'satisfy regular expression pattern: [a-zA-Z0-9_.-]+')],
    ['ListTables', { Limit: 0 }, one('limit', '0', 'have value greater than or equal to 1')],
    ['ListTables', { Limit: 101 }, one('limit', '101', 'have value less than or equal to 100')],
    ['PutItem', { TableName: 'abc', Item: {}, ReturnValues: 'hi' }, one('returnValues', 'hi', 'satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]')],
    ['PutItem', { TableName: 'ab;', Item: {}, ReturnConsumedCapacity: 'hi' },
      "2 validation errors detected: Value 'ab;' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value 'hi' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"],
    ['CreateTable', { TableName: 'abc', AttributeDefinitions: [{}], KeySchema: [{ AttributeName: 'a', KeyType: 'HASH' }] },
      "2 validation errors detected: Value null at 'attributeDefinitions.1.member.attributeName' failed to satisfy constraint: Member must not be null; Value null at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must not be null"],
    ['BatchGetItem', { RequestItems: {} }, one('requestItems', '{}', 'have length greater than or equal to 1')],
    ['BatchGetItem', { RequestItems: { abc: {} } }, one('requestItems.abc.member.keys', null, 'not be null')],
    ['TransactWriteItems', { TransactItems: [{ Put: { TableName: 'abc' } }] }, one('transactItems.1.member.put.item', null, 'not be null')],
    ['Query', { TableName: 'abc', Limit: -1 }, one('limit', '-1', 'have value greater than or equal to 1')],
  ])
    await fails(server, operation, body, 'ValidationException', message)
})

test('tables that cannot be', async (t) => {
  const server = await start(t)
  const S = (AttributeName, AttributeType = 'S') => ({ AttributeName, AttributeType })
  const hash = (AttributeName) => ({ AttributeName, KeyType: 'HASH' })
  const range = (AttributeName) => ({ AttributeName, KeyType: 'RANGE' })
  const good = { TableName: 'abc', AttributeDefinitions: [S('a')], KeySchema: [hash('a')], BillingMode: 'PAY_PER_REQUEST' }
  const invalid = (text) => `One or more parameter values were invalid: ${text}`
  const index = (more) => ({ IndexName: 'idx', KeySchema: [hash('b')], Projection: { ProjectionType: 'ALL' }, ...more })
  for (const [change, message] of [
    [{ BillingMode: undefined }, invalid('ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED')],
    [{ ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } }, invalid('Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST')],
    [{ KeySchema: [range('a')] }, 'Invalid KeySchema: The first KeySchemaElement is not a HASH key type'],
    [{ KeySchema: [hash('a'), hash('b')] }, 'Invalid KeySchema: The second KeySchemaElement is not a RANGE key type'],
    [{ KeySchema: [hash('a'), range('a')] }, 'Both the Hash Key and the Range Key element in the KeySchema have the same name'],
    [{ KeySchema: [hash('b')] }, invalid('Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [a]')],
    [{ AttributeDefinitions: [S('a'), S('b')] }, invalid('Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions')],
    [{ LocalSecondaryIndexes: [index()] }, invalid('Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex')],
    [{ GlobalSecondaryIndexes: [] }, invalid('List of GlobalSecondaryIndexes is empty')],
    [{ GlobalSecondaryIndexes: [index({ Projection: {} })], AttributeDefinitions: [S('a'), S('b')] }, invalid('Unknown ProjectionType: null')],
    [{ GlobalSecondaryIndexes: [index({ Projection: { ProjectionType: 'ALL', NonKeyAttributes: ['x'] } })] }, invalid('ProjectionType is ALL, but NonKeyAttributes is specified')],
    [{ GlobalSecondaryIndexes: [index(), index()], AttributeDefinitions: [S('a'), S('b')] }, invalid('Duplicate index name: idx')],
    [{ GlobalSecondaryIndexes: [index()], AttributeDefinitions: [S('a'), S('b'), S('c')] }, invalid('Some AttributeDefinitions are not used. AttributeDefinitions: [a, b, c], keys used: [a, b]')],
    [{ KeySchema: [hash('a'), range('c')], LocalSecondaryIndexes: [index({ KeySchema: [hash('b'), range('c')] })] }, invalid('Index KeySchema does not have the same leading hash key as table KeySchema for index: idx. index hash key: b, table hash key: a')],
    [{ StreamSpecification: { StreamEnabled: true } }, invalid('StreamViewType is required when StreamEnabled is true')],
  ])
    await fails(server, 'CreateTable', { ...good, ...change }, 'ValidationException', message)
  assert.ok(!(await ok(server, 'ListTables')).TableNames.includes('abc'))
})

test('items and keys that cannot be', async (t) => {
  const server = await start(t)
  await rich(server, 'abc')
  const Key = { p: { S: 'a' }, r: { N: '1' } }
  const put = (Item, message) => fails(server, 'PutItem', { TableName: 'abc', Item }, 'ValidationException', message)
  const invalid = (text) => `One or more parameter values were invalid: ${text}`
  await put({ p: { S: 'a' } }, invalid('Missing the key r in the item'))
  await put({ ...Key, p: { N: '1' } }, invalid('Type mismatch for key p expected: S actual: N'))
  await put({ ...Key, p: { S: '' } }, 'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: p')
  await put({ ...Key, p: { S: 'x'.repeat(2049) } }, invalid('Size of hashkey has exceeded the maximum size limit of2048 bytes'))
  await put({ ...Key, color: { N: '1' } }, invalid('Type mismatch for Index Key color Expected: S Actual: N IndexName: byColor'))
  await put({ ...Key, x: {} }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes')
  await put({ ...Key, x: { S: 'a', N: '1' } }, 'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes')
  await put({ ...Key, x: { N: 'abc' } }, /cannot be converted to a numeric value/)
  await put({ ...Key, x: { N: '1'.repeat(39) } })
  await put({ ...Key, x: { SS: [] } }, /may not be empty/)
  await put({ ...Key, x: { SS: ['a', 'a'] } }, /contains duplicates/)
  await put({ ...Key, x: { NULL: false } })
  await put({ ...Key, x: { S: 'x'.repeat(409600) } }, 'Item size has exceeded the maximum allowed size')
  const schema = 'The provided key element does not match the schema'
  for (const key of [{}, { p: { S: 'a' } }, { ...Key, x: { S: 'x' } }, { p: { S: 'a' }, r: { S: '1' } }]) {
    await fails(server, 'GetItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
    await fails(server, 'DeleteItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
    await fails(server, 'UpdateItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
  }
  await fails(server, 'GetItem', { TableName: 'none', Key }, 'ResourceNotFoundException', 'Requested resource not found')
})

test('expressions are judged before the table is looked for, values before expressions', async (t) => {
  const server = await start(t)
  const base = { TableName: 'none', Key: { id: { S: 'a' } } }
  await fails(server, 'UpdateItem', { ...base, UpdateExpression: 'SET', ReturnValues: 'NONE' }, 'ValidationException', /^Invalid UpdateExpression: Syntax error;/)
  await fails(server, 'UpdateItem', { ...base, UpdateExpression: 'SET a = :b' }, 'ValidationException', /An expression attribute value used in expression is not defined; attribute value: :b$/)
  await fails(server, 'GetItem', { ...base, ProjectionExpression: 'size' }, 'ValidationException', /reserved keyword: size$/)
  await fails(server, 'PutItem', { TableName: 'none', Item: {}, ConditionExpression: 'attribute_exists(a)', Expected: {} }, 'ValidationException', /Can not use both expression and non-expression parameters in the same request/)
  await fails(server, 'Query', { TableName: 'none' }, 'ValidationException', 'Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.')
  await fails(server, 'Scan', { TableName: 'none', Select: 'SPECIFIC_ATTRIBUTES' }, 'ValidationException', 'Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES')
  await fails(server, 'Scan', { TableName: 'none', Select: 'ALL_PROJECTED_ATTRIBUTES' }, 'ValidationException', /can be used only when Scanning using an IndexName$/)
  await table(server, 'known')
  const filter = { TableName: 'known', KeyConditionExpression: 'id = :i', FilterExpression: 'id = :i', ExpressionAttributeValues: { ':i': { S: 'a' } } }
  await fails(server, 'Query', filter, 'ValidationException', /Filter Expression can only contain non-primary key attributes/)
  await fails(server, 'Query', { TableName: 'known', KeyConditionExpression: 'x = :i', ExpressionAttributeValues: { ':i': { S: 'a' } } }, 'ValidationException', 'Query condition missed key schema element: id')
})

test('a body that is cut anywhere is refused, and nothing breaks', async (t) => {
  const server = await start(t)
  await table(server, 'cut')
  const body = JSON.stringify({ TableName: 'cut', Item: { id: { S: 'a' }, l: { L: [{ N: '1' }, { M: { x: { BOOL: true } } }] } } })
  for (let at = 0; at < body.length; at += 3) {
    const answer = await call(server, 'PutItem', body.slice(0, at))
    assert.equal(answer.status, 400, body.slice(0, at))
  }
  assert.deepEqual(await ok(server, 'Scan', { TableName: 'cut' }), { Items: [], Count: 0, ScannedCount: 0 })
})
