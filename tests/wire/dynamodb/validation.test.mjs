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
  const put = (value, message) => fails(server, 'PutItem', { TableName: 'a;', Item: { id: value } }, 'SerializationException', message) // though the name is wrong, too
  await put('text', 'Unexpected value type in payload')
  await put([], 'Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue')
  for (const [value, message] of [
    [{ S: 5 }, 'NUMBER_VALUE cannot be converted to String'],
    [{ N: 1.5 }, 'DECIMAL_VALUE cannot be converted to String'],
    [{ S: {} }, 'Start of structure or map found where not expected'],
    [{ BOOL: 'true' }, 'Unexpected token received from parser'],
    [{ NULL: 1 }, 'NUMBER_VALUE cannot be converted to Boolean'],
    [{ B: 1 }, 'only base-64-encoded strings are convertible to bytes'],
    [{ B: [] }, 'Unrecognized collection type class java.nio.ByteBuffer'],
    [{ SS: 'a' }, 'Unexpected field type'],
    [{ NS: [1] }, 'NUMBER_VALUE cannot be converted to String'],
    [{ L: {} }, 'Start of structure or map found where not expected'],
    [{ L: ['a'] }, 'Unexpected value type in payload'],
    [{ M: [] }, 'Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>'],
    [{ M: { x: { L: [{ S: true }] } } }, 'TRUE_VALUE cannot be converted to String'],
  ])
    await put(value, message)
  await fails(server, 'PutItem', { TableName: 'abc', Item: { id: { B: 'a' } } }, 'SerializationException', 'Base64 encoded length is expected a multiple of 4 bytes but found: 1')
  await fails(server, 'TransactWriteItems', { TransactItems: [{ Put: { Item: { id: 1 } } }] }, 'SerializationException', 'Unexpected value type in payload')
  await fails(server, 'BatchGetItem', { RequestItems: { a: { Keys: [{ id: { S: 1 } }] } } }, 'SerializationException')
  await fails(server, 'UpdateItem', { TableName: 'abc', Key: {}, UpdateExpression: 'SET a = :a', ExpressionAttributeValues: { ':a': { N: 1 } } }, 'SerializationException', 'NUMBER_VALUE cannot be converted to String')
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
    ['Scan', { TableName: '' }, one('tableName', '', 'have length greater than or equal to 1')],
    ['Query', { TableName: 'abc', IndexName: 'arn:aws:x' }, one('indexName', 'arn:aws:x', 'satisfy regular expression pattern: [a-zA-Z0-9_.-]+')],
    ['BatchWriteItem', { RequestItems: { abc: [] } }, one('requestItems', '{"abc":[]}', 'satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]').replace('Member must', 'Map value must')],
    ['BatchGetItem', { RequestItems: { 'a;': { Keys: [{}] } } }, /at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: \[Member must have length less than or equal to 255, /],
    ['BatchGetItem', { RequestItems: { abc: null } }, /Map value must satisfy constraint: \[Member must not be null\]$/],
    ['TransactGetItems', { TransactItems: [null] }, one('transactItems.1.member', null, 'not be null')],
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
  await put({ ...Key, x: { S: null } }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes')
  await put({ ...Key, x: { What: 'a' } }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes')
  await put({ ...Key, x: null }, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes')
  for (const [N, message] of [
    ['abc', 'The parameter cannot be converted to a numeric value: abc'],
    ['', 'The parameter cannot be converted to a numeric value'],
    ['.', 'The parameter cannot be converted to a numeric value: .'],
    ['1'.repeat(39), 'Attempting to store more than 38 significant digits in a Number'],
    [`0.${'1'.repeat(39)}`, 'Attempting to store more than 38 significant digits in a Number'],
    ['1e126', 'Number overflow. Attempting to store a number with magnitude larger than supported range'],
    ['-12e125', 'Number overflow. Attempting to store a number with magnitude larger than supported range'],
    ['1e-131', 'Number underflow. Attempting to store a number with magnitude smaller than supported range'],
    [`0.${'0'.repeat(130)}1`, 'Number underflow. Attempting to store a number with magnitude smaller than supported range'],
  ])
    await put({ ...Key, x: { N } }, message)
  for (const [given, kept] of [['.5', '0.5'], ['5.', '5'], ['-.5e1', '-5'], ['001.50', '1.5'], ['1E2', '100'], ['-0', '0'], ['1e125', `1${'0'.repeat(125)}`], ['1e-130', `0.${'0'.repeat(129)}1`]]) {
    await ok(server, 'PutItem', { TableName: 'abc', Item: { ...Key, x: { N: given } } })
    assert.deepEqual((await ok(server, 'GetItem', { TableName: 'abc', Key })).Item.x, { N: kept }, given)
  }
  await put({ ...Key, x: { SS: [] } }, invalid('An string set  may not be empty'))
  await put({ ...Key, x: { L: [{ NS: [] }] } }, invalid('An number set  may not be empty'))
  await put({ ...Key, x: { BS: [] } }, invalid('Binary sets should not be empty'))
  await put({ ...Key, x: { SS: ['a', 'a'] } }, invalid('Input collection [a, a] contains duplicates.'))
  await put({ ...Key, x: { NS: ['1', '1.0'] } }, 'Input collection contains duplicates')
  await put({ ...Key, x: { BS: ['Yg==', 'Yg=='] } }, invalid('Input collection [Yg==, Yg==]of type BS contains duplicates.'))
  await put({ ...Key, x: { NULL: false } }, invalid('Null attribute value types must have the value of true'))
  await put({ ...Key, x: { S: 'x'.repeat(409600) } }, 'Item size has exceeded the maximum allowed size')
  const schema = 'The provided key element does not match the schema'
  for (const key of [{}, { p: { S: 'a' } }, { ...Key, x: { S: 'x' } }, { p: { S: 'a' }, r: { S: '1' } }]) {
    await fails(server, 'GetItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
    await fails(server, 'DeleteItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
    await fails(server, 'UpdateItem', { TableName: 'abc', Key: key }, 'ValidationException', schema)
  }
  await fails(server, 'GetItem', { TableName: 'none', Key }, 'ResourceNotFoundException', 'Requested resource not found')
  // What an update makes of an index's key is told in other words.
  const set = (name, value, message) => fails(server, 'UpdateItem', { TableName: 'abc', Key, UpdateExpression: `SET ${name} = :v`, ExpressionAttributeValues: { ':v': value } }, 'ValidationException', message)
  await set('color', { N: '1' }, 'The update expression attempted to update the secondary index key to unsupported type')
  await set('color', { S: 'x'.repeat(2049) }, 'The update expression attempted to update the secondary index key beyond allowed size limits')
  await set('color', { S: '' }, /^One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value./)
  await fails(server, 'UpdateItem', { TableName: 'abc', Key, AttributeUpdates: { color: { Value: { N: '1' } } } }, 'ValidationException', invalid('Type mismatch for Index Key color Expected: S Actual: N IndexName: byColor'))
  for (const operation of ['Query', 'Scan'])
    await fails(server, operation, { TableName: 'abc', Select: 'COUNT', AttributesToGet: ['a'] }, 'ValidationException', 'Cannot specify the AttributesToGet when choosing to get only the Count')
})

test('in a transaction the schema has its word among the reasons', async (t) => {
  const server = await start(t)
  await rich(server, 'abc')
  const good = { p: { S: 'a' }, r: { N: '1' } }
  const reasons = async (operation, TransactItems, wanted) => {
    const error = await fails(server, operation, { TransactItems }, 'TransactionCanceledException', `Transaction cancelled, please refer cancellation reasons for specific reasons [${wanted.map((one) => (one ? 'ValidationError' : 'None')).join(', ')}]`)
    assert.deepEqual(error.CancellationReasons, wanted.map((Message) => (Message ? { Code: 'ValidationError', Message } : { Code: 'None' })))
  }
  const schema = 'The provided key element does not match the schema', missing = 'One or more parameter values were invalid: Missing the key r in the item'
  await reasons('TransactWriteItems', [{ Put: { TableName: 'abc', Item: good } }, { Put: { TableName: 'abc', Item: { p: { S: 'b' } } } }, { Delete: { TableName: 'abc', Key: { p: { S: 'c' } } } }], [null, missing, schema])
  await reasons('TransactGetItems', [{ Get: { TableName: 'abc', Key: good } }, { Get: { TableName: 'abc', Key: { ...good, x: { S: 'x' } } } }], [null, schema])
  assert.equal((await ok(server, 'Scan', { TableName: 'abc' })).Count, 0)
  await fails(server, 'TransactWriteItems', { TransactItems: [{ Put: { TableName: 'abc', Item: { p: { S: 'b' } } } }, { Put: { TableName: 'none', Item: good } }] }, 'ResourceNotFoundException')
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
