// Insights on the wire: the document's three queries over lines as a handler writes them, by SDK and command line; results, statistics, errors with their place, stopping.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { GetQueryResultsCommand, StartQueryCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, start, until } from '../lib/weir.mjs'
import { call, client, fails, INVALID, NOT_FOUND, now, ok, put, stream } from './lib.mjs'

const GROUP = '/aws/lambda/riddle-rush-ws-message-dev'
const seconds = (server) => Math.floor(now(server) / 1000)
const ENDED = ['Complete', 'Failed', 'Cancelled', 'Timeout']

/** A query to its end: {status, rows: [{field: value}], results, statistics}. */
async function run(server, queryString, more = {}) {
  const { queryId } = await ok(server, 'StartQuery', { logGroupName: GROUP, startTime: seconds(server) - 3600, endTime: seconds(server), queryString, ...more })
  const answer = await until('the query ends', async () => {
    const seen = await ok(server, 'GetQueryResults', { queryId })
    return ENDED.includes(seen.status) && seen
  })
  return { ...answer, queryId, rows: answer.results.map((row) => Object.fromEntries(row.map(({ field, value }) => [field, value]))) }
}

const lines = [
  'Performance logged: page-load {"metricName":"page-load","duration":1200,"userId":"user123"}',
  'Performance logged: page-load {"metricName":"page-load","duration":800,"userId":"user124"}',
  'Performance logged: app-init {"metricName":"app-init","duration":2500.5}',
  'Leaderboard updated: classic {"gameMode":"classic","score":5000,"userId":"user123"}',
  'Leaderboard updated: classic {"gameMode":"classic","score":7000,"userId":"user124"}',
  'Leaderboard updated: blitz {"gameMode":"blitz","score":10}',
  'ERROR the table is throttled',
]

async function filled(t) {
  const server = await start(t)
  await stream(server, GROUP, 'local')
  await put(server, GROUP, 'local', lines)
  return server
}

const QUERIES = [
  `fields @timestamp, metricName, duration
| filter @message like /Performance logged/
| stats avg(duration) as avg_duration by metricName
| sort avg_duration desc
| limit 20`,
  `fields @timestamp, gameMode, score
| filter @message like /Leaderboard updated/
| stats count() as games, max(score) as high_score by gameMode`,
  `fields @timestamp, @message
| filter @message like /ERROR/
| stats count() as error_count by bin(5m)`,
]

test("the document's three queries", async (t) => {
  const server = await filled(t)
  const first = await run(server, QUERIES[0])
  assert.equal(first.status, 'Complete')
  assert.deepEqual(first.rows, [{ metricName: 'app-init', avg_duration: '2500.5' }, { metricName: 'page-load', avg_duration: '1000' }])
  assert.equal(first.statistics.recordsScanned, lines.length)
  assert.equal(first.statistics.recordsMatched, 3)
  assert.equal(first.statistics.bytesScanned, lines.join('').length)
  assert.deepEqual((await run(server, QUERIES[1])).rows, [{ gameMode: 'blitz', games: '1', high_score: '10' }, { gameMode: 'classic', games: '2', high_score: '7000' }])
  const third = (await run(server, QUERIES[2])).rows
  assert.equal(third.length, 1)
  assert.equal(third[0].error_count, '1')
  assert.match(third[0]['bin(5m)'], /^\d{4}-\d\d-\d\d \d\d:\d[05]:00\.000$/)
  await quiet(server)
})

