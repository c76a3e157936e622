// kill -9 in the middle of a backup, of a restore from it, and of a restore to a point in time: after the restart each goes on by itself and ends as if
// nothing had been; a table whose restore was interrupted is still closed to everybody; one that is deleted while it is being restored is gone for good.
// TB-12, TB-13
import test from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, call, fails, ok, table } from './lib.mjs'
import { available, contents, fill, restored } from './backup-lib.mjs'

const ITEMS = 9000
const item = (n, round) => ({ id: { S: `item ${n}` }, round: { N: String(round) }, color: { S: ['red', 'green', 'blue'][n % 3] }, text: { S: `${round}`.repeat(n % 700) } })
const indexed = {
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }, { AttributeName: 'color', AttributeType: 'S' }],
  GlobalSecondaryIndexes: [{ IndexName: 'byColor', KeySchema: [{ AttributeName: 'color', KeyType: 'HASH' }], Projection: { ProjectionType: 'KEYS_ONLY' } }],
}

async function filled(server) {
  await table(server, 'much', indexed)
  await ok(server, 'UpdateContinuousBackups', { TableName: 'much', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })
  const all = Array.from({ length: ITEMS }, (_, n) => item(n, 1))
  await Promise.all([0, 1, 2, 3].map((part) => fill(server, 'much', all.filter((_, n) => n % 4 === part))))
}

/** Kills as soon as the condition holds, and starts again. */
async function killWhen(server, what, probe) {
  await until(what, probe, { every: 0 })
  await server.kill9()
  await server.restart()
  server.skew = 0
}

/** Restores with `begin`, killing the server in the middle until that has happened `kills` times. */
async function restoreInterrupted(server, begin, kills) {
  let interrupted = 0
  for (let round = 0; interrupted < kills; round++) {
    assert.ok(round < 20, 'no restore was met in its middle')
    const name = `copy-${round}`
    await begin(name)
    await killWhen(server, 'items on their way', async () => (await ok(server, 'DescribeTable', { TableName: name })).Table.ItemCount > 0)
    const description = await restored(server, name)
    assert.equal(description.RestoreSummary.RestoreInProgress, false)
    if (/the restore of table copy-\d+ is done/.test(server.stderr)) interrupted++
    const found = await contents(server, name)
    assert.equal(found.size, ITEMS)
    for (let n = 0; n < ITEMS; n += 97) assert.equal(found.get(JSON.stringify({ id: { S: `item ${n}` } })).round.N, '1')
    assert.ok([...found.values()].every((one) => one.round.N === '1'))
    let counted = 0
    for (const color of ['red', 'green', 'blue']) {
      let ExclusiveStartKey
      do {
        const page = await ok(server, 'Query', { TableName: name, IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: color } }, Select: 'COUNT', ...(ExclusiveStartKey ? { ExclusiveStartKey } : {}) })
        counted += page.Count
        ExclusiveStartKey = page.LastEvaluatedKey
      } while (ExclusiveStartKey)
    }
    assert.equal(counted, ITEMS, 'the index')
  }
}

test('backups and restores from them', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  await filled(server)
  const folder = path.join(server.folder, 'data', 'backups')
  let BackupArn
  let interrupted = false
  for (let round = 0; !interrupted && round < 30; round++) {
    BackupArn = (await ok(server, 'CreateBackup', { TableName: 'much', BackupName: `backup-${round}` })).BackupDetails.BackupArn
    await server.kill9()
    await server.restart()
    await available(server, BackupArn)
    interrupted = /the backup of table much is done/.test(server.stderr)
  }
  assert.ok(interrupted, 'no backup was met in its middle')
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.partial')), [])
  await restoreInterrupted(server, (TargetTableName) => ok(server, 'RestoreTableFromBackup', { BackupArn, TargetTableName }), 2)
  await quiet(server)
})

test('restores to a point in time, while the source is being written', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  await filled(server)
  const then = await server.now()
  await advance(server, 1000)
  await fill(server, 'much', Array.from({ length: 3000 }, (_, n) => item(n * 2, 2)))
  for (let n = 1; n < 200; n += 2) await ok(server, 'DeleteItem', { TableName: 'much', Key: { id: { S: `item ${n}` } } })
  let writing = true
  let written = 0
  const writer = (async () => {
    while (writing) {
      const answer = await call(server, 'PutItem', { TableName: 'much', Item: { ...item(written % 12000, 3), extra: { N: String(written) } } }).catch(() => null)
      if (answer?.status === 200) written++
    }
  })()
  try {
    // The clock of a server that was started again stands behind; it is what the ticks are stamped with that counts.
    await restoreInterrupted(server, (TargetTableName) => ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'much', TargetTableName, RestoreDateTime: then / 1000 }), 2)
  } finally {
    writing = false
    await writer
  }
  assert.ok(written > 10)
})

test('a table that is deleted while it is being restored', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  await filled(server)
  // One job at a time: behind six others it waits for a while.
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six', 'never'])
    await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'much', TargetTableName: name, UseLatestRestorableTime: true })
  await fails(server, 'PutItem', { TableName: 'never', Item: item(1, 1) }, 'ResourceNotFoundException')
  await fails(server, 'UpdateTable', { TableName: 'never', BillingMode: 'PAY_PER_REQUEST' }, 'ResourceInUseException')
  await fails(server, 'CreateBackup', { TableName: 'never', BackupName: 'never' }, 'TableInUseException')
  await fails(server, 'DeleteTable', { TableName: 'much' }, 'ResourceInUseException', /Table much is being restored from/)
  await ok(server, 'DeleteTable', { TableName: 'never' })
  await fails(server, 'DescribeTable', { TableName: 'never' }, 'ResourceNotFoundException')
  await until('the job is over', async () => (await server.counters()).jobs_waiting === 0)
  assert.equal((await server.counters()).jobs_failed, 0)
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'much', TargetTableName: 'never', UseLatestRestorableTime: true })
  assert.equal((await restored(server, 'never')).ItemCount, ITEMS)
  await ok(server, 'DeleteTable', { TableName: 'much' })
  await quiet(server)
})
