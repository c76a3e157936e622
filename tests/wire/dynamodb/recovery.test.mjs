// Point-in-time recovery: every second of a table's past can be restored, within its window; the clock is the test's.
// TB-1, TB-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { DescribeContinuousBackupsCommand, RestoreTableToPointInTimeCommand, UpdateContinuousBackupsCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, fails, ok, rich, table } from './lib.mjs'
import { contents, fill, restored } from './backup-lib.mjs'

const DAY = 86400000

const turn = (server, TableName, on = true, days) =>
  ok(server, 'UpdateContinuousBackups', { TableName, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: on, ...(days ? { RecoveryPeriodInDays: days } : {}) } })
const state = async (server, TableName) => (await ok(server, 'DescribeContinuousBackups', { TableName })).ContinuousBackupsDescription.PointInTimeRecoveryDescription

/** Random numbers that are the same in each run. */
function random(seed) {
  let x = seed
  return (below) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    return Math.floor((x / 2 ** 32) * below)
  }
}

for (const env of [{}, { WEIR_ENCRYPTION_KEY: 'ab'.repeat(32) }]) test(`any second of the past${env.WEIR_ENCRYPTION_KEY ? ', encrypted' : ''}`, { timeout: 600000 }, async (t) => {
  const server = await start(t, { env })
  const pick = random(4711)
  await rich(server, 'river')
  const put = (n, note) => ({ p: { S: `p${n % 5}` }, r: { N: String(n) }, color: { S: ['red', 'blue'][n % 2] }, mass: { N: String(note % 40) }, note: { S: `note ${note}` } })
  await fill(server, 'river', Array.from({ length: 60 }, (_, n) => put(n, 0)))
  await turn(server, 'river')
  const moments = []
  for (let second = 1; second <= 30; second++) {
    await advance(server, 1000)
    for (let i = 0; i < 6; i++) {
      const n = pick(90)
      const key = { p: { S: `p${n % 5}` }, r: { N: String(n) } }
      if (pick(3)) await ok(server, 'PutItem', { TableName: 'river', Item: put(n, second * 10 + i) })
      else await ok(server, 'DeleteItem', { TableName: 'river', Key: key })
    }
    if (second % 6 === 0) moments.push({ at: await server.now(), items: await contents(server, 'river') })
    if (second === 15) {
      await server.stop() // the past goes through a restart; the clock of the test does not, so time stands still until it is caught up
      const skew = server.skew
      await server.restart()
      server.skew = 0
      await advance(server, skew)
    }
  }
  for (const [i, { at, items }] of moments.entries()) {
    await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'river', TargetTableName: `river-${i}`, RestoreDateTime: at / 1000 })
    const description = await restored(server, `river-${i}`)
    assert.equal(description.RestoreSummary.RestoreDateTime, at / 1000)
    assert.match(description.RestoreSummary.SourceTableArn, /table\/river$/)
    assert.deepEqual(await contents(server, `river-${i}`), items, `moment ${i}`)
    let indexed = 0
    for (const color of ['red', 'blue'])
      indexed += (await ok(server, 'Query', { TableName: `river-${i}`, IndexName: 'byColor', KeyConditionExpression: 'color = :c', ExpressionAttributeValues: { ':c': { S: color } } })).Count
    assert.equal(indexed, items.size)
  }
  await quiet(server)
})

test('the newest time, and the SDK', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'now')
  await db.send(new UpdateContinuousBackupsCommand({ TableName: 'now', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 7 } }))
  await fill(server, 'now', [{ id: { S: 'a' } }, { id: { S: 'b' } }])
  const { ContinuousBackupsDescription: said } = await db.send(new DescribeContinuousBackupsCommand({ TableName: 'now' }))
  assert.equal(said.ContinuousBackupsStatus, 'ENABLED')
  assert.equal(said.PointInTimeRecoveryDescription.RecoveryPeriodInDays, 7)
  assert.ok(said.PointInTimeRecoveryDescription.LatestRestorableDateTime >= said.PointInTimeRecoveryDescription.EarliestRestorableDateTime)
  await db.send(new RestoreTableToPointInTimeCommand({ SourceTableName: 'now', TargetTableName: 'now-too', UseLatestRestorableTime: true }))
  await waitUntilTableExists({ client: db, maxWaitTime: 30, minDelay: 1 }, { TableName: 'now-too' })
  assert.deepEqual([...(await contents(server, 'now-too')).keys()], ['{"id":{"S":"a"}}', '{"id":{"S":"b"}}'])
  // The last state before everything was thrown away, by the ARN.
  const { LatestRestorableDateTime } = (await state(server, 'now'))
  await advance(server, 10)
  for (const id of ['a', 'b']) await ok(server, 'DeleteItem', { TableName: 'now', Key: { id: { S: id } } })
  await ok(server, 'RestoreTableToPointInTime', { SourceTableArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/now', TargetTableName: 'now-before', RestoreDateTime: LatestRestorableDateTime })
  await restored(server, 'now-before')
  assert.equal((await contents(server, 'now-before')).size, 2)
  db.destroy()
})

