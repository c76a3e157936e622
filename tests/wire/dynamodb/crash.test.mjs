// kill -9 under load: every PutItem that was acknowledged is there afterwards, with its index entries.
// TB-16
import test from 'node:test'
import assert from 'node:assert/strict'
import { DynamoDBClient, PutItemCommand, paginateQuery, paginateScan } from '@aws-sdk/client-dynamodb'
import { quiet, start, until } from '../lib/weir.mjs'
import { client, credentials, ok, table } from './lib.mjs'

test('acknowledged is kept', async (t) => {
  const server = await start(t, { threads: 2 })
  await table(server, 'crash', {
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }, { AttributeName: 'round', AttributeType: 'N' }],
    GlobalSecondaryIndexes: [{ IndexName: 'byRound', KeySchema: [{ AttributeName: 'round', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }],
  })
  const acknowledged = []
  for (let round = 0; round < 4; round++) {
    const db = new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
    let alive = true
    let refused
    let n = 0
    const writers = Array.from({ length: 16 }, async (_, w) => {
      for (let i = 0; alive; i++) {
        const id = `r${round}-w${w}-${i}`
        try {
          await db.send(new PutItemCommand({ TableName: 'crash', Item: { id: { S: id }, round: { N: String(round) }, text: { S: 'x'.repeat(i % 300) } } }))
        } catch (error) {
          if (alive) refused ??= error
          break
        }
        acknowledged.push(id)
        n++
      }
    })
    await until('enough acknowledgements', () => {
      if (refused) throw refused
      return n >= 300 + round * 111
    }, { every: 1 })
    alive = false
    await server.kill9()
    await Promise.all(writers)
    db.destroy()
    await server.restart()
    const reader = client(server)
    const kept = new Set()
    for await (const page of paginateScan({ client: reader }, { TableName: 'crash' })) for (const item of page.Items) kept.add(item.id.S)
    const lost = acknowledged.filter((id) => !kept.has(id))
    assert.deepEqual(lost, [])
    let indexed = 0
    for (let of = 0; of <= round; of++)
      for await (const page of paginateQuery({ client: reader }, { TableName: 'crash', IndexName: 'byRound', KeyConditionExpression: 'round = :r', ExpressionAttributeValues: { ':r': { N: String(of) } }, Select: 'COUNT' })) indexed += page.Count
    assert.equal(indexed, kept.size)
    assert.equal((await ok(server, 'DescribeTable', { TableName: 'crash' })).Table.ItemCount, kept.size)
    reader.destroy()
  }
  await quiet(server)
})
