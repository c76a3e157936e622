// What metrics mean on the wire: durability, listing, paging, math, limits, and what bad input gets.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { atEnd, start } from '../lib/weir.mjs'
import { GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand, PutMetricDataCommand, advance, client, minute, put, statistics, values } from './lib.mjs'

async function open(t, options) {
  const server = await start(t, options)
  let cloudwatch = client(server)
  atEnd(t, () => cloudwatch.destroy())
  return { server, cloudwatch, again: () => (cloudwatch = client(server)) }
}

const sent = (cloudwatch, Command) => (input) => cloudwatch.send(new Command(input))

async function refused(promise, name, message) {
  await assert.rejects(promise, (error) => {
    assert.match(error.name, name)
    if (message instanceof RegExp) assert.match(error.message, message)
    else assert.equal(error.message, message)
    return true
  })
}

test('what was acknowledged survives kill -9', async (t) => {
  const { server, cloudwatch, again } = await open(t)
  const at = await minute(server, -3)
  for (let i = 1; i <= 20; i++) await put(cloudwatch, 'crash', { MetricName: 'm', Timestamp: at, Value: i, StorageResolution: i % 2 ? 1 : 60 })
  await server.kill9()
  await server.restart()
  const after = again()
  const [point] = await statistics(after, 'crash', 'm', at, new Date(+at + 60000), { Statistics: ['SampleCount', 'Sum'], ExtendedStatistics: ['p95'] })
  assert.deepEqual([point.SampleCount, point.Sum, point.ExtendedStatistics.p95], [20, 210, 19])
  after.destroy()
})

test('one bad data point, and none of the request is kept', async (t) => {
  const { server, cloudwatch } = await open(t)
  await refused(put(cloudwatch, 'n', { MetricName: 'good', Value: 1 }, { MetricName: 'bad', Value: 1, Timestamp: new Date(+await minute(server) + 3 * 3600e3) }), /^InvalidParameterValue/,
    'The parameter MetricData.member.2.Timestamp must specify a time no more than two hours in the future.')
  assert.deepEqual((await cloudwatch.send(new ListMetricsCommand({ Namespace: 'n' }))).Metrics, [])
})

test('bad data points are named, all of them', async (t) => {
  const { server, cloudwatch } = await open(t)
  const old = new Date(+await minute(server) - 15 * 86400e3), value = (more) => ({ MetricName: 'm', Value: 1, ...more })
  await refused(put(cloudwatch, 'n', value({ Timestamp: old }), value(), value({ Timestamp: old })), /^InvalidParameterValue/,
    'The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks.\nThe parameter MetricData.member.3.Timestamp must specify a time within the past two weeks.')
  await refused(put(cloudwatch, 'n', value({ StorageResolution: 5 })), /^InvalidParameterValue/, 'The parameter MetricData.member.1.StorageResolution must be a value in the set [ 1, 60 ].')
  await refused(put(cloudwatch, 'n', value({ Value: 2 ** 361 })), /^InvalidParameterValue/, /^The value .* for parameter MetricData.member.1.Value is invalid.$/)
  await refused(put(cloudwatch, 'n', value({ Value: NaN })), /^InvalidParameterValue/, 'The value NaN for parameter MetricData.member.1.Value is invalid.')
  await refused(put(cloudwatch, 'n', value({ Values: [1] })), /^InvalidParameterCombination/,
    'The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both.')
  await refused(put(cloudwatch, 'n', { MetricName: 'm' }), /^Missing/, 'The parameter MetricData.member.1.Value is required.')
  await refused(put(cloudwatch, 'n', { MetricName: 'm', Values: [1, 2], Counts: [1] }), /^InvalidParameterValue/, 'The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size.')
  await refused(put(cloudwatch, 'n', { MetricName: 'm', Values: Array(151).fill(1) }), /^InvalidParameterValue/, 'The collection MetricData.member.1.Values must not have a size greater than 150.')
  await refused(put(cloudwatch, 'n', value({ Dimensions: Array.from({ length: 31 }, (_, i) => ({ Name: `d${i}`, Value: 'x' })) })), /^InvalidParameterValue/,
    'The collection MetricData.member.1.Dimensions must not have a size greater than 30.')
  await refused(put(cloudwatch, 'n', ...Array.from({ length: 1001 }, () => value())), /^InvalidParameterValue/, 'The collection MetricData must not have a size greater than 1000.')
  await refused(put(cloudwatch, 'n', { MetricName: 'm', StatisticValues: { SampleCount: 2, Sum: 1, Minimum: 5, Maximum: 1 } }), /^InvalidParameterValue/, /Maximum must be greater than or equal/)
  await put(cloudwatch, 'n', ...Array.from({ length: 1000 }, () => value()), )
})

