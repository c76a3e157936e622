// Query and Scan: conditions, directions, pages, indexes and their projections, segments.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { paginateQuery } from '@aws-sdk/client-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, fails, ok, rich, table } from './lib.mjs'

const colors = ['red', 'green', 'blue']

async function filled(server, TableName, n = 60) {
  await rich(server, TableName)
  const items = Array.from({ length: n }, (_, i) => ({ p: { S: `p${i % 2}` }, r: { N: String(i - 10) }, color: { S: colors[i % 3] }, mass: { N: String(i % 7) }, note: { S: `n${i}` }, more: { S: 'm' } }))
  for (let from = 0; from < n; from += 25)
    await ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: items.slice(from, from + 25).map((Item) => ({ PutRequest: { Item } })) } })
  return items
}

const numbers = (answer, name = 'r') => answer.Items.map((item) => Number(item[name].N))

test('key conditions, both directions', async (t) => {
  const server = await start(t)
  await filled(server, 'qqq')
  const query = (condition, values = {}, more = {}) => ok(server, 'Query', {
    TableName: 'qqq', KeyConditionExpression: `p = :p${condition ? ` AND ${condition}` : ''}`, ExpressionAttributeValues: { ':p': { S: 'p0' }, ...values }, ...more,
  })
  const n = (v) => ({ N: String(v) })
  const all = Array.from({ length: 30 }, (_, i) => i * 2 - 10)
  assert.deepEqual(numbers(await query('')), all)
  assert.deepEqual(numbers(await query('', {}, { ScanIndexForward: false })), [...all].reverse())
  for (const [condition, values, keep] of [
    ['r = :a', { ':a': n(4) }, (r) => r === 4], ['r < :a', { ':a': n(-6) }, (r) => r < -6], ['r <= :a', { ':a': n(-6) }, (r) => r <= -6], ['r > :a', { ':a': n(40) }, (r) => r > 40],
    [':a <= r', { ':a': n(40) }, (r) => r >= 40], ['r BETWEEN :a AND :b', { ':a': n(-3), ':b': n(5) }, (r) => r >= -3 && r <= 5], ['r = :a', { ':a': n(5) }, () => false],
  ]) {
    if (condition.startsWith(':')) continue
    assert.deepEqual(numbers(await query(condition, values)), all.filter(keep), condition)
    assert.deepEqual(numbers(await query(condition, values, { ScanIndexForward: false })), all.filter(keep).reverse(), condition)
  }
  const filter = await query('', { ':m': { S: 'n4' } }, { FilterExpression: 'begins_with(note, :m)' })
  assert.deepEqual([filter.Count, filter.ScannedCount], [6, 30])
  const count = await query('', {}, { Select: 'COUNT' })
  assert.deepEqual(count, { Count: 30, ScannedCount: 30 })
  const projected = await query('r = :a', { ':a': n(4) }, { ProjectionExpression: '#n, r', ExpressionAttributeNames: { '#n': 'note' } })
  assert.deepEqual(projected.Items, [{ note: { S: 'n14' }, r: n(4) }])
  const legacy = await ok(server, 'Query', { TableName: 'qqq', KeyConditions: { p: { ComparisonOperator: 'EQ', AttributeValueList: [{ S: 'p0' }] }, r: { ComparisonOperator: 'GE', AttributeValueList: [n(44)] } }, QueryFilter: { note: { ComparisonOperator: 'NE', AttributeValueList: [{ S: 'n56' }] } } })
  assert.deepEqual(numbers(legacy), [44, 48])
  await quiet(server)
})

