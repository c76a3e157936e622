// Alarms for tests: a server without declared ones, a client, and the little that every test says again.
import { DeleteAlarmsCommand, DescribeAlarmHistoryCommand, DescribeAlarmsCommand, PutMetricAlarmCommand, PutMetricDataCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch'
import assert from 'node:assert/strict'
import { atEnd, start, until } from '../lib/weir.mjs'
import { advance, client } from './lib.mjs'

export const MINUTE = 60000

/** An API that nobody uses, so that the only alarms are the test's. */
export const bare = 'figures: false\napis:\n  web:\n    routes:\n      nobody: http://127.0.0.1:9/\n'

export async function open(t, { protocol, config = bare, ...options } = {}) {
  const server = await start(t, { config, ...options })
  let cloudwatch = client(server, protocol)
  atEnd(t, () => cloudwatch.destroy())
  const send = (Command, input = {}) => cloudwatch.send(new Command(input))
  const house = {
    server,
    send,
    again: () => {
      cloudwatch.destroy()
      cloudwatch = client(server, protocol)
    },
    /** Moves the clock, the client's as well. */
    advance: async (ms) => {
      await advance(server, ms)
      cloudwatch.config.systemClockOffset = server.skew
    },
    alarm: async (name) => {
      const { MetricAlarms, CompositeAlarms } = await send(DescribeAlarmsCommand, { AlarmNames: [name], AlarmTypes: ['MetricAlarm', 'CompositeAlarm'] })
      return (MetricAlarms ?? [])[0] ?? (CompositeAlarms ?? [])[0]
    },
    state: (name, value) => until(`${name} is ${value}`, async () => {
      const alarm = await house.alarm(name)
      return alarm?.StateValue === value && alarm
    }),
    make: (AlarmName, more = {}) => send(PutMetricAlarmCommand, { AlarmName, ...metric, ...more }),
    put: (Value, more = {}) => send(PutMetricDataCommand, { Namespace: 'ns', MetricData: [{ MetricName: 'm', Value, ...more }] }),
    set: (AlarmName, StateValue, StateReason = 'a test') => send(SetAlarmStateCommand, { AlarmName, StateValue, StateReason }),
    remove: (...AlarmNames) => send(DeleteAlarmsCommand, { AlarmNames }),
    history: async (AlarmName, more = {}) => (await send(DescribeAlarmHistoryCommand, { AlarmName, ScanBy: 'TimestampAscending', ...more })).AlarmHistoryItems ?? [],
    /** Looks at alarms until so many evaluations more have been counted. */
    evaluated: (before, count = 1) => until('an evaluation', async () => (await server.counters()).alarm_evaluations >= before + count),
  }
  return house
}

// What is set stays set while there is no data: the server evaluates once behind its start and then each minute, whenever that is for a test.
export const metric = { Namespace: 'ns', MetricName: 'm', Statistic: 'Average', Period: 60, EvaluationPeriods: 1, Threshold: 10, ComparisonOperator: 'GreaterThanThreshold', TreatMissingData: 'ignore' }

export async function refused(promise, name, message) {
  await assert.rejects(promise, (error) => {
    assert.match(error.name, name)
    if (message instanceof RegExp) assert.match(error.message, message)
    else if (message) assert.equal(error.message, message)
    return true
  })
}