test('GetMetricStatistics refuses what CloudWatch refuses', async (t) => {
  const { server, cloudwatch } = await open(t)
  const end = await minute(server), get = (more) => cloudwatch.send(new GetMetricStatisticsCommand({
    Namespace: 'n', MetricName: 'm', StartTime: new Date(+end - 3600e3), EndTime: end, Period: 60, Statistics: ['Sum'], ...more }))
  await refused(get({ StartTime: new Date(+end - 2880 * 60e3) }), /^InvalidParameterCombination/,
    'You have requested up to 2,880 datapoints, which exceeds the limit of 1,440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.')
  await refused(get({ StartTime: end }), /^InvalidParameterCombination/, 'The parameter StartTime must be less than the parameter EndTime.')
  await refused(get({ Period: 90 }), /^InvalidParameterValue/, 'The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.')
  await refused(get({ Statistics: undefined }), /^InvalidParameterCombination/, 'At least one of the parameters Statistics and ExtendedStatistics must be specified.')
  await refused(get({ ExtendedStatistics: ['p101'] }), /^InvalidParameterValue/, 'The value p101 for parameter ExtendedStatistics.member.1 is not supported.')
  await refused(get({ MetricName: undefined }), /^Missing/, 'The parameter MetricName is required.')
  assert.deepEqual((await get({})).Datapoints, [])
})

test('units are apart, periods are aligned, the end is exclusive', async (t) => {
  const { server, cloudwatch } = await open(t)
  const at = new Date(Math.floor(+await minute(server, -20) / 300e3) * 300e3), later = (s) => new Date(+at + s * 1000)
  await put(cloudwatch, 'u', { MetricName: 'm', Timestamp: later(10), Value: 1, Unit: 'Seconds' }, { MetricName: 'm', Timestamp: later(20), Value: 2, Unit: 'Count' },
    { MetricName: 'm', Timestamp: later(300), Value: 4 })
  const both = await statistics(cloudwatch, 'u', 'm', later(70), later(300), { Period: 300, Statistics: ['Sum'] })
  assert.deepEqual(both.map((p) => [+p.Timestamp, p.Sum, p.Unit]), [[+at, 1, 'Seconds'], [+at, 2, 'Count']])
  assert.deepEqual((await statistics(cloudwatch, 'u', 'm', at, later(600), { Period: 300, Statistics: ['Sum'], Unit: 'Bytes' })), [])
  assert.deepEqual(await values(cloudwatch, 'u', 'm', 'Sum', at, later(600), { Period: 300 }), [3, 4])
  await put(cloudwatch, 'u', ...[1, 4, 7, 12].map((s) => ({ MetricName: 'h', Timestamp: later(s), Value: s, StorageResolution: 1 })))
  assert.deepEqual(await values(cloudwatch, 'u', 'h', 'Sum', at, later(60), { Period: 5 }), [5, 7, 12])
  assert.deepEqual(await values(cloudwatch, 'u', 'h', 'Maximum', at, later(60), { Period: 60 }), [12])
  // Older than three hours: by the minute only.
  await advance(server, 4 * 3600e3)
  const moved = client(server)
  assert.deepEqual(await values(moved, 'u', 'h', 'Sum', at, later(60), { Period: 5 }), [])
  assert.deepEqual(await values(moved, 'u', 'h', 'Sum', at, later(60), { Period: 60 }), [24])
  moved.destroy()
})

