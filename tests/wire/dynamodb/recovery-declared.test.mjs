// A table whose declaration asks for recovery has it from the first start on, and keeps its beginning over restarts; without the declaration it stays on.
// TB-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from '../lib/weir.mjs'
import { advance, ok } from './lib.mjs'
import { contents, fill, restored } from './backup-lib.mjs'

const config = (recovery) => `
apis:
  ledger:
    auth: none
    routes: {}
    tables:
      'entries-{env}': {hash: id S, ttl: due${recovery}}
`

test('declared recovery', async (t) => {
  const server = await start(t, { config: config(', recovery: 5') })
  const state = async () => (await ok(server, 'DescribeContinuousBackups', { TableName: 'entries-dev' })).ContinuousBackupsDescription.PointInTimeRecoveryDescription
  const first = await state()
  assert.equal(first.PointInTimeRecoveryStatus, 'ENABLED')
  assert.equal(first.RecoveryPeriodInDays, 5)
  await fill(server, 'entries-dev', [{ id: { S: 'a' } }])
  const then = await server.now()
  await server.stop()
  await server.restart({ config: config(', recovery: 9') })
  await advance(server, 3000)
  const second = await state()
  assert.equal(second.RecoveryPeriodInDays, 9)
  assert.equal(second.EarliestRestorableDateTime, first.EarliestRestorableDateTime)
  await server.stop()
  await server.restart({ config: config('') })
  server.skew = 0
  await advance(server, 10000)
  assert.equal((await state()).RecoveryPeriodInDays, 9)
  await ok(server, 'DeleteItem', { TableName: 'entries-dev', Key: { id: { S: 'a' } } })
  await ok(server, 'RestoreTableToPointInTime', { SourceTableName: 'entries-dev', TargetTableName: 'entries-then', RestoreDateTime: then / 1000 })
  await restored(server, 'entries-then')
  assert.equal((await contents(server, 'entries-then')).size, 1)
  await quiet(server)
})
