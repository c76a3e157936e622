// Tables from CreateTable to DeleteTable.
// TB-3, TB-4, TB-11, TB-12, TB-15, TB-17, ST-1, OP-5, X-14
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  CreateTableCommand, DeleteTableCommand, DescribeContinuousBackupsCommand, DescribeEndpointsCommand, DescribeLimitsCommand, DescribeTableCommand,
  DescribeTimeToLiveCommand, ListTablesCommand, ListTagsOfResourceCommand, PutItemCommand, QueryCommand, ScanCommand, TagResourceCommand, UntagResourceCommand,
  UpdateContinuousBackupsCommand, UpdateTableCommand, UpdateTimeToLiveCommand, waitUntilTableExists, waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, fails, ok, rich, table } from './lib.mjs'

test('a table is made, described, listed, and dropped', async (t) => {
  const server = await start(t)
  const db = client(server)
  const made = await db.send(new CreateTableCommand({
    TableName: 'orders',
    AttributeDefinitions: [{ AttributeName: 'customer', AttributeType: 'S' }, { AttributeName: 'at', AttributeType: 'N' }],
    KeySchema: [{ AttributeName: 'customer', KeyType: 'HASH' }, { AttributeName: 'at', KeyType: 'RANGE' }],
    ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 },
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    Tags: [{ Key: 'team', Value: 'shop' }],
    TableClass: 'STANDARD_INFREQUENT_ACCESS',
  }))
  assert.equal(made.TableDescription.TableStatus, 'CREATING')
  await waitUntilTableExists({ client: db, maxWaitTime: 5, minDelay: 1, maxDelay: 1 }, { TableName: 'orders' })
  const { Table } = await db.send(new DescribeTableCommand({ TableName: 'orders' }))
  assert.equal(Table.TableStatus, 'ACTIVE')
  assert.equal(Table.TableArn, 'arn:aws:dynamodb:us-east-1:123456789012:table/orders')
  assert.match(Table.TableId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(Table.TableId, made.TableDescription.TableId)
  assert.deepEqual(Table.KeySchema, [{ AttributeName: 'customer', KeyType: 'HASH' }, { AttributeName: 'at', KeyType: 'RANGE' }])
  assert.deepEqual([Table.ProvisionedThroughput.ReadCapacityUnits, Table.ProvisionedThroughput.WriteCapacityUnits], [3, 4])
  assert.deepEqual(Table.StreamSpecification, { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' })
  assert.equal(Table.LatestStreamArn, `${Table.TableArn}/stream/${Table.LatestStreamLabel}`)
  assert.equal(Table.TableClassSummary.TableClass, 'STANDARD_INFREQUENT_ACCESS')
  assert.ok(Table.CreationDateTime instanceof Date)
  // by its ARN as well
  assert.equal((await db.send(new DescribeTableCommand({ TableName: Table.TableArn }))).Table.TableId, Table.TableId)
  assert.deepEqual((await db.send(new ListTagsOfResourceCommand({ ResourceArn: Table.TableArn }))).Tags, [{ Key: 'team', Value: 'shop' }])
  await assert.rejects(db.send(new CreateTableCommand({
    TableName: 'orders',
    AttributeDefinitions: [{ AttributeName: 'x', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'x', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  })), { name: 'ResourceInUseException', message: 'Table already exists: orders' })
  assert.ok((await db.send(new ListTablesCommand({}))).TableNames.includes('orders'))
  assert.equal((await db.send(new DeleteTableCommand({ TableName: 'orders' }))).TableDescription.TableStatus, 'DELETING')
  await waitUntilTableNotExists({ client: db, maxWaitTime: 5, minDelay: 1, maxDelay: 1 }, { TableName: 'orders' })
  await assert.rejects(db.send(new DescribeTableCommand({ TableName: 'orders' })), { name: 'ResourceNotFoundException', message: 'Requested resource not found: Table: orders not found' })
  await assert.rejects(db.send(new ScanCommand({ TableName: 'orders' })), { name: 'ResourceNotFoundException', message: 'Requested resource not found' })
  db.destroy()
  await quiet(server)
})

test('a table made again under a name is empty, and another table', async (t) => {
  const server = await start(t)
  await table(server, 'again')
  await ok(server, 'PutItem', { TableName: 'again', Item: { id: { S: 'a' } } })
  const first = await ok(server, 'DescribeTable', { TableName: 'again' })
  await ok(server, 'DeleteTable', { TableName: 'again' })
  await table(server, 'again')
  assert.equal((await ok(server, 'Scan', { TableName: 'again' })).Count, 0)
  assert.notEqual((await ok(server, 'DescribeTable', { TableName: 'again' })).Table.TableId, first.Table.TableId)
})

test('tables outlive a restart with all that is known of them', async (t) => {
  const server = await start(t)
  await rich(server, 'kept')
  const arn = 'arn:aws:dynamodb:us-east-1:123456789012:table/kept'
  await ok(server, 'TagResource', { ResourceArn: arn, Tags: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '' }] })
  await ok(server, 'UpdateTable', { TableName: 'kept', DeletionProtectionEnabled: true, StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' } })
  await ok(server, 'UpdateTimeToLive', { TableName: 'kept', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } })
  await ok(server, 'PutItem', { TableName: 'kept', Item: { p: { S: 'a' }, r: { N: '1' }, color: { S: 'red' }, mass: { N: '2' } } })
  const before = await ok(server, 'DescribeTable', { TableName: 'kept' })
  await server.kill9()
  await server.restart()
  assert.deepEqual(await ok(server, 'DescribeTable', { TableName: 'kept' }), before)
  assert.equal(before.Table.LocalSecondaryIndexes.length, 1)
  assert.equal(before.Table.GlobalSecondaryIndexes.length, 3)
  assert.equal(before.Table.ItemCount, 1)
  assert.deepEqual((await ok(server, 'ListTagsOfResource', { ResourceArn: arn })).Tags, [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '' }])
  assert.deepEqual((await ok(server, 'DescribeTimeToLive', { TableName: 'kept' })).TimeToLiveDescription, { TimeToLiveStatus: 'ENABLED', AttributeName: 'due' })
  assert.equal((await ok(server, 'Query', { TableName: 'kept', IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: 'red' } } })).Count, 1)
})

