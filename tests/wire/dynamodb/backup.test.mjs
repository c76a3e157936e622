// On-demand backups with the SDK: made, described, listed, restored, deleted; what a restore takes over and what it leaves; the errors; the files.
// TB-13, OP-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  CreateBackupCommand, DeleteBackupCommand, DescribeBackupCommand, DescribeTableCommand, ListBackupsCommand, RestoreTableFromBackupCommand, waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { quiet, run, start, temporaryFolder, until } from '../lib/weir.mjs'
import { client, fails, ok, rich, table } from './lib.mjs'
import { available, backedUp, contents, fill, restored } from './backup-lib.mjs'

const files = (server) => readdirSync(path.join(server.folder, 'data', 'backups')).sort()

test('a backup outlives its table', async (t) => {
  const server = await start(t)
  const db = client(server)
  await rich(server, 'ores')
  await ok(server, 'UpdateTimeToLive', { TableName: 'ores', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } })
  const items = []
  for (let n = 0; n < 700; n++)
    items.push({ p: { S: `p${n % 9}` }, r: { N: String(n) }, ...(n % 3 ? { color: { S: n % 2 ? 'red' : 'blue' }, mass: { N: String(n % 50) } } : {}), note: { S: 'x'.repeat(n) }, raw: { B: Buffer.from([n % 256, 0, 255]).toString('base64') } })
  await fill(server, 'ores', items)
  const before = await contents(server, 'ores')
  assert.equal(before.size, 700)

  const { BackupDetails: made } = await db.send(new CreateBackupCommand({ TableName: 'ores', BackupName: 'ores-first' }))
  assert.match(made.BackupArn, /^arn:aws:dynamodb:us-east-1:123456789012:table\/ores\/backup\/\d{14}-[0-9a-f]{8}$/)
  assert.equal(made.BackupStatus, 'CREATING')
  assert.equal(made.BackupType, 'USER')
  assert.equal(made.BackupName, 'ores-first')
  const { BackupDetails: details, SourceTableDetails: source, SourceTableFeatureDetails: features } = await available(server, made.BackupArn)
  assert.ok(details.BackupSizeBytes > 1000)
  assert.equal(source.ItemCount, 700)
  assert.equal(source.TableName, 'ores')
  assert.equal(source.BillingMode, 'PAY_PER_REQUEST')
  assert.deepEqual(source.KeySchema, [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'r', KeyType: 'RANGE' }])
  assert.deepEqual(features.GlobalSecondaryIndexes.map((index) => index.IndexName), ['byColor', 'byColorKeys', 'byColorSome'])
  assert.deepEqual(features.LocalSecondaryIndexes.map((index) => index.IndexName), ['bySize'])
  assert.deepEqual(features.TimeToLiveDescription, { TimeToLiveStatus: 'ENABLED', AttributeName: 'due' })
  const described = await db.send(new DescribeBackupCommand({ BackupArn: made.BackupArn }))
  assert.equal(described.BackupDescription.BackupDetails.BackupCreationDateTime.getTime(), made.BackupCreationDateTime.getTime())

  const [file] = files(server)
  assert.equal(file, `${made.BackupArn.split('/').pop()}.backup`)
  const where = path.join(server.folder, 'data', 'backups')
  assert.equal(statSync(path.join(where, file)).mode & 0o777, 0o600)
  assert.equal(statSync(where).mode & 0o777, 0o700)

  // What is written after it is not in it, and the table may go.
  await ok(server, 'PutItem', { TableName: 'ores', Item: { p: { S: 'later' }, r: { N: '1' } } })
  await ok(server, 'DeleteTable', { TableName: 'ores' })
  const answer = await db.send(new RestoreTableFromBackupCommand({ TargetTableName: 'ores-again', BackupArn: made.BackupArn }))
  assert.equal(answer.TableDescription.TableStatus, 'CREATING')
  assert.equal(answer.TableDescription.RestoreSummary.SourceBackupArn, made.BackupArn)
  assert.equal(answer.TableDescription.RestoreSummary.RestoreInProgress, true)
  await waitUntilTableExists({ client: db, maxWaitTime: 30, minDelay: 1 }, { TableName: 'ores-again' })
  const { Table } = await db.send(new DescribeTableCommand({ TableName: 'ores-again' }))
  assert.equal(Table.RestoreSummary.RestoreInProgress, false)
  assert.equal(Table.ItemCount, 700)
  assert.deepEqual(Table.GlobalSecondaryIndexes.map((index) => [index.IndexName, index.IndexStatus, index.Projection.ProjectionType]), [['byColor', 'ACTIVE', 'ALL'], ['byColorKeys', 'ACTIVE', 'KEYS_ONLY'], ['byColorSome', 'ACTIVE', 'INCLUDE']])
  assert.deepEqual(await contents(server, 'ores-again'), before)
  const red = await ok(server, 'Query', { TableName: 'ores-again', IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: 'red' } }, Select: 'COUNT' })
  assert.equal(red.Count, items.filter((item) => item.color?.S === 'red').length)
  assert.equal((await ok(server, 'DescribeTimeToLive', { TableName: 'ores-again' })).TimeToLiveDescription.TimeToLiveStatus, 'DISABLED')

  // Also after a restart, and without the indexes.
  await server.stop()
  await server.restart()
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'ores-bare', BackupArn: made.BackupArn, GlobalSecondaryIndexOverride: [], LocalSecondaryIndexOverride: [], BillingModeOverride: 'PROVISIONED', ProvisionedThroughputOverride: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 } })
  const bare = await restored(server, 'ores-bare')
  assert.equal(bare.GlobalSecondaryIndexes, undefined)
  assert.equal(bare.LocalSecondaryIndexes, undefined)
  assert.equal(bare.ProvisionedThroughput.WriteCapacityUnits, 4)
  assert.deepEqual(await contents(server, 'ores-bare'), before)

  const deleted = await ok(server, 'DeleteBackup', { BackupArn: made.BackupArn })
  assert.equal(deleted.BackupDescription.BackupDetails.BackupStatus, 'DELETED')
  await fails(server, 'DescribeBackup', { BackupArn: made.BackupArn }, 'BackupNotFoundException', `Backup not found: ${made.BackupArn}`)
  await until('the file is gone', () => files(server).length === 0)
  db.destroy()
  await quiet(server)
})

