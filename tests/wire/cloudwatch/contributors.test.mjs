// Contributor Insights: rules over log groups, reports, and their metrics.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { DeleteInsightRulesCommand, DescribeAnomalyDetectorsCommand, DescribeInsightRulesCommand, DisableInsightRulesCommand, EnableInsightRulesCommand, GetInsightRuleReportCommand, GetMetricDataCommand,
  ListTagsForResourceCommand, PutAnomalyDetectorCommand, PutInsightRuleCommand, TagResourceCommand, UntagResourceCommand } from '@aws-sdk/client-cloudwatch'
import { put as lines, stream } from '../logs/lib.mjs'
import { MINUTE, open, refused } from './alarm-lib.mjs'
import { cborProtocol, form, minute } from './lib.mjs'

const rule = (more = {}, contribution = {}) => JSON.stringify({ Schema: { Name: 'CloudWatchLogRule', Version: 1 }, LogGroupNames: ['api-*'], LogFormat: 'JSON', Contribution: { Keys: ['$.ip'], ...contribution },
  AggregateOn: 'Count', ...more })

for (const [name, options] of [['awsJson 1.0', {}], ['rpc-v2-cbor', cborProtocol]])
  test(`rules and reports, ${name}`, async (t) => {
    const { server, send } = await open(t, { protocol: options })
    const at = await minute(server, -10), minuteOf = (m) => +at + m * MINUTE
    for (const group of ['api-one', 'api-two', 'else']) await stream(server, group, 's')
    const line = (ip, bytes, m, more = {}) => [JSON.stringify({ ip, bytes, method: 'GET', tags: [{ k: 'x' }], ...more }), minuteOf(m)]
    await lines(server, 'api-one', 's', [line('1.1.1.1', 10, 0), line('1.1.1.1', 30, 1), line('2.2.2.2', 500, 1, { method: 'PUT' }), ['no JSON', minuteOf(1)], line('2.2.2.2', 'x', 2), line(undefined, 1, 2)])
    await lines(server, 'api-two', 's', [line('1.1.1.1', 5, 0), line('3.3.3.3', 1, 2)])
    await lines(server, 'else', 's', [line('9.9.9.9', 1, 0)])
    const report = (RuleName, more = {}) => send(GetInsightRuleReportCommand, { RuleName, StartTime: at, EndTime: new Date(minuteOf(5)), Period: 60, ...more })
    const brief = (answer) => answer.Contributors.map((c) => [c.Keys.join('/'), c.ApproximateAggregateValue])
    await send(PutInsightRuleCommand, { RuleName: 'count', RuleDefinition: rule(), RuleState: 'ENABLED' })
    const all = await report('count', { Metrics: ['UniqueContributors', 'MaxContributorValue', 'SampleCount', 'Sum', 'Average'] })
    assert.deepEqual([all.KeyLabels, all.AggregationStatistic, all.AggregateValue, all.ApproximateUniqueCount], [['$.ip'], 'SampleCount', 6, 3])
    assert.deepEqual(brief(all), [['1.1.1.1', 3], ['2.2.2.2', 2], ['3.3.3.3', 1]])
    assert.deepEqual(all.Contributors[0].Datapoints, [{ Timestamp: at, ApproximateValue: 2 }, { Timestamp: new Date(minuteOf(1)), ApproximateValue: 1 }])
    assert.deepEqual(all.MetricDatapoints, [[0, 1, 2], [1, 2, 1], [2, 2, 1]].map(([m, unique, most]) => (
      { Timestamp: new Date(minuteOf(m)), UniqueContributors: unique, MaxContributorValue: most, SampleCount: 2, Sum: 2, Average: 1 })))
    // Sums, filters, several keys.
    await send(PutInsightRuleCommand, { RuleName: 'sum', RuleDefinition: rule({ AggregateOn: 'Sum' }, { ValueOf: '$.bytes', Keys: ['$.ip', '$.method'] }) })
    assert.deepEqual(brief(await report('sum')), [['2.2.2.2/PUT', 500], ['1.1.1.1/GET', 45], ['3.3.3.3/GET', 1]])
    assert.deepEqual(brief(await report('sum', { MaxContributorCount: 1 })), [['2.2.2.2/PUT', 500]])
    const filtered = async (...Filters) => {
      await send(PutInsightRuleCommand, { RuleName: 'filter', RuleDefinition: rule({}, { Filters }) })
      return brief(await report('filter')).map(([ip, n]) => `${ip[0]}x${n}`).join(' ')
    }
    assert.equal(await filtered({ Match: '$.method', In: ['PUT', 'POST'] }), '2x1')
    assert.equal(await filtered({ Match: '$.method', NotIn: ['PUT'] }), '1x3 2x1 3x1')
    assert.equal(await filtered({ Match: '$.ip', StartsWith: ['1.', '3.'] }, { Match: '$.bytes', GreaterThan: 9 }), '1x2')
    assert.equal(await filtered({ Match: '$.bytes', LessThan: 6 }), '1x1 3x1')
    assert.equal(await filtered({ Match: '$.bytes', EqualTo: 500 }), '2x1')
    assert.equal(await filtered({ Match: '$.bytes', NotEqualTo: 500 }), '1x3 2x1 3x1')
    assert.equal(await filtered({ Match: '$.tags[0].k', IsPresent: true }, { Match: '$.tags[1].k', IsPresent: false }), '1x3 2x2 3x1')
    // A metric of a rule in GetMetricData.
    const { MetricDataResults: [unique] } = await send(GetMetricDataCommand, { StartTime: at, EndTime: new Date(minuteOf(5)), ScanBy: 'TimestampAscending',
      MetricDataQueries: [{ Id: 'u', Expression: "INSIGHT_RULE_METRIC('count', 'UniqueContributors')", Period: 60 }] })
    assert.deepEqual(unique.Values, [1, 2, 2])
    // Disabled: what comes later does not count; enabled again it does.
    const none = (await send(DisableInsightRulesCommand, { RuleNames: ['count', 'nobody'] })).Failures
    assert.deepEqual(none.map((f) => [f.FailureResource, f.ExceptionType]), [['arn:aws:cloudwatch:us-east-1:123456789012:insight-rule/nobody', 'ResourceNotFoundException']])
    await lines(server, 'api-one', 's', [line('7.7.7.7', 1, 70)])
    const later = { StartTime: at, EndTime: new Date(minuteOf(100)), Period: 300 }
    assert.equal((await report('count', later)).ApproximateUniqueCount, 3)
    await send(EnableInsightRulesCommand, { RuleNames: ['count'] })
    assert.equal((await report('count', later)).ApproximateUniqueCount, 4)
    const { InsightRules } = await send(DescribeInsightRulesCommand, {})
    assert.deepEqual(InsightRules.map((r) => [r.Name, r.State]), [['count', 'ENABLED'], ['filter', 'ENABLED'], ['sum', 'ENABLED']])
    assert.deepEqual([InsightRules[0].Definition, JSON.parse(InsightRules[0].Schema)], [rule(), { Name: 'CloudWatchLogRule', Version: 1 }])
    const page = await send(DescribeInsightRulesCommand, { MaxResults: 2 })
    assert.deepEqual((await send(DescribeInsightRulesCommand, { MaxResults: 2, NextToken: page.NextToken })).InsightRules.map((r) => r.Name), ['sum'])
    assert.deepEqual((await send(DeleteInsightRulesCommand, { RuleNames: ['count', 'sum', 'filter'] })).Failures, [])
    await refused(report('count'), /^ResourceNotFoundException$/)
    // What is no rule.
    const wrong = (definition, message) => refused(send(PutInsightRuleCommand, { RuleName: 'x', RuleDefinition: definition }), /^InvalidParameterValue/, message)
    await wrong('{', /no JSON object/)
    await wrong(rule({ Schema: { Name: 'Other', Version: 1 } }), /Schema is/)
    await wrong(rule({ LogFormat: 'XML' }), /LogFormat is JSON or CLF/)
    await wrong(rule({}, { Keys: [] }), /1 to 4 of them/)
    await wrong(rule({}, { Keys: ['ip'] }), /named like \$\.name: ip/)
    await wrong(rule({ AggregateOn: 'Sum' }), /wants a ValueOf/)
    await wrong(rule({}, { Filters: [{ Match: '$.a', Like: ['x'] }] }), /no such operator: Like/)
    await refused(send(PutInsightRuleCommand, { RuleName: 'x', RuleDefinition: rule(), RuleState: 'ON' }), /^InvalidParameterValue/, /ENABLED, DISABLED/)
  })