test('items that expired meanwhile come back, those that had expired by then do not', async (t) => {
  const server = await start(t)
  await table(server, 'fruit')
  await ok(server, 'UpdateTimeToLive', { TableName: 'fruit', TimeToLiveSpecification: { AttributeName: 'due', Enabled: true } })
  await turn(server, 'fruit')
  const now = Math.floor((await server.now()) / 1000)
  await fill(server, 'fruit', [10, 60, 1000].map((after) => ({ id: { S: `in ${after}` }, due: { N: String(now + after) } })))
  await advance(server, 30000)
  const then = await server.now()
  await advance(server, 60000)
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'fruit', TargetTableName: 'fruit-then', RestoreDateTime: then / 1000 })
  await restored(server, 'fruit-then')
  assert.deepEqual([...(await contents(server, 'fruit-then')).keys()], ['{"id":{"S":"in 1000"}}', '{"id":{"S":"in 60"}}'])
})

test('what a time to live that was turned on by mistake has deleted comes back', async (t) => {
  const server = await start(t)
  await table(server, 'mistake')
  await turn(server, 'mistake')
  const now = Math.floor((await server.now()) / 1000)
  await fill(server, 'mistake', [{ id: { S: 'born' }, born: { N: String(now - 1000) } }, { id: { S: 'not yet' }, born: { N: String(now + 30) } }, { id: { S: 'plain' } }])
  await advance(server, 1000)
  const then = await server.now()
  await advance(server, 1000)
  await ok(server, 'UpdateTimeToLive', { TableName: 'mistake', TimeToLiveSpecification: { AttributeName: 'born', Enabled: true } })
  await advance(server, 3700000)
  const left = ['{"id":{"S":"plain"}}']
  await until('the expired items are deleted', async () => (await ok(server, 'DescribeTable', { TableName: 'mistake' })).Table.ItemCount === 1)
  assert.deepEqual([...(await contents(server, 'mistake')).keys()], left)
  await server.kill9()
  await server.restart()
  server.skew = 0
  await advance(server, 3800000) // the new process begins with the real time
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'mistake', TargetTableName: 'mended', RestoreDateTime: then / 1000 })
  await restored(server, 'mended')
  assert.deepEqual([...(await contents(server, 'mended')).keys()], ['{"id":{"S":"born"}}', '{"id":{"S":"not yet"}}', ...left])
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'mistake', TargetTableName: 'as-it-is', UseLatestRestorableTime: true })
  await restored(server, 'as-it-is')
  assert.deepEqual([...(await contents(server, 'as-it-is')).keys()], left)
})