test('ListMetrics: filters, pages, what is active', async (t) => {
  const { server, cloudwatch } = await open(t)
  const metric = (i) => ({ MetricName: `m${i % 2}`, Value: 1, Dimensions: [{ Name: 'user', Value: `u${i}` }, ...(i % 3 ? [] : [{ Name: 'third', Value: 'yes' }])] })
  for (let i = 0; i < 1200; i += 400) await put(cloudwatch, 'list', ...Array.from({ length: 400 }, (_, k) => metric(i + k)))
  await put(cloudwatch, 'other', { MetricName: 'm0', Value: 1 })
  const list = sent(cloudwatch, ListMetricsCommand)
  const all = []
  let NextToken
  const pages = []
  do {
    const page = await list({ Namespace: 'list', NextToken })
    pages.push(page.Metrics.length)
    all.push(...page.Metrics)
    NextToken = page.NextToken
  } while (NextToken)
  assert.deepEqual(pages, [500, 500, 200])
  assert.equal(new Set(all.map((m) => m.Dimensions.find((d) => d.Name === 'user').Value)).size, 1200)
  assert.equal((await list({ MetricName: 'm0', Dimensions: [{ Name: 'third' }], Namespace: 'list' })).Metrics.length, 200)
  assert.deepEqual((await list({ Dimensions: [{ Name: 'user', Value: 'u9' }] })).Metrics, [{ Namespace: 'list', MetricName: 'm1', Dimensions: [{ Name: 'third', Value: 'yes' }, { Name: 'user', Value: 'u9' }] }])
  assert.equal((await list({ MetricName: 'm0', Namespace: 'other' })).Metrics.length, 1)
  await refused(list({ NextToken: 'nonsense' }), /^InvalidParameterValue/, 'The value for parameter NextToken is invalid.')
  await advance(server, 4 * 3600e3)
  const moved = client(server)
  await put(moved, 'other', { MetricName: 'fresh', Value: 1 })
  assert.deepEqual((await sent(moved, ListMetricsCommand)({ Namespace: 'other', RecentlyActive: 'PT3H' })).Metrics.map((m) => m.MetricName), ['fresh'])
  const owned = async (OwningAccount) => { const { Metrics, OwningAccounts } = await sent(moved, ListMetricsCommand)({ Namespace: 'other', IncludeLinkedAccounts: true, OwningAccount }); return [Metrics.length, OwningAccounts] }
  const both = [2, ['123456789012', '123456789012']]
  assert.deepEqual(await owned(undefined), both)
  assert.deepEqual(await owned('123456789012'), both)
  assert.deepEqual(await owned('999999999999'), [0, []])
  await advance(server, 15 * 86400e3)
  const late = client(server)
  assert.deepEqual((await sent(late, ListMetricsCommand)({ Namespace: 'other' })).Metrics, [])
  assert.deepEqual((await sent(late, ListMetricsCommand)({ Namespace: 'list' })).Metrics, [])
  moved.destroy()
  late.destroy()
})

