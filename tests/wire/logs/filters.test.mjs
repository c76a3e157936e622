// Filter patterns through FilterLogEvents, and metric filters: kept, listed, tested, and what they make of new events.
import test from 'node:test'
import assert from 'node:assert/strict'
import { DescribeMetricFiltersCommand, PutMetricFilterCommand, TestMetricFilterCommand } from '@aws-sdk/client-cloudwatch-logs'
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch'
import { quiet, start } from '../lib/weir.mjs'
import { credentials } from '../dynamodb/lib.mjs'
import { client, fails, INVALID, messages, now, ok, put, stream } from './lib.mjs'

const lines = ['[ERROR] A fatal exception', 'ERROR WARN message', 'INFO 200 ok', '{"level":"ERROR","duration":312.5,"metricName":"GameScore","ok":false}', '{"level":"INFO","duration":12,"tags":["a","b"]}',
  '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534']

test('patterns', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  await put(server, 'g', 's', lines)
  const found = async (filterPattern) => (await messages(server, 'g', { filterPattern })).map((m) => lines.indexOf(m))
  assert.deepEqual(await found(''), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(await found('ERROR'), [0, 1, 3])
  assert.deepEqual(await found('ERROR -WARN'), [0, 1, 3].filter((i) => i !== 1))
  assert.deepEqual(await found('?WARN ?INFO'), [1, 2, 4])
  assert.deepEqual(await found('"A fatal"'), [0])
  assert.deepEqual(await found('%\\d{3} ok|frank%'.replace(' ', '\\s')), [2, 5])
  assert.deepEqual(await found('{ $.duration > 300 && $.level = "ERR*" }'), [3])
  assert.deepEqual(await found('{ $.tags[1] = b || $.ok IS FALSE }'), [3, 4])
  assert.deepEqual(await found('{ $.metricName NOT EXISTS }'), [4])
  assert.deepEqual(await found('[ip, id, user, time, request, status = 4*, bytes > 1000]'), [5])
  assert.deepEqual(await found('[..., status = 404, bytes]'), [5])
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', filterPattern: 'foo-bar' }, INVALID, "Invalid character(s) in term 'foo-bar'")
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', filterPattern: '{ $.a = ' }, INVALID, /^Invalid filter pattern/)
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', filterPattern: 'a'.repeat(1025) }, INVALID, /'filterPattern' failed to satisfy constraint/)
  await quiet(server)
})

test('metric filters', async (t) => {
  const server = await start(t)
  const logs = client(server)
  await stream(server, 'g', 's')
  const to = { metricName: 'Duration', metricNamespace: 'App', metricValue: '$.duration', dimensions: { Level: '$.level' }, unit: 'Milliseconds' }
  await logs.send(new PutMetricFilterCommand({ logGroupName: 'g', filterName: 'duration', filterPattern: '{ $.duration > 0 }', metricTransformations: [to] }))
  await ok(server, 'PutMetricFilter', { logGroupName: 'g', filterName: 'errors', filterPattern: 'ERROR', metricTransformations: [{ metricName: 'Errors', metricNamespace: 'App', metricValue: '1', defaultValue: 0 }] })
  const { metricFilters } = await logs.send(new DescribeMetricFiltersCommand({ logGroupName: 'g' }))
  assert.deepEqual(metricFilters.map((f) => f.filterName), ['duration', 'errors'])
  assert.deepEqual(metricFilters[0].metricTransformations, [to])
  assert.equal(metricFilters[0].logGroupName, 'g')
  assert.ok(metricFilters[0].creationTime > 0)
  assert.deepEqual((await ok(server, 'DescribeMetricFilters', { metricName: 'Errors', metricNamespace: 'App' })).metricFilters.map((f) => f.filterName), ['errors'])
  const first = await ok(server, 'DescribeMetricFilters', { limit: 1 })
  assert.deepEqual((await ok(server, 'DescribeMetricFilters', { limit: 1, nextToken: first.nextToken })).metricFilters.map((f) => f.filterName), ['errors'])
  assert.equal((await ok(server, 'DescribeLogGroups', {})).logGroups.find((g) => g.logGroupName === 'g').metricFilterCount, 2)

  const at = Math.floor(now(server) / 60000) * 60000
  await put(server, 'g', 's', lines.map((line) => [line, at]))
  await put(server, 'g', 's', [['nothing', at]])
  const metrics = new CloudWatchClient({ endpoint: server.http, region: 'us-east-1', credentials })
  const sum = async (MetricName, Dimensions) => (await metrics.send(new GetMetricStatisticsCommand({ Namespace: 'App', MetricName, Dimensions, StartTime: new Date(at), EndTime: new Date(at + 60000),
    Period: 60, Statistics: ['Sum', 'SampleCount'] }))).Datapoints[0]
  const errors = await sum('Errors')
  assert.equal(errors.Sum, 3)
  assert.equal(errors.SampleCount, 4) // the default value of the put without a match
  const duration = await sum('Duration', [{ Name: 'Level', Value: 'ERROR' }])
  assert.equal(duration.Sum, 312.5)
  assert.equal(duration.Unit, 'Milliseconds')
  assert.equal((await sum('Duration', [{ Name: 'Level', Value: 'INFO' }])).Sum, 12)
  metrics.destroy()

  await ok(server, 'DeleteMetricFilter', { logGroupName: 'g', filterName: 'errors' })
  await fails(server, 'DeleteMetricFilter', { logGroupName: 'g', filterName: 'errors' }, 'ResourceNotFoundException', 'The specified metric filter does not exist.')
  const bad = (filterPattern, more) => ({ logGroupName: 'g', filterName: 'x', filterPattern, metricTransformations: [{ ...to, ...more }] })
  await fails(server, 'PutMetricFilter', bad('{', {}), INVALID, /^Invalid filter pattern/)
  await fails(server, 'PutMetricFilter', bad('', { metricValue: 'x' }), INVALID, /metricValue/)
  await fails(server, 'PutMetricFilter', bad('', { defaultValue: 1 }), INVALID, /mutually exclusive/)
  await fails(server, 'PutMetricFilter', bad('', { dimensions: { a: '$.a', b: '$.b', c: '$.c', d: '$.d' } }), INVALID, /at most 3 dimensions/)
  await fails(server, 'PutMetricFilter', bad('', { unit: 'Parsec' }), INVALID, /enum value set/)
  for (let i = 0; i < 99; i++) await ok(server, 'PutMetricFilter', { ...bad('', {}), filterName: `f${i}` })
  await fails(server, 'PutMetricFilter', bad('', {}), 'LimitExceededException', 'Resource limit exceeded.')
  logs.destroy()
  await quiet(server)
})

test('TestMetricFilter', async (t) => {
  const server = await start(t)
  const logs = client(server)
  const { matches } = await logs.send(new TestMetricFilterCommand({ filterPattern: '[..., request=*.html*, status_code=4*,]', logEventMessages: lines }))
  assert.deepEqual(matches.map(({ eventNumber, eventMessage, extractedValues }) => ({ eventNumber, eventMessage, extractedValues })), [{
    eventNumber: 6, eventMessage: lines[5],
    extractedValues: { $1: '127.0.0.1', $2: '-', $3: 'frank', $4: '10/Oct/2000:13:25:15 -0700', $request: 'GET /index.html HTTP/1.0', $status_code: '404', $7: '1534' },
  }])
  const json = await ok(server, 'TestMetricFilter', { filterPattern: '{ $.duration > 1 }', logEventMessages: lines })
  assert.deepEqual(json.matches.map((m) => [m.eventNumber, m.extractedValues]), [[4, { '$.duration': '312.5' }], [5, { '$.duration': '12' }]])
  assert.deepEqual((await ok(server, 'TestMetricFilter', { filterPattern: 'ERROR -WARN', logEventMessages: lines })).matches.map((m) => [m.eventNumber, m.extractedValues]), [[1, {}], [4, {}]])
  await fails(server, 'TestMetricFilter', { filterPattern: '"', logEventMessages: lines }, INVALID)
  await fails(server, 'TestMetricFilter', { filterPattern: '', logEventMessages: [] }, INVALID)
  logs.destroy()
  await quiet(server)
})
