// Dynamic labels and Metrics Insights, in GetMetricData, on the three protocols, and in alarms.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { DescribeAlarmContributorsCommand } from '@aws-sdk/client-cloudwatch'
import { atEnd, start } from '../lib/weir.mjs'
import { MINUTE, open, refused } from './alarm-lib.mjs'
import { GetMetricDataCommand, cborProtocol, client, form, minute, put } from './lib.mjs'

const dimensions = (of) => Object.entries(of).map(([Name, Value]) => ({ Name, Value }))

/** Three servers of two fleets, and one without a fleet: three minutes of CPU each. */
async function fill(cloudwatch, at) {
  const machines = [[{ Fleet: 'a', Server: '1' }, 10], [{ Fleet: 'a', Server: '2' }, 30], [{ Fleet: 'b', Server: '3' }, 50], [{ Server: '4' }, 2]]
  await put(cloudwatch, 'fleet/x', ...machines.flatMap(([of, base]) => [0, 1, 2].map((m) => ({ MetricName: 'CPU', Dimensions: dimensions(of), Timestamp: new Date(+at + m * MINUTE), Values: [base, base + 2 * m] }))))
  await put(cloudwatch, 'fleet/x', { MetricName: 'LIMIT', Timestamp: at, Value: 7 }, { MetricName: 'CPU', Timestamp: at, Value: 1000 })
}

for (const [name, options] of [['awsJson 1.0', {}], ['rpc-v2-cbor', cborProtocol]])
  test(`Metrics Insights, ${name}`, async (t) => {
    const server = await start(t)
    const cloudwatch = client(server, options)
    atEnd(t, () => cloudwatch.destroy())
    const at = await minute(server, -10)
    await fill(cloudwatch, at)
    const ask = async (Expression, more = {}) => (await cloudwatch.send(new GetMetricDataCommand({ StartTime: at, EndTime: new Date(+at + 3 * MINUTE), ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'q', Expression, Period: 60, ...more }] }))).MetricDataResults.map((r) => [r.Label, r.Values])
    // One series of all: the mean of the observations, not of the metrics.
    assert.deepEqual(await ask('SELECT AVG(CPU) FROM SCHEMA("fleet/x", Fleet, Server)'), [['q', [30, 31, 32]]])
    assert.deepEqual(await ask('select count(CPU) from "fleet/x" where Server = \'1\''), [['q', [2, 2, 2]]])
    assert.deepEqual(await ask('SELECT MAX(CPU) FROM SCHEMA("fleet/x")'), [['q', [1000]]])
    assert.deepEqual(await ask('SELECT SUM("LIMIT") FROM "fleet/x"'), [['q', [7]]])
    // Groups in the order of their names; those without the dimension are Other.
    assert.deepEqual(await ask('SELECT MAX(CPU) FROM "fleet/x" WHERE Server != \'4\' GROUP BY Fleet'), [['Other', [1000]], ['a', [30, 32, 34]], ['b', [50, 52, 54]]])
    assert.deepEqual(await ask('SELECT MIN(CPU) FROM SCHEMA("fleet/x", Server, Fleet) GROUP BY Fleet, Server'), [['a 1', [10, 10, 10]], ['a 2', [30, 30, 30]], ['b 3', [50, 50, 50]]])
    assert.deepEqual((await ask('SELECT SUM(CPU) FROM SCHEMA("fleet/x", Fleet, Server) GROUP BY Server ORDER BY MAX() DESC LIMIT 2')).map(([label]) => label), ['3', '2'])
    assert.deepEqual((await ask('SELECT SUM(CPU) FROM SCHEMA("fleet/x", Fleet, Server) GROUP BY Server ORDER BY AVG()')).map(([label]) => label), ['1', '2', '3'])
    assert.deepEqual(await ask('SELECT SUM(CPU) FROM "fleet/x" WHERE Fleet = \'none\''), [['q', []]])
    // Expressions stand on it.
    const { MetricDataResults } = await cloudwatch.send(new GetMetricDataCommand({ StartTime: at, EndTime: new Date(+at + 3 * MINUTE), MetricDataQueries: [
      { Id: 'q', Expression: 'SELECT MAX(CPU) FROM "fleet/x" GROUP BY Fleet', Period: 60, ReturnData: false }, { Id: 'sum', Expression: 'MAX(q)' }] }))
    assert.deepEqual(MetricDataResults.map((r) => [r.Id, r.Values]), [['sum', [54, 52, 1000]]])
    // A label of each series' own.
    assert.deepEqual((await ask('SELECT MAX(CPU) FROM SCHEMA("fleet/x", Fleet, Server) GROUP BY Fleet', { Label: "${PROP('Dim.Fleet')} ${PROP('Stat')} up to ${MAX}" })).map(([label]) => label),
      ['a MAX up to 34', 'b MAX up to 54'])
    for (const [query, message] of [['SELECT MEDIAN(CPU) FROM x', /AVG, COUNT, MAX, MIN or SUM is missing at position 8/], ['SELECT MAX(CPU)', /FROM is missing/], ['SELECT MAX(CPU) FROM x WHERE a = b', /single quotation marks/],
      ['SELECT MAX(CPU) FROM x LIMIT 501', /LIMIT is a number/], ['SELECT MAX(CPU) FROM fleet/x', /goes on/], ['SELECT MAX(CPU) FROM SCHEMA(x', /closing bracket/]])
      await refused(ask(query), /^ValidationE/, message)
  })