test('ListTables in pages', async (t) => {
  const server = await start(t)
  for (const name of ['zz1', 'zz2', 'zz3', 'zz4']) await table(server, name)
  const db = client(server)
  const names = []
  let start_
  do {
    const page = await db.send(new ListTablesCommand({ Limit: 3, ExclusiveStartTableName: start_ }))
    assert.ok(page.TableNames.length <= 3)
    names.push(...page.TableNames)
    start_ = page.LastEvaluatedTableName
  } while (start_)
  assert.deepEqual(names, [...names].sort())
  assert.deepEqual(names.slice(-4), ['zz1', 'zz2', 'zz3', 'zz4'])
  assert.deepEqual((await ok(server, 'ListTables', { ExclusiveStartTableName: 'zz2x' })).TableNames, ['zz3', 'zz4'])
  db.destroy()
})

test('UpdateTable: a global index over items that are there, and its end', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'grow')
  for (let from = 0; from < 400; from += 25)
    await ok(server, 'BatchWriteItem', { RequestItems: { grow: Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { id: { S: `i${from + i}` }, kind: { S: `k${(from + i) % 4}` } } } })) } })
  const { TableDescription } = await db.send(new UpdateTableCommand({
    TableName: 'grow',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }, { AttributeName: 'kind', AttributeType: 'S' }],
    GlobalSecondaryIndexUpdates: [{ Create: { IndexName: 'byKind', KeySchema: [{ AttributeName: 'kind', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } } }],
  }))
  assert.equal(TableDescription.TableStatus, 'UPDATING')
  await until('the index is filled', async () => (await db.send(new DescribeTableCommand({ TableName: 'grow' }))).Table.GlobalSecondaryIndexes[0].IndexStatus === 'ACTIVE')
  // Filled is not yet published to readers of the snapshot for an instant; until then the answer says so.
  const found = await until('the index is readable', () => db.send(new QueryCommand({
    TableName: 'grow', IndexName: 'byKind', KeyConditionExpression: 'kind = :k', ExpressionAttributeValues: { ':k': { S: 'k1' } },
  })))
  assert.equal(found.Count, 100)
  await fails(server, 'UpdateTable', {
    TableName: 'grow',
    AttributeDefinitions: [{ AttributeName: 'kind', AttributeType: 'S' }],
    GlobalSecondaryIndexUpdates: [{ Create: { IndexName: 'byKind', KeySchema: [{ AttributeName: 'kind', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } } }],
  }, 'ValidationException', 'Attempting to create an index which already exists')
  await ok(server, 'UpdateTable', { TableName: 'grow', GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'byKind' } }] })
  await assert.rejects(db.send(new QueryCommand({ TableName: 'grow', IndexName: 'byKind', KeyConditionExpression: 'kind = :k', ExpressionAttributeValues: { ':k': { S: 'k1' } } })),
    { name: 'ValidationException', message: 'The table does not have the specified index: byKind' })
  await fails(server, 'UpdateTable', { TableName: 'grow', GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: 'byKind' } }] }, 'ResourceNotFoundException')
  db.destroy()
})

