// Export tasks: a group's events as the files that CloudWatch Logs leaves in a bucket, below the server's folder for exports.
import test from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { CreateExportTaskCommand, DescribeExportTasksCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, start, temporaryFolder, until } from '../lib/weir.mjs'
import { client, fails, INVALID, NOT_FOUND, now, ok, put, stream } from './lib.mjs'

const lines = (...parts) => gunzipSync(readFileSync(path.join(...parts))).toString().split('\n').slice(0, -1)

async function ended(server, taskId) {
  return until('the end of the export', async () => {
    const { exportTasks: [task] } = await ok(server, 'DescribeExportTasks', { taskId })
    return !['RUNNING', 'PENDING'].includes(task.status.code) && task
  })
}

test('events to files', async (t) => {
  const folder = temporaryFolder(t)
  const server = await start(t, { config: `exchange: ${folder}\n` })
  const logs = client(server)
  const at = now(server) + 1000
  await stream(server, '/app', '2026/11/21/[$LATEST]a')
  for (const logStreamName of ['2026-11-21-[$LATEST]a', '..', 'other', 'late']) await ok(server, 'CreateLogStream', { logGroupName: '/app', logStreamName })
  const many = Array.from({ length: 9000 }, (_, i) => [`${i} ${'x'.repeat(60)}`, at])
  await put(server, '/app', '2026/11/21/[$LATEST]a', many)
  await put(server, '/app', '2026/11/21/[$LATEST]a', [...many].map(([m], i) => [`second ${m}`, at + (i > 4000)]))
  await put(server, '/app', '2026-11-21-[$LATEST]a', [['the same folder', at]])
  await put(server, '/app', '..', [['dots', at]])
  await put(server, '/app', 'other', [['before', at - 1000], ['in', at], ['after', at + 1001]])
  await put(server, '/app', 'late', [['after', at + 1001]])
  const { taskId } = await logs.send(new CreateExportTaskCommand({ taskName: 'mine', logGroupName: '/app', from: at, to: at + 1000, destination: 'my-bucket', destinationPrefix: 'logs/app/' }))
  const task = await ended(server, taskId)
  assert.deepEqual({ ...task, executionInfo: 0 }, { taskId, taskName: 'mine', logGroupName: '/app', from: at, to: at + 1000, destination: 'my-bucket', destinationPrefix: 'logs/app/',
    status: { code: 'COMPLETED', message: 'Completed successfully' }, executionInfo: 0 })
  assert.ok(task.executionInfo.completionTime >= task.executionInfo.creationTime)
  const root = path.join(folder, 'my-bucket', 'logs', 'app', taskId)
  assert.deepEqual(readdirSync(root).sort(), ['-.', '2026-11-21-[$LATEST]a', 'aws-logs-write-test', 'other'])
  assert.equal(readFileSync(path.join(root, 'aws-logs-write-test'), 'utf8'), 'Permission Check Successful')
  assert.deepEqual(lines(root, 'other', '000000.gz'), [`${new Date(at).toISOString()} in`])
  assert.deepEqual(lines(root, '2026-11-21-[$LATEST]a', '000000.gz'), [`${new Date(at).toISOString()} the same folder`])
  const all = lines(root, '2026-11-21-[$LATEST]a', '000001.gz')
  assert.equal(all.length, 18000)
  assert.equal(all[8999], `${new Date(at).toISOString()} ${many[8999][0]}`)
  assert.equal(all[17999], `${new Date(at + 1).toISOString()} second ${many[8999][0]}`)
  assert.deepEqual(lines(root, '-.', '000000.gz'), [`${new Date(at).toISOString()} dots`])
  const one = await ok(server, 'CreateExportTask', { logGroupName: '/app', from: 0, to: at + 5000, destination: 'my-bucket', logStreamNamePrefix: 'oth' })
  await ended(server, one.taskId)
  assert.equal(lines(folder, 'my-bucket', 'exportedlogs', one.taskId, 'other', '000000.gz').length, 3)
  assert.deepEqual((await logs.send(new DescribeExportTasksCommand({}))).exportTasks.map((x) => x.taskId), [taskId, one.taskId])
  const page = await ok(server, 'DescribeExportTasks', { limit: 1, statusCode: 'COMPLETED' })
  assert.deepEqual((await ok(server, 'DescribeExportTasks', { limit: 1, nextToken: page.nextToken })).exportTasks.map((x) => x.taskId), [one.taskId])
  await fails(server, 'CancelExportTask', { taskId }, 'InvalidOperationException', /already finished/)
  logs.destroy()
  await quiet(server)
})

test('what is refused; what is cancelled', async (t) => {
  const folder = temporaryFolder(t)
  const server = await start(t, { config: `exchange: ${folder}\n` })
  await stream(server, 'g', 's')
  await put(server, 'g', 's', ['x'])
  const input = { logGroupName: 'g', from: 0, to: now(server) + 1, destination: 'bucket' }
  await fails(server, 'CreateExportTask', { ...input, logGroupName: 'none' }, NOT_FOUND, 'The specified log group does not exist.')
  await fails(server, 'CreateExportTask', { ...input, to: -1 }, INVALID)
  await fails(server, 'CreateExportTask', { ...input, from: 5, to: 4 }, INVALID)
  for (const bad of [{ destination: '..' }, { destination: 'UPPER' }, { destinationPrefix: '../x' }, { destinationPrefix: 'a//b' }]) await fails(server, 'CreateExportTask', { ...input, ...bad }, INVALID)
  await fails(server, 'CancelExportTask', { taskId: 'none' }, NOT_FOUND, 'The specified export task does not exist.')
  assert.deepEqual((await ok(server, 'DescribeExportTasks', { taskId: 'none' })).exportTasks, [])
  // It ends one way or the other, and stays as it ended over a crash.
  const { taskId } = await ok(server, 'CreateExportTask', input)
  const cancel = await (await import('./lib.mjs')).call(server, 'CancelExportTask', { taskId })
  const { status } = await ended(server, taskId)
  assert.equal(status.code, cancel.status === 200 ? 'CANCELLED' : 'COMPLETED')
  await server.kill9()
  await server.restart()
  assert.equal((await ended(server, taskId)).status.code, status.code)
  await quiet(server)
  const bare = await start(t)
  await stream(bare, 'g', 's')
  await fails(bare, 'CreateExportTask', input, INVALID, /'exchange'/)
  await quiet(bare)
})
