// Anomaly detection: bands of the same hour, ranges that are left out, detectors on the wire, and alarms on bands.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { DeleteAnomalyDetectorCommand, DescribeAnomalyDetectorsCommand, GetMetricDataCommand, PutAnomalyDetectorCommand } from '@aws-sdk/client-cloudwatch'
import { MINUTE, open, refused } from './alarm-lib.mjs'
import { cborProtocol, form, minute, put } from './lib.mjs'
import { client } from './lib.mjs'

const HOUR = 60 * MINUTE, DAY = 24 * HOUR

/** Thirteen days in steps of five minutes: 100 by day (UTC), 20 by night, and a wave of two around it. */
async function fill(cloudwatch, server, days = 13) {
  const last = +await minute(server), from = last - days * DAY, points = []
  for (let at = Math.ceil(from / 300e3) * 300e3; at < last - HOUR; at += 300e3)
    points.push({ MetricName: 'm', Timestamp: new Date(at), Value: (new Date(at).getUTCHours() < 12 ? 20 : 100) + (at / 300e3 % 5) - 2 })
  for (let i = 0; i < points.length; i += 1000) await put(cloudwatch, 'ns', ...points.slice(i, i + 1000))
}
const expected = (at) => (new Date(at).getUTCHours() < 12 ? 20 : 100)
const stat = { Id: 'm', MetricStat: { Metric: { Namespace: 'ns', MetricName: 'm' }, Period: 300, Stat: 'Average' } }

for (const [name, options] of [['awsJson 1.0', {}], ['rpc-v2-cbor', cborProtocol]])
  test(`bands and detectors, ${name}`, async (t) => {
    const { server, send } = await open(t, { protocol: options })
    const cloudwatch = client(server, options)
    t.after(() => cloudwatch.destroy())
    await fill(cloudwatch, server)
    const now = +await minute(server), start = new Date(Math.floor(now / HOUR) * HOUR - 20 * HOUR)
    const ask = async (Expression, more = {}) => (await send(GetMetricDataCommand, { StartTime: start, EndTime: new Date(+start + 20 * HOUR), ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ ...stat, ReturnData: false }, { Id: 'band', Expression }], ...more })).MetricDataResults
    const [upper, lower] = await ask('ANOMALY_DETECTION_BAND(m, 3)')
    assert.deepEqual([upper.Id, lower.Id, upper.Label, lower.Label], ['band', 'band', 'm (upper bound)', 'm (lower bound)'])
    assert.equal(upper.Values.length, 240)
    // Values -2..2 in equal numbers: the median is the middle, the deviation 1, a width of three 3 x 1.4826.
    upper.Timestamps.forEach((at, i) => {
      assert.ok(Math.abs(upper.Values[i] - expected(at) - 3 * 1.4826) < 1e-9, `${at.toISOString()}: ${upper.Values[i]}`)
      assert.ok(Math.abs(lower.Values[i] - expected(at) + 3 * 1.4826) < 1e-9)
    })
    assert.equal((await ask('ANOMALY_DETECTION_BAND(m / 2)'))[0].Values.length, 240)
    await refused(ask('ANOMALY_DETECTION_BAND(ANOMALY_DETECTION_BAND(m))'), /^Validation/, /wants a time series|another band/)
    // A detector that leaves almost everything out: too little is left for a band.
    await send(PutAnomalyDetectorCommand, { SingleMetricAnomalyDetector: { Namespace: 'ns', MetricName: 'm', Stat: 'Average' },
      Configuration: { ExcludedTimeRanges: [{ StartTime: new Date(now - 20 * DAY), EndTime: new Date(now - 2 * MINUTE) }], MetricTimezone: 'UTC' } })
    assert.deepEqual((await ask('ANOMALY_DETECTION_BAND(m)'))[0].Values, [])
    const { AnomalyDetectors: [detector] } = await send(DescribeAnomalyDetectorsCommand, { Namespace: 'ns' })
    assert.deepEqual([detector.Namespace, detector.MetricName, detector.Dimensions, detector.Stat, detector.StateValue], ['ns', 'm', [], 'Average', 'PENDING_TRAINING'])
    assert.equal(+detector.Configuration.ExcludedTimeRanges[0].StartTime, now - 20 * DAY)
    assert.deepEqual(detector.SingleMetricAnomalyDetector, { Namespace: 'ns', MetricName: 'm', Dimensions: [], Stat: 'Average' })
    // The same metric again changes it; the old form names the same one.
    await send(PutAnomalyDetectorCommand, { Namespace: 'ns', MetricName: 'm', Stat: 'Average' })
    const { AnomalyDetectors } = await send(DescribeAnomalyDetectorsCommand, {})
    assert.deepEqual(AnomalyDetectors.map((d) => [d.StateValue, d.Configuration]), [['TRAINED', { ExcludedTimeRanges: [] }]])
    // Metric math, pages, filters.
    const MetricMathAnomalyDetector = { MetricDataQueries: [{ ...stat, ReturnData: false }, { Id: 'half', Expression: 'm / 2', ReturnData: true }] }
    await send(PutAnomalyDetectorCommand, { MetricMathAnomalyDetector })
    await send(PutAnomalyDetectorCommand, { Namespace: 'other', MetricName: 'x', Stat: 'p99', Dimensions: [{ Name: 'a', Value: 'b' }] })
    const of = async (more) => (await send(DescribeAnomalyDetectorsCommand, more)).AnomalyDetectors.length
    assert.deepEqual([await of({}), await of({ AnomalyDetectorTypes: ['METRIC_MATH'] }), await of({ AnomalyDetectorTypes: ['SINGLE_METRIC', 'METRIC_MATH'] })], [2, 1, 3])
    assert.deepEqual([await of({ Namespace: 'other' }), await of({ MetricName: 'y' }), await of({ Dimensions: [{ Name: 'a', Value: 'b' }] }), await of({ Dimensions: [{ Name: 'a', Value: 'c' }] })], [1, 0, 1, 0])
    const first = await send(DescribeAnomalyDetectorsCommand, { MaxResults: 1 })
    const second = await send(DescribeAnomalyDetectorsCommand, { MaxResults: 1, NextToken: first.NextToken })
    assert.deepEqual([first.AnomalyDetectors.length, second.AnomalyDetectors.length, second.NextToken], [1, 1, undefined])
    await send(DeleteAnomalyDetectorCommand, { MetricMathAnomalyDetector })
    assert.equal(await of({ AnomalyDetectorTypes: ['METRIC_MATH'] }), 0)
    await refused(send(DeleteAnomalyDetectorCommand, { MetricMathAnomalyDetector }), /^ResourceNotFoundException$/)
    await refused(send(PutAnomalyDetectorCommand, { Namespace: 'ns' }), /^MissingRequiredParameter/, 'The parameter Stat is required.\nThe parameter MetricName is required.')
    await refused(send(PutAnomalyDetectorCommand, { Namespace: 'ns', MetricName: 'm', Stat: 'Median' }), /^InvalidParameterValue/, 'The value Median for parameter Stat is not supported.')
    await refused(send(PutAnomalyDetectorCommand, { Namespace: 'ns', SingleMetricAnomalyDetector: { Namespace: 'ns', MetricName: 'm', Stat: 'Sum' } }), /^InvalidParameterCombination/)
  })