test('UpdateTable: billing, throughput, stream, protection', async (t) => {
  const server = await start(t)
  await table(server, 'tune')
  await ok(server, 'UpdateTable', { TableName: 'tune', BillingMode: 'PROVISIONED', ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 6 } })
  const { Table } = await ok(server, 'DescribeTable', { TableName: 'tune' })
  assert.deepEqual([Table.ProvisionedThroughput.ReadCapacityUnits, Table.ProvisionedThroughput.WriteCapacityUnits, Table.BillingModeSummary.BillingMode], [5, 6, 'PROVISIONED'])
  await fails(server, 'UpdateTable', { TableName: 'tune', ProvisionedThroughput: { ReadCapacityUnits: 5, WriteCapacityUnits: 6 } }, 'ValidationException', /^The provisioned throughput for the table will not change/)
  await fails(server, 'UpdateTable', { TableName: 'tune' }, 'ValidationException', /^At least one of ProvisionedThroughput, BillingMode/)
  const stream = { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' }
  assert.ok((await ok(server, 'UpdateTable', { TableName: 'tune', StreamSpecification: stream })).TableDescription.LatestStreamArn)
  await fails(server, 'UpdateTable', { TableName: 'tune', StreamSpecification: stream }, 'ValidationException', 'Table already has an enabled stream: TableName: tune')
  await ok(server, 'UpdateTable', { TableName: 'tune', StreamSpecification: { StreamEnabled: false } })
  assert.equal((await ok(server, 'DescribeTable', { TableName: 'tune' })).Table.StreamSpecification, undefined)
  await ok(server, 'UpdateTable', { TableName: 'tune', DeletionProtectionEnabled: true })
  await fails(server, 'DeleteTable', { TableName: 'tune' }, 'ValidationException', 'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.')
  await ok(server, 'UpdateTable', { TableName: 'tune', DeletionProtectionEnabled: false })
  await ok(server, 'DeleteTable', { TableName: 'tune' })
})

