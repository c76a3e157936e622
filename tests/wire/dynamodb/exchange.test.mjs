// Exports of tables to a folder and imports from one, with the SDK: of now and of the past, there and back, what is left out, where they may not go.
// TB-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import path from 'node:path'
import { DescribeExportCommand, DescribeImportCommand, ExportTableToPointInTimeCommand, ImportTableCommand, ListExportsCommand, ListImportsCommand } from '@aws-sdk/client-dynamodb'
import { quiet, start, temporaryFolder, until } from '../lib/weir.mjs'
import { advance, client, fails, ok, table } from './lib.mjs'
import { contents, fill } from './backup-lib.mjs'

const arn = (name) => `arn:aws:dynamodb:us-east-1:123456789012:table/${name}`

async function begun(t) {
  const server = await start(t, { config: 'exchange: buckets\n' })
  server.buckets = path.join(server.folder, 'buckets')
  return server
}

async function source(server, name, count = 400) {
  await table(server, name)
  await ok(server, 'UpdateContinuousBackups', { TableName: name, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } })
  await fill(server, name, Array.from({ length: count }, (_, n) => ({ id: { S: `i${n}` }, n: { N: `${n}.25` }, list: { L: [{ BOOL: true }, { NULL: true }, { B: 'AAE=' }] }, set: { SS: ['a', `b${n}`] } })))
}

const exported = (server, ExportArn) =>
  until('the export is over', async () => {
    const { ExportDescription } = await ok(server, 'DescribeExport', { ExportArn })
    return ExportDescription.ExportStatus !== 'IN_PROGRESS' && ExportDescription
  }, { every: 5 })
const imported = (server, ImportArn) =>
  until('the import is over', async () => {
    const { ImportTableDescription } = await ok(server, 'DescribeImport', { ImportArn })
    return ImportTableDescription.ImportStatus !== 'IN_PROGRESS' && ImportTableDescription
  }, { every: 5 })

const creation = (TableName) => ({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
})

test('there and back, now and then', async (t) => {
  const server = await begun(t)
  const db = client(server)
  await source(server, 'ledger')
  const before = await contents(server, 'ledger')
  const then = await server.now()
  await advance(server, 1000)
  for (let n = 0; n < 50; n++) await ok(server, n % 2 ? 'DeleteItem' : 'PutItem', n % 2 ? { TableName: 'ledger', Key: { id: { S: `i${n}` } } } : { TableName: 'ledger', Item: { id: { S: `i${n}` }, changed: { BOOL: true } } })
  const after = await contents(server, 'ledger')

  const { ExportDescription: asked } = await db.send(new ExportTableToPointInTimeCommand({ TableArn: arn('ledger'), S3Bucket: 'my-exports', S3Prefix: 'daily/one/' }))
  assert.equal(asked.ExportStatus, 'IN_PROGRESS')
  assert.match(asked.ExportArn, /table\/ledger\/export\/\d{14}-[0-9a-f]{8}$/)
  const now = await exported(server, asked.ExportArn)
  assert.equal(now.ExportStatus, 'COMPLETED', JSON.stringify(now))
  assert.equal(now.ItemCount, after.size)
  assert.ok(now.ExportManifest.startsWith('daily/one/AWSDynamoDB/'))
  const past = await exported(server, (await ok(server, 'ExportTableToPointInTime', { TableArn: arn('ledger'), S3Bucket: 'my-exports', ExportTime: then / 1000, ExportFormat: 'DYNAMODB_JSON' })).ExportDescription.ExportArn)
  assert.equal(past.ItemCount, before.size)
  assert.equal(past.ExportTime, then / 1000)

  const summary = JSON.parse(readFileSync(path.join(server.buckets, 'my-exports', now.ExportManifest)))
  assert.equal(summary.itemCount, after.size)
  assert.equal(summary.tableArn, arn('ledger'))
  const data = path.join(server.buckets, 'my-exports', path.dirname(now.ExportManifest), 'data')
  const lines = readdirSync(data).flatMap((name) => gunzipSync(readFileSync(path.join(data, name))).toString().trim().split('\n'))
  assert.equal(lines.length, after.size)
  assert.ok(lines.every((line) => JSON.parse(line).Item.id.S))
  assert.deepEqual((await ok(server, 'ListTables', {})).TableNames.filter((name) => name.startsWith('weir.')), [])

  for (const [name, folder, expected] of [['ledger-now', 'daily/one', after], ['ledger-then', '', before]]) {
    const { ImportTableDescription } = await db.send(new ImportTableCommand({ S3BucketSource: { S3Bucket: 'my-exports', ...(folder ? { S3KeyPrefix: folder } : { S3KeyPrefix: path.dirname(past.ExportManifest) }) }, InputFormat: 'DYNAMODB_JSON', InputCompressionType: 'GZIP', TableCreationParameters: creation(name) }))
    assert.equal(ImportTableDescription.ImportStatus, 'IN_PROGRESS')
    const done = await imported(server, ImportTableDescription.ImportArn)
    assert.equal(done.ImportStatus, 'COMPLETED', JSON.stringify(done))
    assert.equal(done.ImportedItemCount, expected.size)
    assert.equal(done.ErrorCount, 0)
    assert.deepEqual(await contents(server, name), expected)
  }
  const exports = await db.send(new ListExportsCommand({ MaxResults: 1, TableArn: arn('ledger') }))
  assert.equal(exports.ExportSummaries.length, 1)
  const rest = await db.send(new ListExportsCommand({ NextToken: exports.NextToken }))
  assert.deepEqual(rest.ExportSummaries.map((one) => one.ExportStatus), ['COMPLETED'])
  assert.equal((await db.send(new ListImportsCommand({}))).ImportSummaryList.length, 2)
  await db.send(new DescribeExportCommand({ ExportArn: asked.ExportArn }))
  await db.send(new DescribeImportCommand({ ImportArn: (await ok(server, 'ListImports', {})).ImportSummaryList[0].ImportArn }))
  db.destroy()
  await quiet(server)
})