test('the window', async (t) => {
  const server = await start(t)
  await table(server, 'pane')
  assert.equal((await state(server, 'pane')).PointInTimeRecoveryStatus, 'DISABLED')
  await fails(server, 'RestoreTableToPointInTime', { SourceTableName: 'pane', TargetTableName: 'other', UseLatestRestorableTime: true }, 'PointInTimeRecoveryUnavailableException')
  await turn(server, 'pane', true, 2)
  const since = await server.now()
  const first = await state(server, 'pane')
  assert.equal(first.RecoveryPeriodInDays, 2)
  assert.ok(Math.abs(first.EarliestRestorableDateTime * 1000 - since) < 5000)
  const bad = (RestoreDateTime) => fails(server, 'RestoreTableToPointInTime', { SourceTableName: 'pane', TargetTableName: 'other', RestoreDateTime }, 'InvalidRestoreTimeException')
  await bad(since / 1000 - 3600)
  await bad(since / 1000 + 3600)
  await fill(server, 'pane', [{ id: { S: 'kept' } }])
  await advance(server, 3 * DAY)
  await fill(server, 'pane', [{ id: { S: 'later' } }])
  const later = await state(server, 'pane')
  assert.ok(Math.abs(later.EarliestRestorableDateTime - later.LatestRestorableDateTime + 2 * 86400) < 10, JSON.stringify(later))
  await bad(since / 1000 + 60)
  // A wider period opens what the journal still holds: nothing is forgotten before its segment is.
  await turn(server, 'pane', true, 35)
  const wider = await state(server, 'pane')
  assert.equal(wider.RecoveryPeriodInDays, 35)
  assert.ok(wider.EarliestRestorableDateTime < later.EarliestRestorableDateTime)
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'pane', TargetTableName: 'pane-old', RestoreDateTime: wider.LatestRestorableDateTime - 60 })
  await restored(server, 'pane-old')
  assert.deepEqual([...(await contents(server, 'pane-old')).keys()], ['{"id":{"S":"kept"}}'])
  // Off and on again: the window begins anew.
  await turn(server, 'pane', false)
  assert.equal((await state(server, 'pane')).PointInTimeRecoveryStatus, 'DISABLED')
  await advance(server, 60000)
  await turn(server, 'pane')
  await bad((await server.now()) / 1000 - 30)
  await quiet(server)
})

test('a stream beside it: turning one off leaves the other', async (t) => {
  const server = await start(t)
  await table(server, 'both', { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' } })
  await turn(server, 'both')
  await fill(server, 'both', [{ id: { S: 'a' }, n: { N: '1' } }])
  const then = await server.now()
  await advance(server, 1000)
  await ok(server, 'UpdateTable', { TableName: 'both', StreamSpecification: { StreamEnabled: false } })
  await fill(server, 'both', [{ id: { S: 'a' }, n: { N: '2' } }])
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'both', TargetTableName: 'both-then', RestoreDateTime: then / 1000 })
  await restored(server, 'both-then')
  assert.deepEqual([...(await contents(server, 'both-then')).values()], [{ id: { S: 'a' }, n: { N: '1' } }])
})

test('a declared table, through a restart', async (t) => {
  const server = await start(t, { args: ['--env', 'prod'] })
  const name = 'riddle-rush-users-prod'
  await turn(server, name)
  await fill(server, name, [{ userId: { S: 'u1' }, score: { N: '1' } }])
  const then = await server.now()
  await server.stop()
  await server.restart()
  server.skew = 0
  await advance(server, 5000)
  assert.equal((await state(server, name)).PointInTimeRecoveryStatus, 'ENABLED')
  await fill(server, name, [{ userId: { S: 'u1' }, score: { N: '2' } }, { userId: { S: 'u2' } }])
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: name, TargetTableName: 'users-then', RestoreDateTime: then / 1000 })
  await restored(server, 'users-then')
  assert.deepEqual([...(await contents(server, 'users-then')).values()], [{ score: { N: '1' }, userId: { S: 'u1' } }])
})

test('parameters', async (t) => {
  const server = await start(t)
  await table(server, 'query')
  await turn(server, 'query')
  const restore = (more) => ['RestoreTableToPointInTime', { SourceTableName: 'query', TargetTableName: 'target', ...more }]
  await fails(server, ...restore({}), 'ValidationException', /UseLatestRestorableTime or RestoreDateTime must be specified/)
  await fails(server, ...restore({ UseLatestRestorableTime: true, RestoreDateTime: 1 }), 'ValidationException')
  await fails(server, ...restore({ UseLatestRestorableTime: true, SourceTableName: undefined }), 'ValidationException')
  await fails(server, ...restore({ UseLatestRestorableTime: true, SourceTableName: 'none' }), 'TableNotFoundException')
  await fails(server, ...restore({ UseLatestRestorableTime: true, TargetTableName: 'query' }), 'TableAlreadyExistsException')
  await fails(server, ...restore({ RestoreDateTime: 'yesterday' }), 'SerializationException')
  await fails(server, 'UpdateContinuousBackups', { TableName: 'query', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 36 } }, 'ValidationException')
  await fails(server, 'UpdateContinuousBackups', { TableName: 'none', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }, 'TableNotFoundException', 'Table not found: none')
})
