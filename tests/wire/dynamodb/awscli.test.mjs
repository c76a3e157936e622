// The AWS CLI, with the commands of the seed documents as they stand there and an --endpoint-url.
// TB-3, TB-6, TB-10, TB-13, TB-16, TB-17, OP-7, OP-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { quiet, start, until } from '../lib/weir.mjs'

const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }

/** Runs a command line of a document: `aws dynamodb ...` with the endpoint behind it. */
async function shell(server, command) {
  const { stdout } = await promisify(execFile)('bash', ['-c', `${command} --endpoint-url ${server.http} --output json`], { env: environment, timeout: 300000 })
  return stdout ? JSON.parse(stdout) : undefined
}

test('the documents\' commands', async (t) => {
  const server = await start(t, { args: ['--env', 'prod'] })
  const scan = await shell(server, 'aws dynamodb scan --table-name riddle-rush-performance-prod --limit 10')
  assert.equal(scan.Count, 0)
  const put = await shell(server, `aws dynamodb put-item \\
  --table-name iops-dashboard-metrics \\
  --item '{
    "entity_id": {"S": "test-stream-001"},
    "entity_type": {"S": "stream"},
    "metric_value": {"N": "1234"},
    "timestamp": {"S": "2024-11-04T12:34:56Z"}
  }'`)
  assert.equal(put, undefined)
  const { Items } = await shell(server, 'aws dynamodb scan --table-name iops-dashboard-metrics')
  assert.deepEqual(Items, [{ entity_id: { S: 'test-stream-001' }, entity_type: { S: 'stream' }, metric_value: { N: '1234' }, timestamp: { S: '2024-11-04T12:34:56Z' } }])
  const { BackupDetails } = await shell(server, 'aws dynamodb create-backup --table-name riddle-rush-users-prod --backup-name users-backup-$(date +%Y%m%d)')
  assert.match(BackupDetails.BackupName, /^users-backup-\d{8}$/)
  await until('the backup is there', async () => (await shell(server, `aws dynamodb describe-backup --backup-arn ${BackupDetails.BackupArn}`)).BackupDescription.BackupDetails.BackupStatus === 'AVAILABLE')
  assert.equal((await shell(server, 'aws dynamodb list-backups --table-name riddle-rush-users-prod')).BackupSummaries.length, 1)
  await shell(server, `aws dynamodb restore-table-from-backup --target-table-name users-restored --backup-arn ${BackupDetails.BackupArn}`)
  await until('the table is there', async () => (await shell(server, 'aws dynamodb describe-table --table-name users-restored')).Table.TableStatus === 'ACTIVE')
  await shell(server, 'aws dynamodb update-continuous-backups --table-name riddle-rush-users-prod --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true')
  const past = await shell(server, 'aws dynamodb describe-continuous-backups --table-name riddle-rush-users-prod')
  assert.equal(past.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus, 'ENABLED')
  await shell(server, 'aws dynamodb restore-table-to-point-in-time --source-table-name riddle-rush-users-prod --target-table-name users-then --use-latest-restorable-time')
  await shell(server, `aws dynamodb delete-backup --backup-arn ${BackupDetails.BackupArn}`)
  await quiet(server)
})

test('a table\'s life', async (t) => {
  const server = await start(t)
  await shell(server, `aws dynamodb create-table --table-name songs --attribute-definitions AttributeName=artist,AttributeType=S AttributeName=title,AttributeType=S \\
    --key-schema AttributeName=artist,KeyType=HASH AttributeName=title,KeyType=RANGE --billing-mode PAY_PER_REQUEST`)
  await shell(server, 'aws dynamodb wait table-exists --table-name songs')
  for (const n of [1, 2, 3, 4, 5]) await shell(server, `aws dynamodb put-item --table-name songs --item '{"artist":{"S":"a"},"title":{"S":"t${n}"},"plays":{"N":"${n}"}}'`)
  const page = await shell(server, `aws dynamodb query --table-name songs --key-condition-expression 'artist = :a' --expression-attribute-values '{":a":{"S":"a"}}' --max-items 2`)
  assert.equal(page.Items.length, 2)
  assert.ok(page.NextToken)
  const rest = await shell(server, `aws dynamodb query --table-name songs --key-condition-expression 'artist = :a' --expression-attribute-values '{":a":{"S":"a"}}' --page-size 2 --starting-token ${page.NextToken}`)
  assert.deepEqual(rest.Items.map((item) => item.title.S), ['t3', 't4', 't5'])
  const updated = await shell(server, `aws dynamodb update-item --table-name songs --key '{"artist":{"S":"a"},"title":{"S":"t1"}}' --update-expression 'ADD plays :n' --expression-attribute-values '{":n":{"N":"10"}}' --return-values UPDATED_NEW`)
  assert.deepEqual(updated, { Attributes: { plays: { N: '11' } } })
  await assert.rejects(shell(server, `aws dynamodb put-item --table-name songs --item '{"artist":{"S":"a"},"title":{"S":"t1"}}' --condition-expression 'attribute_not_exists(artist)'`), /ConditionalCheckFailedException/)
  await shell(server, 'aws dynamodb update-time-to-live --table-name songs --time-to-live-specification Enabled=true,AttributeName=due')
  assert.equal((await shell(server, 'aws dynamodb describe-time-to-live --table-name songs')).TimeToLiveDescription.TimeToLiveStatus, 'ENABLED')
  assert.equal((await shell(server, 'aws dynamodb describe-table --table-name songs')).Table.ItemCount, 5)
  await shell(server, 'aws dynamodb delete-table --table-name songs')
  await shell(server, 'aws dynamodb wait table-not-exists --table-name songs')
})