test('an alarm on a band, in words, and forms', async (t) => {
  const { server, make, send, advance, state, put: one } = await open(t)
  const cloudwatch = client(server)
  t.after(() => cloudwatch.destroy())
  await fill(cloudwatch, server)
  const alarm = { Namespace: undefined, MetricName: undefined, Statistic: undefined, Period: undefined, Threshold: undefined, ThresholdMetricId: 'band',
    ComparisonOperator: 'LessThanLowerOrGreaterThanUpperThreshold', Metrics: [stat, { Id: 'band', Expression: 'ANOMALY_DETECTION_BAND(m, 2)' }] }
  await make('odd', alarm)
  await make('low', { ...alarm, ComparisonOperator: 'LessThanLowerThreshold' })
  for (const [change, name, message] of [[{ Threshold: 3 }, /^InvalidParameterCombination/, /mutually exclusive/], [{ ThresholdMetricId: 'm' }, /^Validation/], [{ ThresholdMetricId: undefined }, /^Validation/, /Exactly one element/],
    [{ ComparisonOperator: 'GreaterThanThreshold' }, /^Validation/, /does not go with ThresholdMetricId/]])
    await refused(make('no', { ...alarm, ...change }), name, message)
  const now = Math.floor((await server.now()) / 300e3) * 300e3
  await put(cloudwatch, 'ns', { MetricName: 'm', Timestamp: new Date(now), Value: 500 })
  await advance(now + 300e3 + 3000 - (await server.now()))
  const odd = await state('odd', 'ALARM')
  assert.match(odd.StateReason, /^Thresholds Crossed: 1 out of the last 1 datapoints \[500\.0 \(.*\)\] was less than the lower thresholds \[[\d.]+\] or greater than the upper thresholds \[[\d.]+\] \(minimum 1 datapoint for OK -> ALARM transition\)\.$/)
  const data = JSON.parse(odd.StateReasonData)
  assert.deepEqual([data.recentDatapoints, data.recentLowerThresholds.length, data.recentUpperThresholds.length, data.threshold], [[500], 1, 1, undefined])
  assert.ok(Math.abs(data.recentUpperThresholds[0] - expected(now) - 2 * 1.4826) < 1e-9)
  const low = await state('low', 'OK')
  assert.match(low.StateReason, /was not less than the lower thresholds \[[\d.]+\] \(/)
  assert.equal((await form(server, 'PutAnomalyDetector', { Namespace: 'f', MetricName: 'f', Stat: 'Sum', 'Configuration.ExcludedTimeRanges.member.1.StartTime': '2026-01-01T00:00:00Z',
    'Configuration.ExcludedTimeRanges.member.1.EndTime': '2026-01-02T00:00:00Z' })).status, 200)
  const listed = await form(server, 'DescribeAnomalyDetectors')
  assert.match(listed.body, /<AnomalyDetectors><member><Namespace>f<\/Namespace>.*<StartTime>2026-01-01T00:00:00Z<\/StartTime><EndTime>2026-01-02T00:00:00Z<\/EndTime>/)
  assert.ok(send && one)
})