test('the common log format; tags; the query protocol', async (t) => {
  const { server, send } = await open(t)
  const at = await minute(server, -10)
  await stream(server, 'access', 's')
  await lines(server, 'access', 's', ['"GET /a HTTP/1.1" 200', '"GET /b HTTP/1.1" 404', '"GET /b HTTP/1.1" 200'].map((end, i) => [`10.0.0.${i % 2} - - [10/Oct/2000:13:55:36 -0700] ${end} 12`, +at]))
  const definition = JSON.stringify({ Schema: { Name: 'CloudWatchLogRule', Version: 1 }, LogGroupNames: ['access'], LogFormat: 'CLF', Fields: { 1: 'Address', 6: 'Status' },
    Contribution: { Keys: ['Address', '5'], Filters: [{ Match: 'Status', EqualTo: 200 }] }, AggregateOn: 'Count' })
  const made = await form(server, 'PutInsightRule', { RuleName: 'clf', RuleState: 'ENABLED', RuleDefinition: definition, 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'a' })
  assert.match(made.body, /<PutInsightRuleResponse [^>]*><PutInsightRuleResult><\/PutInsightRuleResult>/)
  const ask = (RuleName) => form(server, 'GetInsightRuleReport', { RuleName, StartTime: at.toISOString(), EndTime: new Date(+at + MINUTE).toISOString(), Period: '60', 'Metrics.member.1': 'Sum' })
  const { body } = await ask('clf')
  assert.match(body, /<KeyLabels><member>Address<\/member><member>5<\/member><\/KeyLabels>.*<AggregateValue>2<\/AggregateValue><ApproximateUniqueCount>2<\/ApproximateUniqueCount>/)
  assert.match(body, /<Keys><member>10.0.0.0<\/member><member>GET \/b HTTP\/1.1<\/member><\/Keys><ApproximateAggregateValue>1<\/ApproximateAggregateValue><Datapoints><member><Timestamp>20[^<]*:00Z<\/Timestamp>/)
  const missing = await ask('none')
  assert.equal(missing.status, 404)
  assert.match(missing.body, /<Code>ResourceNotFoundException<\/Code>/)
  // Tags are those of the making; TagResource changes them, and what happens to the rule does not.
  const ResourceARN = 'arn:aws:cloudwatch:us-east-1:123456789012:insight-rule/clf'
  const tags = async () => (await send(ListTagsForResourceCommand, { ResourceARN })).Tags.map(({ Key, Value }) => `${Key}=${Value}`)
  await send(PutInsightRuleCommand, { RuleName: 'clf', RuleDefinition: definition, Tags: [{ Key: 'other', Value: 'x' }] })
  assert.deepEqual(await tags(), ['team=a'])
  await send(TagResourceCommand, { ResourceARN, Tags: [{ Key: 'more', Value: 'b' }] })
  await send(DisableInsightRulesCommand, { RuleNames: ['clf'] })
  await send(UntagResourceCommand, { ResourceARN, TagKeys: ['team'] })
  assert.deepEqual(await tags(), ['more=b'])
  await refused(send(ListTagsForResourceCommand, { ResourceARN: `${ResourceARN}x` }), /^ResourceNotFoundException$/)
})

test('rules and detectors survive kill -9', async (t) => {
  const house = await open(t)
  await house.send(PutInsightRuleCommand, { RuleName: 'kept', RuleDefinition: rule(), RuleState: 'DISABLED' })
  await house.send(PutAnomalyDetectorCommand, { Namespace: 'n', MetricName: 'm', Stat: 'Sum' })
  await house.server.kill9()
  await house.server.restart()
  house.again()
  assert.deepEqual((await house.send(DescribeInsightRulesCommand, {})).InsightRules.map((r) => [r.Name, r.State, r.Definition]), [['kept', 'DISABLED', rule()]])
  assert.deepEqual((await house.send(DescribeAnomalyDetectorsCommand, {})).AnomalyDetectors.map((d) => d.MetricName), ['m'])
})