test('an empty table, and one without a range key', async (t) => {
  const server = await start(t)
  await table(server, 'empty')
  const arn = await backedUp(server, 'empty', 'none')
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'still-empty', BackupArn: arn })
  await restored(server, 'still-empty')
  assert.equal((await contents(server, 'still-empty')).size, 0)
  await ok(server, 'PutItem', { TableName: 'still-empty', Item: { id: { S: 'a' } } })
})

test('what a restored table does not take over', async (t) => {
  const server = await start(t)
  await table(server, 'full', { StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' }, Tags: [{ Key: 'a', Value: 'b' }], DeletionProtectionEnabled: true, TableClass: 'STANDARD_INFREQUENT_ACCESS' })
  await fill(server, 'full', [{ id: { S: 'one' } }])
  await ok(server, 'UpdateContinuousBackups', { TableName: 'full', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'plain', BackupArn: await backedUp(server, 'full', 'full') })
  const plain = await restored(server, 'plain')
  assert.equal(plain.StreamSpecification, undefined)
  assert.equal(plain.DeletionProtectionEnabled, false)
  assert.equal(plain.TableClassSummary.TableClass, 'STANDARD_INFREQUENT_ACCESS')
  assert.deepEqual((await ok(server, 'ListTagsOfResource', { ResourceArn: plain.TableArn })).Tags, [])
  assert.equal((await ok(server, 'DescribeContinuousBackups', { TableName: 'plain' })).ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus, 'DISABLED')
})

test('expired items are not in a backup', async (t) => {
  const server = await start(t)
  await table(server, 'short')
  await ok(server, 'UpdateTimeToLive', { TableName: 'short', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } })
  const now = Math.floor(Date.now() / 1000)
  await fill(server, 'short', [{ id: { S: 'gone' }, due: { N: String(now - 5) } }, { id: { S: 'there' }, due: { N: String(now + 500) } }])
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'short-again', BackupArn: await backedUp(server, 'short', 'short') })
  await restored(server, 'short-again')
  assert.deepEqual([...(await contents(server, 'short-again')).keys()], ['{"id":{"S":"there"}}'])
})