test('dynamic labels, and their time zone', async (t) => {
  const server = await start(t)
  const cloudwatch = client(server)
  atEnd(t, () => cloudwatch.destroy())
  const at = await minute(server, -30)
  const Dimensions = [{ Name: 'Handler', Value: 'message' }]
  await put(cloudwatch, 'label', ...[4, 1.5, 9, 3].map((Value, m) => ({ MetricName: 'Time', Dimensions, Timestamp: new Date(+at + m * MINUTE), Value })))
  const label = async (Label, more = {}) => {
    const { MetricDataResults: [result] } = await cloudwatch.send(new GetMetricDataCommand({ StartTime: at, EndTime: new Date(+at + 5 * MINUTE), ...more,
      MetricDataQueries: [{ Id: 'm', Label, MetricStat: { Metric: { Namespace: 'label', MetricName: 'Time', Dimensions }, Period: 60, Stat: 'p90' } }] }))
    return result.Label
  }
  assert.equal(await label(undefined), 'Time')
  assert.equal(await label('plain $5 {x}'), 'plain $5 {x}')
  assert.equal(await label('${LABEL}: ${MIN}..${MAX} ${AVG} ${SUM} ${FIRST} ${LAST} ${DATAPOINT_COUNT} ${MIN_MAX_RANGE} ${FIRST_LAST_RANGE}'), 'Time: 1.5..9 4.375 17.5 4 3 4 7.5 1')
  assert.equal(await label("${PROP('Namespace')} ${PROP('MetricName')} ${PROP('Stat')} ${PROP('Period')} ${PROP('Region')} ${PROP('AccountId')} ${PROP('Dim.Handler')} ${PROP('Dim.None')} ${PROP('None')}"),
    "label Time p90 60 us-east-1 123456789012 message -- ${PROP('None')}")
  const iso = (m, hours = 0) => new Date(+at + m * MINUTE + hours * 3600e3).toISOString().slice(0, 19)
  assert.equal(await label('${FIRST_TIME} ${LAST_TIME} ${MIN_TIME} ${MAX_TIME}'), [0, 3, 1, 2].map((m) => `${iso(m)}Z`).join(' '))
  assert.equal(await label('${MAX_TIME}', { LabelOptions: { Timezone: '-0330' } }), `${iso(2, -3.5)}-03:30`)
  assert.equal(await label('${FIRST_LAST_TIME_RANGE} ${MIN_MAX_TIME_RANGE} ${NONE} ${'), '3m 1m ${NONE} ${')
  assert.match(await label('${LAST_TIME_RELATIVE}'), /^2[67]m(\d+s)?$/)
  await refused(label('x', { LabelOptions: { Timezone: 'Europe/Berlin' } }), /^ValidationE/, /LabelOptions\.Timezone/)
  const found = await form(server, 'GetMetricData', { 'MetricDataQueries.member.1.Id': 'e', 'MetricDataQueries.member.1.Expression': "SEARCH('{label,Handler}', 'Sum', 60)",
    'MetricDataQueries.member.1.Label': '${LABEL} max ${MAX}', StartTime: at.toISOString(), EndTime: new Date(+at + 5 * MINUTE).toISOString() })
  assert.match(found.body, /<Id>e<\/Id><Label>Time message max 9<\/Label>/)
})

test('an alarm on a query with groups: in ALARM with one of them, and its contributors', async (t) => {
  const { put: one, make, send, advance, state } = await open(t)
  const query = { Id: 'q', Expression: 'SELECT MAX(m) FROM ns GROUP BY Server', Period: 60, ReturnData: true }
  await make('fleet', { Namespace: undefined, MetricName: undefined, Statistic: undefined, Period: undefined, Metrics: [query] })
  await refused(make('none', { Namespace: undefined, MetricName: undefined, Statistic: undefined, Period: undefined, Metrics: [{ ...query, Period: undefined }] }), /^Missing/, /Period is required/)
  const of = (value, Server) => one(value, { Dimensions: [{ Name: 'Server', Value: Server }] })
  await of(5, 'a')
  await of(7, 'b')
  await advance(2 * MINUTE)
  await state('fleet', 'OK')
  assert.deepEqual((await send(DescribeAlarmContributorsCommand, { AlarmName: 'fleet' })).AlarmContributors, [])
  await of(5, 'a')
  await of(50, 'b')
  await advance(1.2 * MINUTE)
  const alarm = await state('fleet', 'ALARM')
  assert.match(alarm.StateReason, /^Threshold Crossed: 1 out of the last 1 datapoints \[50\.0 \(/)
  const { AlarmContributors } = await send(DescribeAlarmContributorsCommand, { AlarmName: 'fleet' })
  assert.deepEqual(AlarmContributors.map((c) => c.ContributorAttributes), [{ Server: 'b' }])
  assert.match(AlarmContributors[0].StateReason, /\[50\.0 \(/)
  assert.match(AlarmContributors[0].ContributorId, /^[0-9a-f]{16}$/)
  // An alarm on one series has no contributors.
  await make('one', { Namespace: undefined, MetricName: undefined, Statistic: undefined, Period: undefined, Metrics: [{ ...query, Expression: 'SELECT MAX(m) FROM ns' }] })
  assert.deepEqual((await send(DescribeAlarmContributorsCommand, { AlarmName: 'one' })).AlarmContributors, [])
  await refused(send(DescribeAlarmContributorsCommand, { AlarmName: 'nobody' }), /^ResourceNotFound/)
})