test('by the SDK', async (t) => {
  const server = await filled(t)
  const logs = client(server)
  t.after(() => logs.destroy())
  const { queryId } = await logs.send(new StartQueryCommand({ logGroupNames: [GROUP], startTime: seconds(server) - 60, endTime: seconds(server), queryString: 'fields @timestamp, @message | filter @message like /ERROR/' }))
  const answer = await until('the query ends', async () => {
    const seen = await logs.send(new GetQueryResultsCommand({ queryId }))
    return seen.status === 'Complete' && seen
  })
  assert.deepEqual(answer.results[0].map(({ field }) => field), ['@timestamp', '@message', '@ptr'])
  assert.match(answer.results[0][0].value, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
  assert.equal(answer.results[0][1].value, 'ERROR the table is throttled')
  logs.destroy()
  await quiet(server)
})

test('by the command line', async (t) => {
  const server = await filled(t)
  const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws'
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }
  const shell = async (...args) =>
    JSON.parse((await promisify(execFile)(aws, ['logs', ...args, '--endpoint-url', server.http, '--output', 'json'], { env, timeout: 300000 })).stdout)
  const { queryId } = await shell('start-query', '--log-group-name', GROUP, '--start-time', String(seconds(server) - 60), '--end-time', String(seconds(server)), '--query-string', QUERIES[0])
  const answer = await until('the query ends', async () => {
    const seen = await shell('get-query-results', '--query-id', queryId)
    return seen.status === 'Complete' && seen
  })
  assert.deepEqual(answer.results, [[{ field: 'metricName', value: 'app-init' }, { field: 'avg_duration', value: '2500.5' }], [{ field: 'metricName', value: 'page-load' }, { field: 'avg_duration', value: '1000' }]])
  await quiet(server)
})

test('an error says where', async (t) => {
  const server = await filled(t)
  const answer = await call(server, 'StartQuery', { logGroupName: GROUP, startTime: 0, endTime: seconds(server), queryString: 'fields a | nonsense b' })
  assert.equal(answer.status, 400)
  assert.equal(answer.json.__type, 'MalformedQueryException')
  assert.match(answer.json.message, /unexpected symbol found nonsense, .* at line 1 and position 12$/)
  assert.deepEqual(answer.json.queryCompileError, { location: { startCharOffset: 11, endCharOffset: 19 }, message: answer.json.message })
  const asked = { logGroupName: GROUP, startTime: 0, endTime: seconds(server), queryString: 'fields a' }
  await fails(server, 'StartQuery', { ...asked, logGroupName: 'nowhere' }, NOT_FOUND)
  await fails(server, 'StartQuery', { ...asked, endTime: -1 }, INVALID)
  await fails(server, 'StartQuery', { ...asked, startTime: seconds(server) + 10 }, INVALID)
  await fails(server, 'StartQuery', { ...asked, logGroupNames: [GROUP] }, INVALID)
  await fails(server, 'StartQuery', { ...asked, logGroupName: undefined }, INVALID)
  await fails(server, 'StartQuery', { ...asked, limit: 10001 }, INVALID)
  await fails(server, 'GetQueryResults', { queryId: 'no-such-query' }, NOT_FOUND)
  await fails(server, 'StopQuery', { queryId: 'no-such-query' }, NOT_FOUND)
  await quiet(server)
})

test('groups, times, limits and lists', async (t) => {
  const server = await filled(t)
  await stream(server, 'other', 's')
  await put(server, 'other', 's', [['{"x":1}', now(server) - 600000], '{"x":2}'])
  const both = { logGroupName: undefined, logGroupNames: [GROUP, 'other'] }
  assert.equal((await run(server, 'stats count(*) as n', both)).rows[0].n, '9')
  assert.deepEqual((await run(server, 'stats count(*) as n by @log | sort n', both)).rows.map((row) => row['@log']), ['123456789012:other', `123456789012:${GROUP}`])
  const arn = { logGroupName: undefined, logGroupIdentifiers: [`arn:aws:logs:us-east-1:123456789012:log-group:other:*`] }
  assert.deepEqual((await run(server, 'fields x', arn)).rows.map((row) => row.x), ['2', '1'])
  assert.deepEqual((await run(server, "SOURCE 'other' | fields x | sort x", { logGroupName: undefined })).rows.map((row) => row.x), ['1', '2'])
  assert.deepEqual((await run(server, 'fields x', { ...arn, startTime: seconds(server) - 60 })).rows.map((row) => row.x), ['2'])
  assert.equal((await run(server, 'fields x', { ...arn, limit: 1 })).rows.length, 1)
  const last = await run(server, 'fields missing | limit 3')
  assert.equal(last.rows.length, 3)
  const { queries } = await ok(server, 'DescribeQueries', { logGroupName: GROUP, status: 'Complete', maxResults: 2 })
  assert.equal(queries.length, 2)
  assert.equal(queries[0].queryId, last.queryId)
  assert.equal(queries[0].queryString, 'fields missing | limit 3')
  const page = await ok(server, 'DescribeQueries', { maxResults: 1 })
  assert.equal((await ok(server, 'DescribeQueries', { maxResults: 1, nextToken: page.nextToken })).queries.length, 1)
  await fails(server, 'StopQuery', { queryId: last.queryId }, INVALID)
  await quiet(server)
})