test('what was provisioned, when it changed, and what is warm', async (t) => {
  const server = await start(t)
  const units = (ReadCapacityUnits, WriteCapacityUnits) => ({ ReadCapacityUnits, WriteCapacityUnits })
  const index = { IndexName: 'other', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }
  await table(server, 'tune', { BillingMode: 'PROVISIONED', ProvisionedThroughput: units(5, 6), GlobalSecondaryIndexes: [{ ...index, ProvisionedThroughput: units(2, 3) }], SSESpecification: { Enabled: true } })
  const described = async () => (await ok(server, 'DescribeTable', { TableName: 'tune' })).Table
  assert.deepEqual((await described()).ProvisionedThroughput, { NumberOfDecreasesToday: 0, ...units(5, 6) })
  assert.deepEqual((await described()).WarmThroughput, { ReadUnitsPerSecond: 5, WriteUnitsPerSecond: 6, Status: 'ACTIVE' })
  assert.deepEqual((await described()).SSEDescription, { Status: 'ENABLED', SSEType: 'KMS', KMSMasterKeyArn: 'arn:aws:kms:us-east-1:123456789012:alias/aws/dynamodb' })
  const changing = await ok(server, 'UpdateTable', { TableName: 'tune', ProvisionedThroughput: units(9, 4) })
  assert.deepEqual([changing.TableDescription.TableStatus, changing.TableDescription.ProvisionedThroughput.ReadCapacityUnits], ['UPDATING', 5])
  const { LastIncreaseDateTime, LastDecreaseDateTime, ...now } = (await described()).ProvisionedThroughput
  assert.deepEqual(now, { NumberOfDecreasesToday: 1, ...units(9, 4) })
  assert.ok(LastIncreaseDateTime > 1.7e9 && LastIncreaseDateTime === LastDecreaseDateTime)
  const change = (ProvisionedThroughput) => ({ TableName: 'tune', GlobalSecondaryIndexUpdates: [{ Update: { IndexName: 'other', ProvisionedThroughput } }] })
  await fails(server, 'UpdateTable', change(units(2, 3)), 'ValidationException', /^The provisioned throughput for the index other will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the index: 2\./)
  await ok(server, 'UpdateTable', change(units(2, 1)))
  assert.equal((await described()).GlobalSecondaryIndexes[0].ProvisionedThroughput.NumberOfDecreasesToday, 1)
  await fails(server, 'UpdateTable', { TableName: 'tune', ProvisionedThroughput: units(1e12 + 1, 1) }, 'ValidationException', 'Given value 1000000000001 for ReadCapacityUnits is out of bounds')
  await server.stop()
  await server.restart()
  assert.equal((await described()).ProvisionedThroughput.LastIncreaseDateTime, LastIncreaseDateTime)
  await ok(server, 'UpdateTable', { TableName: 'tune', BillingMode: 'PAY_PER_REQUEST', SSESpecification: { Enabled: false } })
  assert.deepEqual((await described()).WarmThroughput, { ReadUnitsPerSecond: 12000, WriteUnitsPerSecond: 4000, Status: 'ACTIVE' })
  assert.equal((await described()).SSEDescription, undefined)
  const { TableDescription } = await ok(server, 'DeleteTable', { TableName: 'tune' })
  assert.deepEqual([TableDescription.TableStatus, TableDescription.KeySchema, TableDescription.GlobalSecondaryIndexes], ['DELETING', undefined, undefined])
})

test('there are no global tables', async (t) => {
  const server = await start(t)
  await table(server, 'alone')
  assert.deepEqual(await ok(server, 'ListGlobalTables'), { GlobalTables: [] })
  const GlobalTableName = 'alone', missing = "Global table not found: Global table with name: 'alone' does not exist."
  await fails(server, 'DescribeGlobalTable', { GlobalTableName }, 'GlobalTableNotFoundException', missing)
  await fails(server, 'DescribeGlobalTableSettings', { GlobalTableName }, 'GlobalTableNotFoundException', missing)
  await fails(server, 'UpdateGlobalTable', { GlobalTableName, ReplicaUpdates: [{ Create: { RegionName: 'eu-west-1' } }] }, 'GlobalTableNotFoundException', missing)
  await fails(server, 'CreateGlobalTable', { GlobalTableName, ReplicationGroup: [{ RegionName: 'us-east-1' }, { RegionName: 'eu-west-1' }] }, 'TableNotFoundException', /eu-west-1/)
})

test('tags', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'tagged')
  const ResourceArn = 'arn:aws:dynamodb:us-east-1:123456789012:table/tagged'
  await db.send(new TagResourceCommand({ ResourceArn, Tags: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }] }))
  await db.send(new TagResourceCommand({ ResourceArn, Tags: [{ Key: 'a', Value: '3' }] }))
  assert.equal(await ok(server, 'TagResource', { ResourceArn, Tags: [{ Key: 'a', Value: '3' }] }), undefined)
  assert.deepEqual((await db.send(new ListTagsOfResourceCommand({ ResourceArn }))).Tags, [{ Key: 'a', Value: '3' }, { Key: 'b', Value: '2' }])
  await db.send(new UntagResourceCommand({ ResourceArn, TagKeys: ['a', 'zz'] }))
  assert.deepEqual((await db.send(new ListTagsOfResourceCommand({ ResourceArn }))).Tags, [{ Key: 'b', Value: '2' }])
  await fails(server, 'TagResource', { ResourceArn, Tags: Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: 'x' })) }, 'ValidationException', /tags exceeds/)
  await fails(server, 'ListTagsOfResource', { ResourceArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/none' }, 'ResourceNotFoundException')
  await fails(server, 'ListTagsOfResource', { ResourceArn: 'tagged' }, 'ValidationException', /Invalid ResourceArn/)
  db.destroy()
})