test('lists', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'one')
  await table(server, 'two')
  const arns = []
  for (let n = 0; n < 7; n++) arns.push(await backedUp(server, n % 2 ? 'two' : 'one', `number-${n}`))
  const all = []
  let start_at
  do {
    const page = await db.send(new ListBackupsCommand({ Limit: 3, ExclusiveStartBackupArn: start_at }))
    assert.ok(page.BackupSummaries.length <= 3)
    all.push(...page.BackupSummaries)
    start_at = page.LastEvaluatedBackupArn
  } while (start_at)
  assert.deepEqual(all.map((one) => one.BackupArn), arns)
  assert.deepEqual(all.map((one) => one.BackupName), ['number-0', 'number-1', 'number-2', 'number-3', 'number-4', 'number-5', 'number-6'])
  assert.ok(all.every((one) => one.BackupStatus === 'AVAILABLE' && one.BackupSizeBytes > 0 && /^[0-9a-f-]{36}$/.test(one.TableId)))
  const two = await db.send(new ListBackupsCommand({ TableName: 'two' }))
  assert.deepEqual(two.BackupSummaries.map((one) => one.BackupName), ['number-1', 'number-3', 'number-5'])
  const middle = all[3].BackupCreationDateTime
  const early = await db.send(new ListBackupsCommand({ TimeRangeUpperBound: middle }))
  assert.deepEqual(early.BackupSummaries.map((one) => one.BackupName), ['number-0', 'number-1', 'number-2'])
  const late = await db.send(new ListBackupsCommand({ TimeRangeLowerBound: middle, BackupType: 'USER' }))
  assert.deepEqual(late.BackupSummaries.map((one) => one.BackupName), ['number-3', 'number-4', 'number-5', 'number-6'])
  assert.deepEqual((await db.send(new ListBackupsCommand({ BackupType: 'SYSTEM' }))).BackupSummaries, [])
  db.destroy()
})