test('GetMetricData: math, searches, order, pages', async (t) => {
  const { server, cloudwatch } = await open(t)
  const at = await minute(server, -30), time = (m) => new Date(+at + m * 60e3)
  for (const [handler, factor] of [['connect', 1], ['message', 10]])
    await put(cloudwatch, 'math', ...Array.from({ length: 6 }, (_, m) => [
      { MetricName: 'Calls', Dimensions: [{ Name: 'Handler', Value: handler }], Timestamp: time(m), Value: (m + 1) * factor },
      { MetricName: 'Errors', Dimensions: [{ Name: 'Handler', Value: handler }], Timestamp: time(m), Value: m % 2 },
    ]).flat())
  const get = sent(cloudwatch, GetMetricDataCommand)
  const metric = (Id, MetricName, handler, more) => ({ Id, MetricStat: { Metric: { Namespace: 'math', MetricName, Dimensions: [{ Name: 'Handler', Value: handler }] }, Period: 60, Stat: 'Sum' }, ...more })
  const ask = (MetricDataQueries, more) => get({ StartTime: at, EndTime: time(6), ScanBy: 'TimestampAscending', MetricDataQueries, ...more })
  const { MetricDataResults: results } = await ask([
    metric('calls', 'Calls', 'message', { ReturnData: false }), metric('errors', 'Errors', 'message', { ReturnData: false }),
    { Id: 'rate', Expression: 'errors / calls * 100', Label: 'error rate' }, { Id: 'total', Expression: 'SUM(METRICS())' }, { Id: 'deep', Expression: 'IF(rate > 2, total, 0)' },
    { Id: 'found', Expression: "SEARCH('{math,Handler} MetricName=\"Calls\"', 'Sum', 60)" },
    { Id: 'top', Expression: "SORT(found, MAX, DESC, 1)" },
  ])
  assert.deepEqual(results.map((r) => [r.Id, r.Label, r.Values, r.StatusCode]), [
    ['rate', 'error rate', [0, 5, 0, 2.5, 0, 100 / 60], 'Complete'],
    ['total', 'total', [10, 21, 30, 41, 50, 61], 'Complete'],
    ['deep', 'deep', [0, 21, 0, 41, 0, 0], 'Complete'],
    ['found', 'Calls connect', [1, 2, 3, 4, 5, 6], 'Complete'],
    ['found', 'Calls message', [10, 20, 30, 40, 50, 60], 'Complete'],
    ['top', 'Calls message', [10, 20, 30, 40, 50, 60], 'Complete'],
  ])
  // Pages: each point once, in order.
  const seen = { a: [], b: [] }
  let NextToken, pages = 0
  do {
    const page = await ask([metric('a', 'Calls', 'connect'), metric('b', 'Calls', 'message')], { MaxDatapoints: 5, NextToken, ScanBy: undefined })
    for (const r of page.MetricDataResults) seen[r.Id].push(...r.Values)
    assert.ok(page.MetricDataResults.reduce((n, r) => n + r.Values.length, 0) <= 5)
    NextToken = page.NextToken
    pages++
  } while (NextToken)
  assert.deepEqual([pages, seen.a, seen.b], [3, [6, 5, 4, 3, 2, 1], [60, 50, 40, 30, 20, 10]])
  // What is wrong.
  const wrong = (queries, message) => refused(ask(queries), /^ValidationE/, message)
  await wrong([{ Id: 'e', Expression: 'calls +' }], /^Error in expression 'e': A value is missing at position 8/)
  await wrong([{ Id: 'e', Expression: 'nothing * 2' }], "Error in expression 'e': There is no query with the id nothing")
  await wrong([{ Id: 'e', Expression: 'f' }, { Id: 'f', Expression: 'e' }], /refer to each other in a circle/)
  await wrong([{ Id: 'e', Expression: '1 + 1' }], "Error in expression 'e': the result must be a time series or an array of time series")
  await wrong([metric('a', 'Calls', 'x'), metric('a', 'Calls', 'y')], 'The values for parameter id in MetricDataQueries are not unique.')
  await wrong([metric('A', 'Calls', 'x')], /is not matching the expected pattern/)
  await wrong([metric('a', 'Calls', 'x', { ReturnData: false })], /ReturnData true/)
  await refused(ask([metric('a', 'Calls', 'x')], { NextToken: 'AAAA' }), /^InvalidNextToken/, 'The value for parameter NextToken is invalid.')
  await refused(cloudwatch.send(new PutMetricDataCommand({ Namespace: 'n', MetricData: [] })), /^Missing/, 'The parameter MetricData is required.')
})
