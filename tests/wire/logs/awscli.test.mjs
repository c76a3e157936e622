// The documents' commands on the command line, `aws logs tail --follow` among them. LG-2.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { quiet, start, until } from '../lib/weir.mjs'

// Debian's, version 2, when another one stands before it: only that has `logs tail`.
const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws'
const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }

async function shell(server, args) {
  const { stdout } = await promisify(execFile)(aws, ['logs', ...args, '--endpoint-url', server.http, '--output', 'json'], { env: environment, timeout: 300000 })
  return stdout ? JSON.parse(stdout) : undefined
}

test('a group on the command line', async (t) => {
  const server = await start(t)
  const group = ['--log-group-name', '/aws/lambda/riddle-rush-ws-message-dev'], stream = ['--log-stream-name', 'local']
  await shell(server, ['create-log-group', ...group])
  await shell(server, ['put-retention-policy', ...group, '--retention-in-days', '7'])
  await shell(server, ['create-log-stream', ...group, ...stream])
  const put = await shell(server, ['put-log-events', ...group, ...stream, '--log-events', `timestamp=${Date.now()},message=hello`, `timestamp=${Date.now()},message="ERROR: it broke"`])
  assert.match(put.nextSequenceToken, /^\d+$/)
  assert.equal((await shell(server, ['describe-log-groups', '--log-group-name-prefix', '/aws/lambda'])).logGroups[0].retentionInDays, 7)
  assert.equal((await shell(server, ['describe-log-streams', ...group, '--order-by', 'LastEventTime', '--descending'])).logStreams[0].logStreamName, 'local')
  assert.deepEqual((await shell(server, ['get-log-events', ...group, ...stream])).events.map((e) => e.message), ['hello', 'ERROR: it broke'])
  assert.deepEqual((await shell(server, ['filter-log-events', ...group, '--filter-pattern', 'ERROR'])).events.map((e) => e.message), ['ERROR: it broke'])
  await shell(server, ['tag-log-group', ...group, '--tags', 'team=games'])
  assert.deepEqual((await shell(server, ['list-tags-log-group', ...group])).tags, { team: 'games' })
  await shell(server, ['put-metric-filter', ...group, '--filter-name', 'errors', '--filter-pattern', 'ERROR', '--metric-transformations', 'metricName=Errors,metricNamespace=App,metricValue=1'])
  assert.equal((await shell(server, ['describe-metric-filters', ...group])).metricFilters[0].filterName, 'errors')
  assert.equal((await shell(server, ['test-metric-filter', '--filter-pattern', 'ERROR', '--log-event-messages', 'an ERROR', 'none'])).matches.length, 1)
  await shell(server, ['delete-log-group', ...group])
  await assert.rejects(shell(server, ['filter-log-events', ...group]), /ResourceNotFoundException.*The specified log group does not exist\./)
  await quiet(server)
})

test('aws logs tail --follow', async (t) => {
  const server = await start(t)
  const group = '/aws/lambda/tail', put = (message) =>
    shell(server, ['put-log-events', '--log-group-name', group, '--log-stream-name', 's', '--log-events', JSON.stringify([{ timestamp: Date.now(), message }])])
  await shell(server, ['create-log-group', '--log-group-name', group])
  await shell(server, ['create-log-stream', '--log-group-name', group, '--log-stream-name', 's'])
  await put('before')
  const child = spawn(aws, ['logs', 'tail', group, '--follow', '--since', '5m', '--format', 'short', '--endpoint-url', server.http], { env: environment })
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (piece) => (out += piece))
  await until('what was there is shown', () => out.includes('before'))
  for (const message of ['first', 'second']) {
    await put(message)
    await until('a new line is shown', () => out.includes(message))
  }
  child.kill('SIGINT')
  assert.deepEqual(out.trim().split('\n').map((line) => line.split(' ').at(-1)), ['before', 'first', 'second'], 'each line once')
})