test('one record, and the fields of a group', async (t) => {
  const server = await filled(t)
  const { rows } = await run(server, "fields @message | filter metricName = 'app-init'")
  const { logRecord } = await ok(server, 'GetLogRecord', { logRecordPointer: rows[0]['@ptr'] })
  assert.equal(logRecord['@message'], lines[2])
  assert.equal(logRecord.metricName, 'app-init')
  assert.equal(logRecord.duration, '2500.5')
  assert.equal(logRecord['@logStream'], 'local')
  await fails(server, 'GetLogRecord', { logRecordPointer: 'garbage' }, INVALID)
  await fails(server, 'GetLogRecord', { logRecordPointer: rows[0]['@ptr'].replace(/\d{4}$/, '9999') }, NOT_FOUND)
  const { logGroupFields } = await ok(server, 'GetLogGroupFields', { logGroupName: GROUP })
  const percent = Object.fromEntries(logGroupFields.map(({ name, percent: part }) => [name, part]))
  assert.equal(percent['@message'], 100)
  assert.equal(percent.gameMode, Math.floor(300 / 7))
  assert.equal(percent.userId, Math.floor(400 / 7))
  await quiet(server)
})

test('many events in several chunks, and a stop', async (t) => {
  const server = await start(t)
  await stream(server, GROUP, 'a')
  const begin = now(server) - 1800000
  for (let batch = 0; batch < 5; batch++)
    await put(server, GROUP, 'a', Array.from({ length: 4000 }, (_, i) => [`request {"n":${batch * 4000 + i},"mode":"m${i % 3}"}`, begin + (batch * 4000 + i) * 80]))
  const { rows, statistics } = await run(server, 'stats count(*) as c, sum(n) as s, count_distinct(n) as d by mode | sort mode')
  assert.deepEqual(rows.map((row) => Number(row.c)), [6670, 6665, 6665])
  assert.equal(rows.reduce((sum, row) => sum + Number(row.s), 0), (19999 * 20000) / 2)
  assert.equal(statistics.recordsScanned, 20000)
  assert.deepEqual((await run(server, 'fields n | sort n desc | limit 3')).rows.map((row) => row.n), ['19999', '19998', '19997'])
  // Whatever the moment of the stop, the query ends, and once.
  const { queryId } = await ok(server, 'StartQuery', { logGroupName: GROUP, startTime: 0, endTime: seconds(server), queryString: 'filter @message like /^(\\w+\\s?)+[^a-z]*$/ | stats count(*)' })
  const stopped = await call(server, 'StopQuery', { queryId })
  assert.ok(stopped.status === 200 ? stopped.json.success : stopped.json.__type === INVALID, stopped.body)
  const { status } = await until('it ends', async () => {
    const seen = await ok(server, 'GetQueryResults', { queryId })
    return ENDED.includes(seen.status) && seen
  })
  assert.equal(status, stopped.status === 200 ? 'Cancelled' : 'Complete')
  await quiet(server)
})
