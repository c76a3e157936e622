// Alarms on all three protocols: made, described, evaluated, set, switched, tagged, deleted; and what bad input gets.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import {
  DeleteAlarmsCommand, DescribeAlarmHistoryCommand, DescribeAlarmsCommand, DescribeAlarmsForMetricCommand, DisableAlarmActionsCommand, EnableAlarmActionsCommand, ListTagsForResourceCommand,
  PutMetricAlarmCommand, SetAlarmStateCommand, TagResourceCommand, UntagResourceCommand,
} from '@aws-sdk/client-cloudwatch'
import { cborProtocol, cli, form, json } from './lib.mjs'
import { MINUTE, metric, open, refused } from './alarm-lib.mjs'

for (const [protocol, options] of [['JSON', {}], ['CBOR', cborProtocol]])
  test(`an alarm's life, over ${protocol}`, async (t) => {
    const house = await open(t, { protocol: options })
    const { server, send, make, put: point, alarm, state, history } = house
    await make('cpu', { AlarmDescription: 'too high', Dimensions: [{ Name: 'Host', Value: 'a' }], Unit: 'Percent', DatapointsToAlarm: 1, TreatMissingData: 'ignore',
      AlarmActions: ['arn:aws:sns:us-east-1:123456789012:people'], Tags: [{ Key: 'team', Value: 'x' }] })
    const made = await alarm('cpu')
    assert.deepEqual(
      [made.AlarmArn, made.StateValue, made.StateReason, made.ActionsEnabled, made.Period, made.Threshold, made.Unit, made.TreatMissingData, made.OKActions, made.AlarmActions, made.Dimensions],
      ['arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu', 'INSUFFICIENT_DATA', 'Unchecked: Initial alarm creation', true, 60, 10, 'Percent', 'ignore', [],
        ['arn:aws:sns:us-east-1:123456789012:people'], [{ Name: 'Host', Value: 'a' }]])
    assert.ok(made.AlarmConfigurationUpdatedTimestamp instanceof Date && made.StateUpdatedTimestamp instanceof Date)

    await point(20, { Dimensions: [{ Name: 'Host', Value: 'a' }], Unit: 'Percent' })
    await house.advance(MINUTE)
    const high = await state('cpu', 'ALARM')
    assert.match(high.StateReason, /^Threshold Crossed: 1 out of the last 1 datapoints \[20\.0 \(\d\d\/\d\d\/\d\d \d\d:\d\d:00\)\] was greater than the threshold \(10\.0\) \(minimum 1 datapoint for OK -> ALARM transition\)\.$/)
    const data = JSON.parse(high.StateReasonData)
    assert.deepEqual([data.version, data.statistic, data.unit, data.period, data.recentDatapoints, data.threshold, data.evaluatedDatapoints.length], ['1.0', 'Average', 'Percent', 60, [20], 10, 1])

    const events = await history('cpu')
    assert.deepEqual(events.map((e) => [e.AlarmType, e.HistoryItemType, e.HistorySummary]), [
      ['MetricAlarm', 'ConfigurationUpdate', 'Alarm "cpu" created'],
      ['MetricAlarm', 'StateUpdate', 'Alarm updated from INSUFFICIENT_DATA to ALARM'],
      ['MetricAlarm', 'Action', 'Failed to execute action arn:aws:sns:us-east-1:123456789012:people'],
    ])
    const moved = JSON.parse(events[1].HistoryData)
    assert.deepEqual([moved.oldState.stateValue, moved.newState.stateValue, moved.newState.stateReasonData.threshold], ['INSUFFICIENT_DATA', 'ALARM', 10])
    assert.match(JSON.parse(events[2].HistoryData).error, /^not executed/)

    await send(DisableAlarmActionsCommand, { AlarmNames: ['cpu', 'nobody'] })
    assert.equal((await alarm('cpu')).ActionsEnabled, false)
    await send(EnableAlarmActionsCommand, { AlarmNames: ['cpu'] })
    assert.equal((await alarm('cpu')).ActionsEnabled, true)

    const ResourceARN = made.AlarmArn
    await send(TagResourceCommand, { ResourceARN, Tags: [{ Key: 'team', Value: 'y' }, { Key: 'stage', Value: 'dev' }] })
    await send(UntagResourceCommand, { ResourceARN, TagKeys: ['stage', 'none'] })
    assert.deepEqual((await send(ListTagsForResourceCommand, { ResourceARN })).Tags, [{ Key: 'team', Value: 'y' }])

    await send(SetAlarmStateCommand, { AlarmName: 'cpu', StateValue: 'INSUFFICIENT_DATA', StateReason: 'a test', StateReasonData: '{"a":1}' })
    const set = await alarm('cpu')
    assert.deepEqual([set.StateValue, set.StateReason, set.StateReasonData], ['INSUFFICIENT_DATA', 'a test', '{"a":1}'])
    await make('cpu', { Dimensions: [{ Name: 'Host', Value: 'a' }], Unit: 'Percent', TreatMissingData: 'notBreaching' })
    await house.advance(5 * MINUTE) // the next evaluation takes it back
    const fine = await state('cpu', 'OK')
    assert.equal(fine.StateReason, 'Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].')

    const { MetricAlarms } = await send(DescribeAlarmsForMetricCommand, { Namespace: 'ns', MetricName: 'm', Dimensions: [{ Name: 'Host', Value: 'a' }] })
    assert.deepEqual(MetricAlarms.map((a) => a.AlarmName), ['cpu'])
    await send(DeleteAlarmsCommand, { AlarmNames: ['cpu'] })
    assert.equal(await alarm('cpu'), undefined)
    assert.equal((await history('cpu')).at(-1).HistorySummary, 'Alarm "cpu" deleted')
    await refused(send(DeleteAlarmsCommand, { AlarmNames: ['cpu'] }), /^ResourceNotFound$/)
    assert.ok((await server.counters()).alarm_transitions >= 3)
  })

