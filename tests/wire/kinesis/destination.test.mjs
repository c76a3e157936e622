// A table's changes in a Kinesis stream: DynamoDB's streaming destinations.
import test from 'node:test'
import assert from 'node:assert/strict'
import { DeleteStreamCommand } from '@aws-sdk/client-kinesis'
import {
  CreateTableCommand, DeleteItemCommand, DeleteTableCommand, DescribeKinesisStreamingDestinationCommand, DisableKinesisStreamingDestinationCommand,
  EnableKinesisStreamingDestinationCommand, PutItemCommand, UpdateKinesisStreamingDestinationCommand,
} from '@aws-sdk/client-dynamodb'
import { start, until } from '../lib/weir.mjs'
import { client as tables } from '../dynamodb/lib.mjs'
import { client, create, iterator, readAll, shards } from './lib.mjs'

const arnOf = (name) => `arn:aws:kinesis:us-east-1:123456789012:stream/${name}`
const table = (db, TableName) =>
  db.send(new CreateTableCommand({ TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] }))
const enable = (db, TableName, stream, more = {}) => db.send(new EnableKinesisStreamingDestinationCommand({ TableName, StreamArn: arnOf(stream), ...more }))
const disable = (db, TableName, stream) => db.send(new DisableKinesisStreamingDestinationCommand({ TableName, StreamArn: arnOf(stream) }))
const put = (db, TableName, id, n) => db.send(new PutItemCommand({ TableName, Item: { id: { S: id }, n: { N: String(n) } } }))
const status = async (db, TableName) => {
  const { KinesisDataStreamDestinations } = await db.send(new DescribeKinesisStreamingDestinationCommand({ TableName }))
  return Object.fromEntries(KinesisDataStreamDestinations.map((d) => [d.StreamArn.split('/')[1], d.DestinationStatus]))
}
const read = async (kinesis, stream) => {
  const all = []
  for (const shard of await shards(kinesis, stream)) all.push(...(await readAll(kinesis, await iterator(kinesis, stream, shard.ShardId))).records)
  return all.map((record) => ({ ...JSON.parse(Buffer.from(record.Data).toString()), key: record.PartitionKey }))
}