test('pages join to the whole, forwards and backwards, on table and indexes', async (t) => {
  const server = await start(t)
  const items = await filled(server, 'pages')
  const db = client(server)
  for (const ScanIndexForward of [true, false])
    for (const [IndexName, condition, value, order] of [
      [undefined, 'p = :v', 'p1', (a) => [Number(a.r.N)]],
      ['bySize', 'p = :v', 'p1', (a) => [Number(a.mass.N), Number(a.r.N)]],
      ['byColor', 'color = :v', 'blue', (a) => [Number(a.mass.N), a.p.S, Number(a.r.N)]],
      ['byColorKeys', 'color = :v', 'blue', (a) => [Number(a.mass.N), a.p.S, Number(a.r.N)]],
    ]) {
      const wanted = items.filter((item) => (condition.startsWith('p') ? item.p.S : item.color.S) === value).map((item) => JSON.stringify(order(item)))
      wanted.sort((a, b) => {
        const [x, y] = [JSON.parse(a), JSON.parse(b)]
        const at = x.findIndex((v, i) => v !== y[i])
        return x[at] < y[at] ? -1 : 1
      })
      if (!ScanIndexForward) wanted.reverse()
      const got = []
      let pages = 0
      for await (const page of paginateQuery({ client: db, pageSize: 7 }, { TableName: 'pages', IndexName, KeyConditionExpression: condition, ExpressionAttributeValues: { ':v': { S: value } }, ScanIndexForward })) {
        assert.ok(page.Items.length <= 7)
        got.push(...page.Items.map((item) => JSON.stringify(order(item))))
        pages++
      }
      assert.deepEqual(got, wanted, `${IndexName} ${ScanIndexForward}`)
      assert.ok(pages >= 3)
    }
  db.destroy()
})

test('what an index gives and what it refuses', async (t) => {
  const server = await start(t)
  await filled(server, 'idx')
  const query = { TableName: 'idx', IndexName: 'byColorKeys', KeyConditionExpression: 'color = :c AND mass = :s', ExpressionAttributeValues: { ':c': { S: 'red' }, ':s': { N: '3' } }, Limit: 1 }
  const one = async (more) => (await ok(server, 'Query', { ...query, ...more })).Items[0]
  assert.deepEqual(Object.keys(await one()).sort(), ['color', 'mass', 'p', 'r'])
  assert.deepEqual(Object.keys(await one({ IndexName: 'byColorSome' })).sort(), ['color', 'mass', 'note', 'p', 'r'])
  assert.deepEqual(Object.keys(await one({ IndexName: 'byColor' })).sort(), ['color', 'mass', 'more', 'note', 'p', 'r'])
  await fails(server, 'Query', { ...query, Select: 'ALL_ATTRIBUTES' }, 'ValidationException', /Select type ALL_ATTRIBUTES is not supported for global secondary index byColorKeys because its projection type is not ALL$/)
  await fails(server, 'Query', { ...query, ProjectionExpression: 'note' }, 'ValidationException', /does not project \[note\]$/)
  await fails(server, 'Query', { ...query, ConsistentRead: true }, 'ValidationException', 'Consistent reads are not supported on global secondary indexes')
  await fails(server, 'Query', { ...query, IndexName: 'none' }, 'ValidationException', 'The table does not have the specified index: none')
  const local = { TableName: 'idx', IndexName: 'bySize', KeyConditionExpression: 'p = :p AND mass = :s', ExpressionAttributeValues: { ':p': { S: 'p0' }, ':s': { N: '3' } }, Limit: 1, ConsistentRead: true }
  const fromLocal = async (more) => Object.keys((await ok(server, 'Query', { ...local, ...more })).Items[0]).sort()
  assert.deepEqual(await fromLocal(), ['mass', 'p', 'r'])
  assert.deepEqual(await fromLocal({ Select: 'ALL_ATTRIBUTES' }), ['color', 'mass', 'more', 'note', 'p', 'r'])
  assert.deepEqual(await fromLocal({ ProjectionExpression: 'note' }), ['note'])
  // an item without the index's attributes is not in it; one that loses them leaves it
  await ok(server, 'PutItem', { TableName: 'idx', Item: { p: { S: 'lone' }, r: { N: '1' }, color: { S: 'pink' } } })
  const pink = async () => (await ok(server, 'Query', { TableName: 'idx', IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: 'pink' } } })).Count
  assert.equal(await pink(), 0)
  await ok(server, 'UpdateItem', { TableName: 'idx', Key: { p: { S: 'lone' }, r: { N: '1' } }, UpdateExpression: 'SET mass = :s', ExpressionAttributeValues: { ':s': { N: '1' } } })
  assert.equal(await pink(), 1)
  await ok(server, 'UpdateItem', { TableName: 'idx', Key: { p: { S: 'lone' }, r: { N: '1' } }, UpdateExpression: 'REMOVE color' })
  assert.equal(await pink(), 0)
})