test('awscli: the query protocol', async (t) => {
  const { server, advance, send, state } = await open(t)
  const aws = (line) => cli(server, line)
  await aws('put-metric-alarm --alarm-name p99 --metric-name m --namespace ns --extended-statistic p99 --period 60 --evaluation-periods 3 --datapoints-to-alarm 2 --threshold 1.5 ' +
    '--comparison-operator GreaterThanOrEqualToThreshold --treat-missing-data ignore --dimensions Name=Host,Value=a --evaluate-low-sample-count-percentile evaluate --tags Key=a,Value=b')
  const { MetricAlarms: [made], CompositeAlarms } = await aws('describe-alarms --alarm-name-prefix p9')
  assert.deepEqual([made.AlarmName, made.ExtendedStatistic, made.DatapointsToAlarm, made.Threshold, made.Dimensions[0].Value, CompositeAlarms], ['p99', 'p99', 2, 1.5, 'a', []])
  await aws('set-alarm-state --alarm-name p99 --state-value ALARM --state-reason "a test"')
  assert.equal((await aws('describe-alarms --state-value ALARM')).MetricAlarms.length, 1)
  const { AlarmHistoryItems } = await aws('describe-alarm-history --alarm-name p99 --history-item-type StateUpdate')
  assert.equal(AlarmHistoryItems[0].HistorySummary, 'Alarm updated from INSUFFICIENT_DATA to ALARM')
  assert.equal((await aws('describe-alarms-for-metric --namespace ns --metric-name m --dimensions Name=Host,Value=a')).MetricAlarms.length, 1)
  await aws('put-composite-alarm --alarm-name both --alarm-rule "ALARM(p99) AND NOT OK(p99)"')
  assert.equal((await aws('describe-alarms --alarm-types CompositeAlarm')).CompositeAlarms[0].StateValue, 'ALARM')
  await aws('disable-alarm-actions --alarm-names p99')
  await aws('enable-alarm-actions --alarm-names p99')
  assert.deepEqual((await aws(`list-tags-for-resource --resource-arn ${made.AlarmArn}`)).Tags, [{ Key: 'a', Value: 'b' }])
  await assert.rejects(aws('delete-alarms --alarm-names p99'), /ValidationError.*Alarm p99 cannot be deleted as it is used by the composite alarm both/)
  await aws('delete-alarms --alarm-names p99 both')
  await assert.rejects(aws('set-alarm-state --alarm-name p99 --state-value OK --state-reason x'), /ResourceNotFound/)
})