test('changes come in order for each key, in the form of AWS', async (t) => {
  const server = await start(t, { threads: 2 })
  const db = tables(server)
  const kinesis = client(server)
  await create(kinesis, 's', 2)
  await table(db, 'music')
  await put(db, 'music', 'before', 1)
  assert.equal((await enable(db, 'music', 's')).DestinationStatus, 'ENABLING')
  assert.deepEqual(await status(db, 'music'), { s: 'ACTIVE' })
  for (let i = 0; i < 10; i++) await Promise.all(['a', 'b', 'c'].map((id) => put(db, 'music', id, i)))
  await db.send(new DeleteItemCommand({ TableName: 'music', Key: { id: { S: 'a' } } }))
  await until('all changes', async () => (await read(kinesis, 's')).length === 31)
  const records = await read(kinesis, 's')
  for (const id of ['a', 'b', 'c']) {
    const own = records.filter((r) => r.dynamodb.Keys.id.S === id)
    assert.deepEqual(own.slice(0, 10).map((r) => r.dynamodb.NewImage.n.N), Array.from({ length: 10 }, (_, i) => String(i)))
    assert.equal(new Set(own.map((r) => r.key)).size, 1)
    assert.deepEqual(own.slice(0, 10).map((r) => r.eventName), ['INSERT', ...Array(9).fill('MODIFY')])
  }
  const gone = records.find((r) => r.eventName === 'REMOVE')
  assert.deepEqual(Object.keys(gone), ['awsRegion', 'eventID', 'eventName', 'userIdentity', 'recordFormat', 'tableName', 'dynamodb', 'eventSource', 'key'])
  assert.deepEqual([gone.awsRegion, gone.userIdentity, gone.recordFormat, gone.tableName, gone.eventSource], ['us-east-1', null, 'application/json', 'music', 'aws:dynamodb'])
  assert.match(gone.eventID, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
  assert.deepEqual(Object.keys(gone.dynamodb), ['ApproximateCreationDateTime', 'Keys', 'OldImage', 'SizeBytes', 'ApproximateCreationDateTimePrecision'])
  assert.equal(gone.dynamodb.ApproximateCreationDateTimePrecision, 'MILLISECOND')
  assert.ok(Math.abs(gone.dynamodb.ApproximateCreationDateTime - Date.now()) < 3600e3)
  // The precision is changed, and it is disabled: what came before still comes, what comes after does not.
  assert.equal((await db.send(new UpdateKinesisStreamingDestinationCommand({ TableName: 'music', StreamArn: arnOf('s'), UpdateKinesisStreamingConfiguration: { ApproximateCreationDateTimePrecision: 'MICROSECOND' } }))).DestinationStatus, 'UPDATING')
  await put(db, 'music', 'micro', 1)
  await until('it comes', async () => (await read(kinesis, 's')).length === 32)
  assert.ok((await read(kinesis, 's')).find((r) => r.dynamodb.Keys.id.S === 'micro').dynamodb.ApproximateCreationDateTime > 1e15)
  await put(db, 'music', 'last', 1)
  assert.equal((await disable(db, 'music', 's')).DestinationStatus, 'DISABLING')
  await put(db, 'music', 'late', 1)
  await until('it is disabled', async () => (await status(db, 'music')).s === 'DISABLED')
  const ids = (await read(kinesis, 's')).map((r) => r.dynamodb.Keys.id.S)
  assert.equal(ids.filter((id) => id === 'last').length, 1)
  assert.ok(!ids.includes('late') && !ids.includes('before'))
  await enable(db, 'music', 's')
  await put(db, 'music', 'again', 1)
  await until('it goes on', async () => (await read(kinesis, 's')).some((r) => r.dynamodb.Keys.id.S === 'again'))
})

test('two destinations of a table, and what is refused', async (t) => {
  const server = await start(t)
  const db = tables(server)
  const kinesis = client(server)
  for (const name of ['a', 'b', 'c']) await create(kinesis, name)
  await table(db, 'music')
  await table(db, 'other')
  await enable(db, 'music', 'a')
  await enable(db, 'music', 'b')
  await enable(db, 'other', 'a')
  await assert.rejects(enable(db, 'music', 'c'), { name: 'LimitExceededException' })
  await assert.rejects(enable(db, 'music', 'a'), { name: 'ValidationException', message: /must be DISABLED or ENABLE_FAILED to perform ENABLE/ })
  await assert.rejects(disable(db, 'music', 'c'), { name: 'ValidationException', message: /must be ACTIVE to perform DISABLE/ })
  await assert.rejects(enable(db, 'nobody', 'a'), { name: 'ResourceNotFoundException' })
  await assert.rejects(enable(db, 'other', 'nobody'), { name: 'ResourceNotFoundException' })
  await assert.rejects(db.send(new EnableKinesisStreamingDestinationCommand({ TableName: 'music', StreamArn: 'x'.repeat(40) })), { name: 'ValidationException' })
  await put(db, 'music', 'm', 1)
  await put(db, 'other', 'o', 1)
  await until('both', async () => (await read(kinesis, 'a')).length === 2 && (await read(kinesis, 'b')).length === 1)
  await kinesis.send(new DeleteStreamCommand({ StreamName: 'b' }))
  assert.deepEqual(await status(db, 'music'), { a: 'ACTIVE', b: 'ENABLE_FAILED' })
  await put(db, 'music', 'm', 2)
  await until('the other goes on', async () => (await read(kinesis, 'a')).length === 3)
  await db.send(new DeleteTableCommand({ TableName: 'music' }))
  await put(db, 'other', 'o', 2)
  await until('the other table goes on', async () => (await read(kinesis, 'a')).length === 4)
  await table(db, 'music')
  assert.deepEqual(await status(db, 'music'), {})
})

test('after kill -9 nothing is missing and nothing is there twice', async (t) => {
  const server = await start(t)
  let db = tables(server)
  await create(client(server), 's')
  await table(db, 'music')
  await enable(db, 'music', 's')
  let n = 0
  for (let round = 0; round < 3; round++) {
    const kept = []
    const writers = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 40; i++) {
        const id = `${round}.${n++}`
        await put(db, 'music', id, 1)
        kept.push(id)
      }
    })
    const broken = Promise.allSettled(writers)
    await until('some are in', () => kept.length > 60)
    await server.kill9()
    await broken
    await server.restart()
    db = tables(server)
    const kinesis = client(server)
    const ids = async () => (await read(kinesis, 's')).map((r) => r.dynamodb.Keys.id.S)
    await until('what was acknowledged', async () => {
      const there = new Set(await ids())
      return kept.every((id) => there.has(id))
    })
    const all = await ids()
    assert.equal(all.length, new Set(all).size)
  }
})