test('lines that are no items are counted and left out', async (t) => {
  const server = await begun(t)
  const folder = path.join(server.buckets, 'raw-files')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'a.json.gz'), gzipSync(['{"Item":{"id":{"S":"good"}}}', 'not json', '{"Item":{"id":{"N":"5"}}}', '{"Item":{"other":{"S":"x"}}}', '{"Item":{"id":{"S":""}}}'].join('\n')))
  writeFileSync(path.join(folder, 'b.json'), '{"Item":{"id":{"S":"plain"},"v":{"N":"1"}}}\n')
  const done = await imported(server, (await ok(server, 'ImportTable', { S3BucketSource: { S3Bucket: 'raw-files' }, InputFormat: 'DYNAMODB_JSON', TableCreationParameters: creation('from-raw') })).ImportTableDescription.ImportArn)
  assert.equal(done.ImportStatus, 'COMPLETED', JSON.stringify(done))
  assert.equal(done.ErrorCount, 4)
  assert.equal(done.ImportedItemCount, 2)
  assert.deepEqual([...(await contents(server, 'from-raw')).keys()], ['{"id":{"S":"good"}}', '{"id":{"S":"plain"}}'])
})

test('where they may not go', async (t) => {
  const server = await begun(t)
  await source(server, 'tame', 3)
  const outside = temporaryFolder(t)
  mkdirSync(path.join(server.buckets, 'links'), { recursive: true })
  symlinkSync(outside, path.join(server.buckets, 'links', 'away'))
  const ask = (S3Bucket, S3Prefix) => ({ TableArn: arn('tame'), S3Bucket, ...(S3Prefix === undefined ? {} : { S3Prefix }) })
  for (const [bucket, prefix] of [['..'], ['.'], ['../../etc'], ['/etc'], ['ok/../..'], ['bucket', '../..'], ['bucket', 'a/../../b'], ['bucket', '/absolute'], ['bucket', 'a//b'], ['bucket', 'a\\b'], ['bucket', 'a\u0000b'], ['UPPER'], ['-dash'], ['bucket', 'x'.repeat(300)]])
    await fails(server, 'ExportTableToPointInTime', ask(bucket, prefix), 'ValidationException')
  const through = await exported(server, (await ok(server, 'ExportTableToPointInTime', ask('links', 'away'))).ExportDescription.ExportArn)
  assert.equal(through.ExportStatus, 'FAILED')
  assert.deepEqual(readdirSync(outside), [])
  const gone = await imported(server, (await ok(server, 'ImportTable', { S3BucketSource: { S3Bucket: 'nowhere' }, InputFormat: 'DYNAMODB_JSON', TableCreationParameters: creation('never') })).ImportTableDescription.ImportArn)
  assert.equal(gone.ImportStatus, 'FAILED')
  assert.match(gone.FailureMessage, /nowhere/)
  await fails(server, 'DescribeTable', { TableName: 'never' }, 'ResourceNotFoundException')
  await fails(server, 'ImportTable', { S3BucketSource: { S3Bucket: 'links' }, InputFormat: 'DYNAMODB_JSON', TableCreationParameters: creation('tame') }, 'ResourceInUseException')
  await fails(server, 'ImportTable', { S3BucketSource: { S3Bucket: 'links' }, InputFormat: 'CSV', TableCreationParameters: creation('other') }, 'ValidationException')
  await fails(server, 'DescribeExport', { ExportArn: `${arn('tame')}/export/01700000000000-00000000` }, 'ExportNotFoundException')
  await fails(server, 'DescribeImport', { ImportArn: `${arn('tame')}/import/01700000000000-00000000` }, 'ImportNotFoundException')
  await fails(server, 'ExportTableToPointInTime', { TableArn: arn('none'), S3Bucket: 'bucket' }, 'TableNotFoundException')
  await ok(server, 'UpdateContinuousBackups', { TableName: 'tame', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false } })
  await fails(server, 'ExportTableToPointInTime', ask('bucket'), 'PointInTimeRecoveryUnavailableException')
  assert.equal(existsSync(path.join(server.buckets, 'bucket')), false)
})

test('without a folder there are none', async (t) => {
  const server = await start(t)
  await source(server, 'alone', 1)
  await fails(server, 'ExportTableToPointInTime', { TableArn: arn('alone'), S3Bucket: 'bucket' }, 'ValidationException', /'exchange'/)
})
