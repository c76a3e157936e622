// What a record holds: the four views, the events, deletions by expiry, transactions and batches; and which writes make none.
// ST-1, ST-2, ST-3, X-14
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, call, ok, table } from './lib.mjs'
import { all, allBySdk, arnOf, del, iterator, put, readFrom, streamed, streamsClient } from './streams.mjs'

const one = { id: { S: 'a' }, n: { N: '1' } }
const two = { id: { S: 'a' }, n: { N: '2' }, tags: { SS: ['x', 'y'] } }

test('each view shows its parts', async (t) => {
  const server = await start(t)
  const client = streamsClient(server)
  const views = {
    KEYS_ONLY: [[], [], []],
    NEW_IMAGE: [['NewImage'], ['NewImage'], []],
    OLD_IMAGE: [[], ['OldImage'], ['OldImage']],
    NEW_AND_OLD_IMAGES: [['NewImage'], ['NewImage', 'OldImage'], ['OldImage']],
  }
  for (const [view, parts] of Object.entries(views)) {
    const arn = await streamed(server, `view-${view}`, view)
    const before = Math.floor((await server.now()) / 1000)
    await put(server, `view-${view}`, one)
    await put(server, `view-${view}`, two)
    await del(server, `view-${view}`, 'a')
    const records = await allBySdk(client, arn)
    assert.deepEqual(records.map((r) => r.eventName), ['INSERT', 'MODIFY', 'REMOVE'])
    const news = [one, two, undefined]
    const olds = [undefined, one, two]
    const size = (item) => (item ? (item.tags ? 3 + 1 + 2 + 4 + 2 : 3 + 1 + 2) : 0)
    for (const [i, record] of records.entries()) {
      const what = `${view} ${i}`
      assert.match(record.eventID, /^[0-9a-f]{32}$/)
      assert.equal(record.eventVersion, '1.1')
      assert.equal(record.eventSource, 'aws:dynamodb')
      assert.equal(record.awsRegion, 'us-east-1')
      assert.equal(record.userIdentity, undefined)
      const { dynamodb } = record
      assert.equal(dynamodb.StreamViewType, view)
      assert.deepEqual(dynamodb.Keys, { id: { S: 'a' } })
      assert.deepEqual(Object.keys(dynamodb).filter((name) => name.endsWith('Image')), parts[i], what)
      if (dynamodb.NewImage) assert.deepEqual(dynamodb.NewImage, news[i], what)
      if (dynamodb.OldImage) assert.deepEqual(dynamodb.OldImage, olds[i], what)
      assert.match(dynamodb.SequenceNumber, /^\d{21,40}$/)
      assert.ok(dynamodb.ApproximateCreationDateTime instanceof Date)
      const created = dynamodb.ApproximateCreationDateTime.getTime() / 1000
      assert.ok(Number.isInteger(created) && created >= before && created <= before + 60, String(created))
      const images = (dynamodb.NewImage ? size(news[i]) : 0) + (dynamodb.OldImage ? size(olds[i]) : 0)
      assert.equal(dynamodb.SizeBytes, 3 + images, what)
    }
    assert.equal(new Set(records.map((r) => r.eventID)).size, 3)
    const numbers = records.map((r) => r.dynamodb.SequenceNumber)
    assert.deepEqual([...numbers].sort(), numbers)
    assert.deepEqual([...numbers].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)), numbers)
    assert.deepEqual(await allBySdk(client, arn, { Limit: 1 }), records)
  }
  client.destroy()
  await quiet(server)
})

test('a deletion by expiry names the service', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'short')
  await ok(server, 'UpdateTimeToLive', { TableName: 'short', TimeToLiveSpecification: { AttributeName: 'until', Enabled: true } })
  const due = Math.floor((await server.now()) / 1000) + 100
  const item = { id: { S: 'gone' }, until: { N: String(due) } }
  await put(server, 'short', item)
  await put(server, 'short', { id: { S: 'stays' } })
  await advance(server, 200000)
  const records = await until('the removal', async () => {
    const found = await all(server, arn)
    return found.length === 3 && found
  })
  assert.deepEqual(records[2].userIdentity, { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' })
  assert.equal(records[2].eventName, 'REMOVE')
  assert.deepEqual(records[2].dynamodb.OldImage, item)
  await del(server, 'short', 'stays')
  assert.equal((await all(server, arn))[3].userIdentity, undefined)
  await quiet(server)
})