test('time to live: set, told, obeyed', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'brief')
  await db.send(new UpdateTimeToLiveCommand({ TableName: 'brief', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } }))
  assert.deepEqual((await db.send(new DescribeTimeToLiveCommand({ TableName: 'brief' }))).TimeToLiveDescription, { TimeToLiveStatus: 'ENABLED', AttributeName: 'due' })
  await fails(server, 'UpdateTimeToLive', { TableName: 'brief', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } }, 'ValidationException', 'TimeToLive is already enabled')
  const now = Math.floor((await server.now()) / 1000)
  await db.send(new PutItemCommand({ TableName: 'brief', Item: { id: { S: 'soon' }, due: { N: String(now + 60) } } }))
  await db.send(new PutItemCommand({ TableName: 'brief', Item: { id: { S: 'text' }, due: { S: 'never' } } }))
  assert.equal((await db.send(new ScanCommand({ TableName: 'brief' }))).Count, 2)
  await advance(server, 61000)
  await until('the item is swept', async () => (await ok(server, 'DescribeTable', { TableName: 'brief' })).Table.ItemCount === 1)
  assert.deepEqual((await ok(server, 'Scan', { TableName: 'brief' })).Items, [{ id: { S: 'text' }, due: { S: 'never' } }])
  await db.send(new UpdateTimeToLiveCommand({ TableName: 'brief', TimeToLiveSpecification: { AttributeName: 'due', Enabled: false } }))
  assert.equal((await db.send(new DescribeTimeToLiveCommand({ TableName: 'brief' }))).TimeToLiveDescription.TimeToLiveStatus, 'DISABLED')
  db.destroy()
})

test('what tools ask on every plan is answered', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'plan')
  const { ContinuousBackupsDescription } = await db.send(new DescribeContinuousBackupsCommand({ TableName: 'plan' }))
  assert.equal(ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus, 'DISABLED')
  assert.equal(ContinuousBackupsDescription.ContinuousBackupsStatus, 'ENABLED')
  const on = await db.send(new UpdateContinuousBackupsCommand({ TableName: 'plan', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }))
  assert.equal(on.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus, 'ENABLED')
  await fails(server, 'DescribeContinuousBackups', { TableName: 'none' }, 'TableNotFoundException', 'Table not found: none')
  assert.equal((await db.send(new DescribeLimitsCommand({}))).AccountMaxReadCapacityUnits, 80000)
  assert.equal((await db.send(new DescribeEndpointsCommand({}))).Endpoints[0].Address, server.listening)
  db.destroy()
})

test('tables that applications declare are there too; their declaration is the application\'s', async (t) => {
  const server = await start(t)
  const name = 'riddle-rush-performance-dev'
  const { Table } = await ok(server, 'DescribeTable', { TableName: name })
  assert.equal(Table.TableStatus, 'ACTIVE')
  await fails(server, 'DeleteTable', { TableName: name }, 'ResourceInUseException', /is declared by an application$/)
  await fails(server, 'UpdateTable', { TableName: name, DeletionProtectionEnabled: true }, 'ResourceInUseException')
  const item = Object.fromEntries(Table.KeySchema.map(({ AttributeName }) => [AttributeName, Table.AttributeDefinitions.find((d) => d.AttributeName === AttributeName).AttributeType === 'N' ? { N: '1' } : { S: 'x' }]))
  await ok(server, 'PutItem', { TableName: name, Item: item })
  assert.deepEqual((await ok(server, 'GetItem', { TableName: name, Key: item })).Item, item)
  const connections = 'riddle-rush-ws-connections-dev'
  const registry = (await ok(server, 'DescribeTable', { TableName: connections })).Table
  const key = Object.fromEntries(registry.KeySchema.map(({ AttributeName }) => [AttributeName, { S: 'x' }]))
  await ok(server, 'Scan', { TableName: connections })
  await fails(server, 'PutItem', { TableName: connections, Item: key }, 'ValidationException', /mirrors live connections/)
})