test('metric math, percentiles with few samples, high resolution', async (t) => {
  const house = await open(t)
  const { make, put: point, state, advance } = house
  const query = (Id, MetricName, more) => ({ Id, MetricStat: { Metric: { Namespace: 'ns', MetricName }, Period: 60, Stat: 'Sum' }, ReturnData: false, ...more })
  await house.send(PutMetricAlarmCommand, { AlarmName: 'rate', EvaluationPeriods: 1, Threshold: 50, ComparisonOperator: 'GreaterThanThreshold',
    Metrics: [{ Id: 'e', Expression: '100 * bad / all', Label: 'rate' }, query('bad', 'bad'), query('all', 'all')] })
  await make('few', { Statistic: undefined, ExtendedStatistic: 'p99', EvaluateLowSampleCountPercentile: 'ignore' })
  await make('fast', { Period: 10 })
  await point(9, { MetricName: 'bad' })
  await point(10, { MetricName: 'all' })
  await point(100, { StorageResolution: 1 })
  await advance(MINUTE)
  assert.match((await state('rate', 'ALARM')).StateReason, /\[90\.0 /)
  assert.equal((await house.alarm('rate')).Metrics.length, 3)
  assert.equal((await house.alarm('few')).StateValue, 'INSUFFICIENT_DATA')
  await point(100, { StorageResolution: 1 })
  await advance(12000)
  await state('fast', 'ALARM')
  await point(100, { Values: [100], Value: undefined, Counts: [2000] })
  await advance(MINUTE)
  await state('few', 'ALARM')
})

test('a five-minute alarm is evaluated every minute over the last five', async (t) => {
  const { make, put: point, state, advance, alarm } = await open(t)
  await make('sum', { Period: 300, Statistic: 'Sum', Threshold: 10, TreatMissingData: 'notBreaching' })
  await point(6)
  await advance(MINUTE)
  await point(6)
  await advance(MINUTE)
  assert.match((await state('sum', 'ALARM')).StateReason, /\[12\.0 /)
  assert.equal((await alarm('sum')).TreatMissingData, 'notBreaching')
})

test('describing: prefixes, types, states, actions, pages', async (t) => {
  const { server, send, make, set } = await open(t)
  for (let i = 0; i < 12; i++) await make(`a${String(i).padStart(2, '0')}`, i % 2 ? { OKActions: [`weir:room:web/r${i}`] } : {})
  await make('b')
  await set('a03', 'ALARM')
  const names = async (input) => {
    const all = []
    let NextToken
    do {
      const page = await send(DescribeAlarmsCommand, { ...input, NextToken })
      assert.ok(page.MetricAlarms.length <= (input.MaxRecords ?? 50))
      all.push(...page.MetricAlarms.map((a) => a.AlarmName))
      NextToken = page.NextToken
    } while (NextToken)
    return all
  }
  const every = Array.from({ length: 12 }, (_, i) => `a${String(i).padStart(2, '0')}`)
  assert.deepEqual(await names({ AlarmNamePrefix: 'a', MaxRecords: 5 }), every)
  assert.deepEqual(await names({ MaxRecords: 4 }), [...every, 'b'])
  assert.deepEqual(await names({ AlarmNames: ['b', 'a01', 'zz', 'a01'], MaxRecords: 1 }), ['a01', 'b'])
  assert.deepEqual(await names({ StateValue: 'ALARM' }), ['a03'])
  assert.deepEqual(await names({ ActionPrefix: 'weir:room:web/r1' }), ['a01', 'a11'])
  assert.deepEqual(await names({ AlarmTypes: ['CompositeAlarm'] }), [])
  const pages = []
  let NextToken
  do {
    const page = await send(DescribeAlarmHistoryCommand, { MaxRecords: 5, NextToken, HistoryItemType: 'ConfigurationUpdate' })
    pages.push(...page.AlarmHistoryItems.map((e) => e.AlarmName))
    NextToken = page.NextToken
  } while (NextToken)
  assert.deepEqual(pages, ['b', ...every.toReversed()])
  await refused(send(DescribeAlarmsCommand, { NextToken: '!!' }), /^InvalidNextToken$/)
  assert.ok(server)
})

test('what bad input gets', async (t) => {
  const { server, send, make, set } = await open(t)
  const invalid = /^InvalidParameterValue/, validation = /^Validation/, missing = /^MissingRequiredParameter/, combination = /^InvalidParameterCombination/
  await refused(make('a', { AlarmName: undefined }), missing, 'The parameter AlarmName is required.')
  await refused(make('a', { EvaluationPeriods: undefined }), missing, 'The parameter EvaluationPeriods is required.')
  await refused(make('a', { Threshold: undefined }), missing, 'The parameter Threshold is required.')
  await refused(make('a', { MetricName: undefined }), missing, 'The parameter MetricName is required.')
  await refused(make('a', { Period: 45 }), invalid, 'The parameter Period must be 10, 20, 30, or a multiple of 60.')
  await refused(make('a', { Period: 300, EvaluationPeriods: 289 }), validation, 'Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).')
  await refused(make('a', { Period: 3600, EvaluationPeriods: 169 }), validation, 'Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800).')
  await make('a', { Period: 3600, EvaluationPeriods: 168 })
  await refused(make('a', { DatapointsToAlarm: 2 }), validation, 'DatapointsToAlarm must be less than or equal to EvaluationPeriods')
  await refused(make('a', { Statistic: 'Median' }), validation, /Value 'Median' at 'statistic' failed to satisfy constraint: Member must satisfy enum value set/)
  await refused(make('a', { EvaluationPeriods: 0 }), validation, /at 'evaluationPeriods' failed to satisfy constraint: Member must have value greater than or equal to 1/)
  await refused(make('a', { ExtendedStatistic: 'p99' }), combination)
  await refused(make('a', { TreatMissingData: 'guess' }), validation, /\[breaching, notBreaching, ignore, missing\]/)
  await refused(make('a', { ComparisonOperator: 'GreaterThanUpperThreshold' }), missing, /^The parameter ThresholdMetricId is required/)
  await refused(make('a', { AlarmActions: ['somewhere'] }), validation, 'Invalid arn syntax: somewhere')
  await refused(make('a', { AlarmActions: Array(6).fill('https://x.example') }), validation, /alarmActions/)
  await refused(make('a', { Metrics: [{ Id: 'm', Expression: '1' }] }), combination)
  await refused(send(PutMetricAlarmCommand, { AlarmName: 'a', EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: metric.ComparisonOperator,
    Metrics: [{ Id: 'e', Expression: "SEARCH('{ns}', 'Sum')", Period: 60 }] }), validation, 'SEARCH is not supported on alarms.')
  await refused(send(PutMetricAlarmCommand, { AlarmName: 'a', EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: metric.ComparisonOperator,
    Metrics: [{ Id: 'e', Expression: 'FILL(m1, REPEAT) + m2', Period: 60 }, { Id: 'm1', ReturnData: false, MetricStat: { Metric: { Namespace: 'ns', MetricName: 'm' }, Period: 60, Stat: 'Sum' } }] }),
  validation, "Error in expression 'e': There is no query with the id m2")
  await refused(set('nobody', 'OK'), /^ResourceNotFound$/)
  await refused(set('a', 'INVALID'), validation,
    "1 validation error detected: Value 'INVALID' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]")
  await refused(send(SetAlarmStateCommand, { AlarmName: 'a', StateValue: 'OK', StateReason: '', StateReasonData: '{' }), /^InvalidFormat/)
  await refused(send(TagResourceCommand, { ResourceARN: 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:nobody', Tags: [{ Key: 'a', Value: '' }] }), /^ResourceNotFoundException$/)
  const queried = await form(server, 'SetAlarmState', { AlarmName: 'nobody', StateValue: 'OK', StateReason: 'x' })
  assert.equal(queried.status, 404)
  assert.match(queried.body, /<Code>ResourceNotFound<\/Code>/)
  const both = await json(server, 'SetAlarmState', { AlarmName: 'nobody', StateValue: 'OK', StateReason: 'x' }, { 'x-amzn-query-mode': 'true' })
  assert.equal(both.headers['x-amzn-query-error'], 'ResourceNotFound;Sender')
})

test('alarms, states and history survive kill -9', async (t) => {
  const house = await open(t)
  await house.make('kept')
  await house.set('kept', 'ALARM', 'before')
  await house.server.kill9()
  await house.server.restart()
  house.again()
  const kept = await house.alarm('kept')
  assert.deepEqual([kept.StateValue, kept.StateReason], ['ALARM', 'before'])
  assert.equal((await house.history('kept')).length, 2)
  await house.advance(31 * 24 * 60 * MINUTE) // thirty days, then the hour's sweep
  await house.advance(60 * MINUTE)
  const { until } = await import('../lib/weir.mjs')
  await until('the sweep', async () => (await house.history('kept')).every((e) => e.HistorySummary !== 'Alarm "kept" created'))
})

test('the table of alarms is no table of DynamoDB', async (t) => {
  const { server } = await open(t)
  const { DynamoDBClient, ListTablesCommand, DescribeTableCommand } = await import('@aws-sdk/client-dynamodb')
  const { credentials } = await import('../dynamodb/lib.mjs')
  const dynamo = new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
  t.after(() => dynamo.destroy())
  assert.deepEqual((await dynamo.send(new ListTablesCommand({}))).TableNames, [])
  await assert.rejects(dynamo.send(new DescribeTableCommand({ TableName: 'weir.alarms' })), /ResourceNotFound/)
})

