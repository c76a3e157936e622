// Alarms that applications and configurations declare: made at start, changed with their declaration, and otherwise left as somebody has set them.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch'
import { run, temporaryFolder } from '../lib/weir.mjs'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { bare, open } from './alarm-lib.mjs'

test('AL-1 to AL-3, AL-7: the alarms of riddle_rush', async (t) => {
  const house = await open(t, { config: 'apps: [riddle_rush]\n', args: ['--env', 'test'] })
  const { MetricAlarms } = await house.send(DescribeAlarmsCommand, { AlarmNamePrefix: 'riddle-rush-', MaxRecords: 100 })
  const by = Object.fromEntries(MetricAlarms.map((a) => [a.AlarmName, a]))
  for (const fn of ['ws-message', 'ws-connect', 'ws-disconnect']) {
    const FunctionName = `riddle-rush-${fn}-test`, errors = by[`riddle-rush-${fn}-errors-test`], duration = by[`riddle-rush-${fn}-duration-test`]
    const seen = (a) => [a.Namespace, a.MetricName, a.Statistic, a.Period, a.EvaluationPeriods, a.Threshold, a.ComparisonOperator, a.Dimensions]
    assert.deepEqual(seen(errors), ['AWS/Lambda', 'Errors', 'Sum', 300, 1, 10, 'GreaterThanThreshold', [{ Name: 'FunctionName', Value: FunctionName }]])
    assert.deepEqual(seen(duration), ['AWS/Lambda', 'Duration', 'Average', 60, 1, 5000, 'GreaterThanThreshold', [{ Name: 'FunctionName', Value: FunctionName }]])
  }
  const throttles = MetricAlarms.filter((a) => a.MetricName === 'ThrottledRequests')
  assert.deepEqual(throttles.map((a) => a.Dimensions[0].Value).toSorted(), ['riddle-rush-leaderboard-test', 'riddle-rush-performance-test', 'riddle-rush-users-test', 'riddle-rush-ws-connections-test'])
  assert.ok(throttles.every((a) => a.Threshold === 0 && a.ComparisonOperator === 'GreaterThanThreshold'))
  assert.ok(MetricAlarms.every((a) => a.AlarmDescription))
})

test('SE-8: each API has an alarm on abuse', async (t) => {
  const house = await open(t, { config: 'apps: [echo, notes]\n' })
  for (const api of ['echo', 'notes']) {
    const abuse = await house.alarm(`weir-abuse-${api}`)
    assert.deepEqual([abuse.Namespace, abuse.MetricName, abuse.Dimensions, abuse.Statistic, abuse.Period, abuse.Threshold], ['Weir', 'Abuse', [{ Name: 'ApiId', Value: api }], 'Sum', 300, 100])
  }
})

const yaml = (threshold) => `alarms:
  - {name: "server-{env}", namespace: Weir, metric: MemoryBytes, statistic: Maximum, threshold: ${threshold}, comparison: ">=", missing: ignore}
${bare}    alarms:
      - {name: "{api}-slow", description: "slow in {env}", namespace: ns, metric: m, dimensions: {Api: "{api}"}, statistic: p99, unit: Milliseconds, period: 5m, evaluationPeriods: 3,
         datapointsToAlarm: 2, threshold: 0.5, actions: ["https://hooks.example/x"], okActions: ["weir:broadcast:web"]}
`

test('a configuration declares alarms, and changes them', async (t) => {
  const house = await open(t, { config: yaml(1000) })
  const made = await house.alarm('web-slow')
  assert.deepEqual([made.AlarmDescription, made.Dimensions, made.ExtendedStatistic, made.Unit, made.Period, made.EvaluationPeriods, made.DatapointsToAlarm, made.Threshold, made.AlarmActions, made.OKActions],
    ['slow in dev', [{ Name: 'Api', Value: 'web' }], 'p99', 'Milliseconds', 300, 3, 2, 0.5, ['https://hooks.example/x'], ['weir:broadcast:web']])
  const server = await house.alarm('server-dev')
  assert.deepEqual([server.Threshold, server.TreatMissingData, server.ComparisonOperator], [1000, 'ignore', 'GreaterThanOrEqualToThreshold'])
  /* Somebody's change over the wire stays as long as the declaration is the same. */
  await house.make('server-dev', { Threshold: 5 })
  await house.set('server-dev', 'ALARM')
  const again = async (config) => {
    await house.server.stop()
    await house.server.restart({ config })
    house.again()
    return house.alarm('server-dev')
  }
  assert.equal((await again(yaml(1000))).Threshold, 5)
  const changed = await again(yaml(2000))
  assert.deepEqual([changed.Threshold, changed.MetricName, changed.StateValue], [2000, 'MemoryBytes', 'ALARM'])
  await house.remove('server-dev')
  assert.equal((await again(yaml(2000))).Threshold, 2000)
})

test('weir check says what is wrong with a declared alarm', async (t) => {
  const folder = temporaryFolder(t), file = path.join(folder, 'weir.yaml')
  const check = async (alarm) => {
    writeFileSync(file, `alarms:\n  - ${alarm}\n`)
    const { code, stdout, stderr } = await run(['check', file])
    return [code, stdout + stderr]
  }
  const good = 'name: a, namespace: n, metric: m, statistic: Sum, threshold: 1'
  assert.equal((await check(`{${good}}`))[0], 0)
  for (const [alarm, words] of [
    ['{name: a}', /an alarm needs 'namespace'/], [`{${good}, period: 45s}`, /period is 10s, 20s, 30s or a multiple of 1m/], [`{${good}, datapointsToAlarm: 2}`, /more than 'evaluationPeriods'/],
    [`{${good.replace('Sum', 'Median')}}`, /not 'Median'/], [`{${good}, comparison: "!="}`, /comparison/], [`{${good}, actions: [somewhere]}`, /not 'somewhere'/],
    [`{${good}, period: 1h, evaluationPeriods: 169}`, /7 days/], [`{${good}, treshold: 2}`, /did you mean threshold/],
  ]) {
    const [code, said] = await check(alarm)
    assert.notEqual(code, 0, alarm)
    assert.match(said, words)
  }
})