test('errors', async (t) => {
  const server = await start(t)
  await table(server, 'real')
  const arn = await backedUp(server, 'real', 'real')
  const other = arn.replace('/real/', '/unreal/')
  const nothing = arn.replace(/[0-9a-f]{8}$/, '00000000')
  await fails(server, 'CreateBackup', { TableName: 'none', BackupName: 'none' }, 'TableNotFoundException', 'Table not found: none')
  await fails(server, 'CreateBackup', { TableName: 'real', BackupName: 'no' }, 'ValidationException')
  await fails(server, 'CreateBackup', { TableName: 'real', BackupName: 'a b c' }, 'ValidationException')
  await fails(server, 'DescribeBackup', { BackupArn: nothing }, 'BackupNotFoundException')
  await fails(server, 'DescribeBackup', { BackupArn: other }, 'BackupNotFoundException')
  await fails(server, 'DeleteBackup', { BackupArn: nothing }, 'BackupNotFoundException')
  await fails(server, 'RestoreTableFromBackup', { BackupArn: nothing, TargetTableName: 'target' }, 'BackupNotFoundException')
  await fails(server, 'RestoreTableFromBackup', { BackupArn: arn, TargetTableName: 'real' }, 'TableAlreadyExistsException', 'Table already exists: real')
  await fails(server, 'DescribeBackup', { BackupArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/real' }, 'ValidationException')
  await fails(server, 'DescribeBackup', { BackupArn: `arn:aws:dynamodb:us-east-1:123456789012:table/real/backup/../../../../etc/passwd` }, 'BackupNotFoundException')
  await fails(server, 'RestoreTableFromBackup', {
    BackupArn: arn, TargetTableName: 'target',
    GlobalSecondaryIndexOverride: [{ IndexName: 'new', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }],
  }, 'ValidationException')
  await fails(server, 'RestoreTableFromBackup', { BackupArn: arn, TargetTableName: 'target', BillingModeOverride: 'PROVISIONED' }, 'ValidationException')
  await fails(server, 'ListBackups', { Limit: 0 }, 'ValidationException')
  await quiet(server)
})

test('a damaged file is refused, the table goes, and verify says it', async (t) => {
  const server = await start(t)
  await table(server, 'glass')
  await fill(server, 'glass', Array.from({ length: 300 }, (_, n) => ({ id: { S: `i${n}` }, text: { S: randomBytes(400).toString('hex') } })))
  const arn = await backedUp(server, 'glass', 'glass')
  const file = path.join(server.folder, 'data', 'backups', files(server)[0])
  const whole = readFileSync(file)
  const broken = Buffer.from(whole)
  broken[Math.floor(whole.length / 2)] ^= 4
  writeFileSync(file, broken)
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'shards', BackupArn: arn })
  await until('the table is gone', async () => (await server.counters()).jobs_failed === 1)
  await fails(server, 'DescribeTable', { TableName: 'shards' }, 'ResourceNotFoundException')
  assert.match(server.stderr, /the backup is damaged at byte \d+/)
  const data = path.join(server.folder, 'data')
  await server.stop()
  const damaged = await run(['verify', data])
  assert.equal(damaged.code, 6, damaged.stdout + damaged.stderr)
  assert.match(damaged.stdout, /backups: .*damaged/)
  writeFileSync(file, whole)
  const sound = await run(['verify', data])
  assert.equal(sound.code, 0, sound.stdout + sound.stderr)
  assert.match(sound.stdout, /backups: 1 file/)
  await server.restart()
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'shards', BackupArn: arn })
  await restored(server, 'shards')
  assert.deepEqual(await contents(server, 'shards'), await contents(server, 'glass'))
})

test('an encrypted folder encrypts its backups, and reads them after a change of the key', async (t) => {
  const folder = temporaryFolder(t)
  const key = (name) => {
    const file = path.join(folder, name)
    writeFileSync(file, randomBytes(32).toString('hex') + '\n', { mode: 0o600 })
    chmodSync(file, 0o600)
    return file
  }
  const first = key('first')
  const second = key('second')
  const server = await start(t, { env: { WEIR_ENCRYPTION_KEY_FILE: first } })
  await table(server, 'secret')
  await fill(server, 'secret', Array.from({ length: 50 }, (_, n) => ({ id: { S: `Zanzibar-${n}` } })))
  const arn = await backedUp(server, 'secret', 'secret')
  const file = path.join(server.folder, 'data', 'backups', files(server)[0])
  assert.ok(existsSync(file))
  assert.equal(readFileSync(file).includes('Zanzibar'), false)
  assert.equal(readFileSync(file).includes('secret'), false)
  await server.stop()
  const data = path.join(server.folder, 'data')
  const changed = await run(['rekey', '--data', data, '--old-key-file', first, '--new-key-file', second])
  assert.equal(changed.code, 0, changed.stderr)
  const sound = await run(['verify', '--key-file', second, data])
  assert.equal(sound.code, 0, sound.stdout)
  await server.restart({ env: { WEIR_ENCRYPTION_KEY_FILE: second } })
  await ok(server, 'RestoreTableFromBackup', { TargetTableName: 'secret-again', BackupArn: arn })
  await restored(server, 'secret-again')
  assert.deepEqual(await contents(server, 'secret-again'), await contents(server, 'secret'))
})

test('tables that mirror live connections are not backed up', async (t) => {
  const server = await start(t)
  const { TableNames } = await ok(server, 'ListTables', {})
  const registry = TableNames.find((name) => /connections/.test(name))
  await fails(server, 'CreateBackup', { TableName: registry, BackupName: 'mirror' }, 'ValidationException', /mirrors live connections/)
  await fails(server, 'UpdateContinuousBackups', { TableName: registry, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }, 'ValidationException', /mirrors live connections/)
})