test('starting keys are judged', async (t) => {
  const server = await start(t)
  await filled(server, 'from')
  const query = { TableName: 'from', KeyConditionExpression: 'p = :p AND r > :r', ExpressionAttributeValues: { ':p': { S: 'p0' }, ':r': { N: '0' } } }
  for (const [key, message] of [
    [{ p: { S: 'p0' } }, /^The provided starting key is invalid/], [{ p: { S: 'p0' }, r: { S: '1' } }, /^The provided starting key is invalid/],
    [{ p: { S: 'p0' }, r: { N: '1' }, x: { S: 'x' } }, /^The provided starting key is invalid/],
    [{ p: { S: 'p1' }, r: { N: '1' } }, 'The provided starting key is outside query boundaries based on provided conditions'],
    [{ p: { S: 'p0' }, r: { N: '-4' } }, 'The provided starting key is outside query boundaries based on provided conditions'],
  ])
    await fails(server, 'Query', { ...query, ExclusiveStartKey: key }, 'ValidationException', message)
  assert.deepEqual(numbers(await ok(server, 'Query', { ...query, ExclusiveStartKey: { p: { S: 'p0' }, r: { N: '43' } } })), [44, 46, 48])
  await fails(server, 'Scan', { TableName: 'from', IndexName: 'byColor', ExclusiveStartKey: { p: { S: 'p0' }, r: { N: '1' } } }, 'ValidationException', 'The provided starting key is invalid')
})

test('a page ends at 1 MB, measured before the filter', async (t) => {
  const server = await start(t)
  await table(server, 'large')
  for (let i = 0; i < 30; i++) await ok(server, 'PutItem', { TableName: 'large', Item: { id: { S: `i${i}` }, text: { S: 'x'.repeat(100_000) }, odd: { BOOL: i % 2 === 1 } } })
  const page = await ok(server, 'Scan', { TableName: 'large' })
  assert.equal(page.Count, 11)
  assert.deepEqual(Object.keys(page.LastEvaluatedKey), ['id'])
  const filtered = await ok(server, 'Scan', { TableName: 'large', FilterExpression: 'odd = :o', ExpressionAttributeValues: { ':o': { BOOL: true } }, ReturnConsumedCapacity: 'TOTAL' })
  assert.equal(filtered.ScannedCount, 11)
  assert.ok(filtered.Count < 11 && filtered.LastEvaluatedKey)
  assert.equal(filtered.ConsumedCapacity.CapacityUnits, 134.5)
  let n = 0
  let ExclusiveStartKey
  do {
    const next = await ok(server, 'Scan', { TableName: 'large', ExclusiveStartKey, Select: 'COUNT' })
    n += next.Count
    ExclusiveStartKey = next.LastEvaluatedKey
  } while (ExclusiveStartKey)
  assert.equal(n, 30)
})

test('segments share a table between them', async (t) => {
  const server = await start(t)
  await table(server, 'shared')
  for (let from = 0; from < 200; from += 25)
    await ok(server, 'BatchWriteItem', { RequestItems: { shared: Array.from({ length: 25 }, (_, i) => ({ PutRequest: { Item: { id: { S: `key-${from + i}` } } } })) } })
  const seen = new Map()
  for (let Segment = 0; Segment < 4; Segment++) {
    let ExclusiveStartKey
    do {
      const page = await ok(server, 'Scan', { TableName: 'shared', Segment, TotalSegments: 4, Limit: 9, ExclusiveStartKey })
      for (const { id } of page.Items) {
        assert.ok(!seen.has(id.S))
        seen.set(id.S, Segment)
      }
      ExclusiveStartKey = page.LastEvaluatedKey
    } while (ExclusiveStartKey)
  }
  assert.equal(seen.size, 200)
  for (let Segment = 0; Segment < 4; Segment++) assert.ok([...seen.values()].filter((s) => s === Segment).length > 20)
  await fails(server, 'Scan', { TableName: 'shared', Segment: 4, TotalSegments: 4 }, 'ValidationException', 'The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4')
  await fails(server, 'Scan', { TableName: 'shared', TotalSegments: 4 }, 'ValidationException', /^The Segment parameter is required/)
})
