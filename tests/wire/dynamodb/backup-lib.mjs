// What the tests of backups and restores share.
import assert from 'node:assert/strict'
import { until } from '../lib/weir.mjs'
import { call, ok } from './lib.mjs'

/** Writes items, 25 at a time. */
export async function fill(server, TableName, items) {
  for (let at = 0; at < items.length; at += 25) {
    const answer = await ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } })) } })
    assert.deepEqual(answer.UnprocessedItems, {})
  }
}

const sorted = (value) =>
  Array.isArray(value) ? value.map(sorted) : value && typeof value === 'object' ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])])) : value

/** All items of a table: a map from the key as text to the item. */
export async function contents(server, TableName) {
  const { Table } = await ok(server, 'DescribeTable', { TableName })
  const names = Table.KeySchema.map((element) => element.AttributeName)
  const found = []
  let ExclusiveStartKey
  do {
    const page = await ok(server, 'Scan', { TableName, ...(ExclusiveStartKey ? { ExclusiveStartKey } : {}) })
    for (const item of page.Items) found.push([JSON.stringify(Object.fromEntries(names.map((name) => [name, item[name]]))), sorted(item)])
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  assert.equal(Table.ItemCount, found.length, 'the count of the table')
  return new Map(found.sort((a, b) => (a[0] < b[0] ? -1 : 1)))
}

/** The description of a backup that is finished. */
export function available(server, BackupArn) {
  return until('the backup is there', async () => {
    const { BackupDescription } = await ok(server, 'DescribeBackup', { BackupArn })
    return BackupDescription.BackupDetails.BackupStatus === 'AVAILABLE' && BackupDescription
  }, { every: 5 })
}

/** Backs up a table and waits for it: the ARN. */
export async function backedUp(server, TableName, BackupName) {
  const { BackupDetails } = await ok(server, 'CreateBackup', { TableName, BackupName })
  await available(server, BackupDetails.BackupArn)
  return BackupDetails.BackupArn
}

/** The description of a table that has been restored; while it is not, nobody sees its items. */
export async function restored(server, TableName, { within = 30000 } = {}) {
  return until(`${TableName} is restored`, async () => {
    const read = await call(server, 'Scan', { TableName, Limit: 1 })
    const { Table } = await ok(server, 'DescribeTable', { TableName })
    if (Table.TableStatus === 'ACTIVE') return Table
    assert.equal(Table.TableStatus, 'CREATING')
    assert.equal(Table.RestoreSummary.RestoreInProgress, true)
    assert.equal(read.status, 400, 'a table that is being restored was read')
    assert.match(read.json.__type, /ResourceNotFoundException/)
    return false
  }, { every: 5, within })
}