test('a write that changes nothing makes no record', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'same')
  const tail = await iterator(server, arn, 'LATEST')
  await put(server, 'same', two)
  await put(server, 'same', { ...two, tags: { SS: ['y', 'x'] } })
  await put(server, 'same', { ...two, n: { N: '2.0' } })
  await ok(server, 'UpdateItem', { TableName: 'same', Key: { id: { S: 'a' } }, UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': { N: '2' } } })
  await del(server, 'same', 'nobody')
  const failed = await call(server, 'PutItem', { TableName: 'same', Item: one, ConditionExpression: 'attribute_not_exists(id)' })
  assert.equal(failed.status, 400)
  await put(server, 'same', one)
  const { records } = await readFrom(server, tail)
  assert.deepEqual(records.map((r) => [r.eventName, r.dynamodb.NewImage]), [['INSERT', two], ['MODIFY', one]])
  await quiet(server)
})

test('batches and transactions make a record for each of their writes', async (t) => {
  const server = await start(t)
  const first = await streamed(server, 'first')
  const second = await streamed(server, 'second', 'NEW_IMAGE')
  await table(server, 'silent')
  const item = (id) => ({ id: { S: id } })
  await ok(server, 'BatchWriteItem', { RequestItems: { first: ['a', 'b', 'c'].map((id) => ({ PutRequest: { Item: item(id) } })), silent: [{ PutRequest: { Item: item('s') } }] } })
  await ok(server, 'TransactWriteItems', {
    TransactItems: [
      { Put: { TableName: 'second', Item: item('x') } },
      { Delete: { TableName: 'first', Key: item('b') } },
      { Update: { TableName: 'first', Key: item('a'), UpdateExpression: 'SET n = :n', ExpressionAttributeValues: { ':n': { N: '1' } } } },
      { ConditionCheck: { TableName: 'first', Key: item('c'), ConditionExpression: 'attribute_exists(id)' } },
      { Put: { TableName: 'second', Item: item('y') } },
    ],
  })
  const canceled = await call(server, 'TransactWriteItems', {
    TransactItems: [{ Put: { TableName: 'first', Item: item('never') } }, { ConditionCheck: { TableName: 'first', Key: item('b'), ConditionExpression: 'attribute_exists(id)' } }],
  })
  assert.equal(canceled.status, 400)
  const seen = async (arn) => (await all(server, arn)).map((r) => `${r.eventName} ${r.dynamodb.Keys.id.S}`)
  assert.deepEqual(await seen(first), ['INSERT a', 'INSERT b', 'INSERT c', 'REMOVE b', 'MODIFY a'])
  assert.deepEqual(await seen(second), ['INSERT x', 'INSERT y'])
  assert.equal(await arnOf(server, 'silent'), undefined)
  await quiet(server)
})

test('large records: a page holds a megabyte at most, and one record at least', async (t) => {
  const server = await start(t)
  const arn = await streamed(server, 'large')
  const text = (c) => c.repeat(380000)
  for (const c of 'abcde') {
    await put(server, 'large', { id: { S: 'big' }, text: { S: text(c) } })
    await put(server, 'large', { id: { S: c }, text: { S: '\u0001'.repeat(100000) } })
  }
  let next = await iterator(server, arn)
  const records = []
  for (let pages = 0; records.length < 10; pages++) {
    assert.ok(pages < 50)
    const page = await readFrom(server, next, { count: 1 })
    const size = page.records.reduce((sum, r) => sum + r.dynamodb.SizeBytes, 0)
    assert.ok(page.records.length === 1 || size <= 1 << 20, `${page.records.length} records of ${size} bytes`)
    records.push(...page.records)
    next = page.next
  }
  assert.deepEqual(records.filter((r) => r.dynamodb.Keys.id.S === 'big').map((r) => [r.dynamodb.OldImage?.text.S[0], r.dynamodb.NewImage.text.S[0]]),
    [[undefined, 'a'], ['a', 'b'], ['b', 'c'], ['c', 'd'], ['d', 'e']])
  await quiet(server)
})
