// Composite alarms: rules over children, in one commit with them; what may stand and what may go; suppressed actions.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { DescribeAlarmsCommand, PutCompositeAlarmCommand } from '@aws-sdk/client-cloudwatch'
import { until } from '../lib/weir.mjs'
import { MINUTE, open, refused } from './alarm-lib.mjs'

const both = ['CompositeAlarm', 'MetricAlarm']

async function family(t) {
  const house = await open(t)
  for (const name of ['a', 'b']) await house.make(name, { MetricName: name })
  const compose = (AlarmName, AlarmRule, more = {}) => house.send(PutCompositeAlarmCommand, { AlarmName, AlarmRule, ...more })
  return { ...house, house, compose }
}

test('a rule is evaluated when it is put, and with every change of its children, level by level', async (t) => {
  const { house, compose, set, alarm, history } = await family(t)
  await compose('either', 'ALARM(a) OR ALARM("b")', { AlarmDescription: 'one of them' })
  await compose('top', 'ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:either) AND NOT OK(b)')
  const made = await alarm('either')
  assert.deepEqual([made.StateValue, made.AlarmRule, made.AlarmDescription], ['OK', 'ALARM(a) OR ALARM("b")', 'one of them'])
  assert.match(made.StateReason, /alarm:either was created and its alarm rule evaluates to OK$/)
  await set('a', 'ALARM')
  const now = await alarm('either')
  assert.deepEqual([now.StateValue, (await alarm('top')).StateValue], ['ALARM', 'ALARM'])
  assert.match(now.StateReason, /^arn:aws:cloudwatch:us-east-1:123456789012:alarm:a transitioned to ALARM at \w+ \d\d \w+, \d{4} \d\d:\d\d:\d\d UTC$/)
  assert.equal(JSON.parse(now.StateReasonData).triggeringAlarms[0].state.value, 'ALARM')
  await set('b', 'OK')
  assert.deepEqual([(await alarm('either')).StateValue, (await alarm('top')).StateValue], ['ALARM', 'OK'])
  const types = (await history('top')).map((e) => [e.AlarmType, e.HistoryItemType])
  assert.deepEqual(types, [['CompositeAlarm', 'ConfigurationUpdate'], ['CompositeAlarm', 'StateUpdate'], ['CompositeAlarm', 'StateUpdate'], ['CompositeAlarm', 'StateUpdate']])
  await compose('either', 'FALSE')
  assert.equal((await alarm('either')).StateValue, 'OK')
  await house.put(20, { MetricName: 'a' })
  await compose('either', 'ALARM(a)')
  await house.set('a', 'OK')
  await house.advance(MINUTE) // by the evaluation of a child, too
  await house.state('either', 'ALARM')
})

test('children and parents', async (t) => {
  const { compose, send } = await family(t)
  await compose('both', 'ALARM(a) AND ALARM(b)')
  await compose('one', 'ALARM(a)')
  const names = async (input) => {
    const { CompositeAlarms, MetricAlarms } = await send(DescribeAlarmsCommand, input)
    return [...CompositeAlarms, ...MetricAlarms].map((x) => x.AlarmName)
  }
  assert.deepEqual(await names({ ChildrenOfAlarmName: 'both' }), ['a', 'b'])
  assert.deepEqual(await names({ ParentsOfAlarmName: 'a' }), ['both', 'one'])
  assert.deepEqual(await names({ ParentsOfAlarmName: 'b' }), ['both'])
  assert.deepEqual(await names({ AlarmTypes: both }), ['both', 'one', 'a', 'b'])
  await compose('both', 'ALARM(b)')
  assert.deepEqual(await names({ ParentsOfAlarmName: 'a' }), ['one'])
  await refused(send(DescribeAlarmsCommand, { ParentsOfAlarmName: 'a', StateValue: 'OK' }), /^InvalidParameterCombination/)
})

test('AT_LEAST: so many of them, or so large a part', async (t) => {
  const { make, set, send, state, alarm } = await open(t)
  for (const name of ['a', 'b', 'c']) await make(name)
  await send(PutCompositeAlarmCommand, { AlarmName: 'two', AlarmRule: 'AT_LEAST(2, ALARM, (a, "b", arn:aws:cloudwatch:us-east-1:123456789012:alarm:c))' })
  await send(PutCompositeAlarmCommand, { AlarmName: 'most', AlarmRule: 'AT_LEAST(60%, NOT INSUFFICIENT_DATA, (a, b, c))' })
  await set('a', 'ALARM')
  assert.equal((await alarm('two')).StateValue, 'OK')
  await set('c', 'ALARM')
  await state('two', 'ALARM')
  await state('most', 'ALARM')
  await set('a', 'OK')
  await state('two', 'OK')
})

test('what may not stand, and what may not go', async (t) => {
  const { compose, remove, make, alarm } = await family(t)
  const validation = /^Validation/
  await refused(compose('x', 'ALARM(a) NAND OK(b)'), validation, "Error in AlarmRule [Unsupported token 'NAND' at char 9]")
  await refused(compose('x', 'ALARM(nobody)'), validation, 'Could not save the composite alarm as alarms [nobody] in the alarm rule do not exist')
  await refused(compose('x', 'ALARM(x)'), validation, /leads back to the alarm itself/)
  await compose('x', 'ALARM(a)')
  await compose('y', 'ALARM(x)')
  await refused(compose('x', 'ALARM(y)'), validation, /leads back to the alarm itself/)
  assert.equal((await alarm('x')).AlarmRule, 'ALARM(a)')
  await refused(make('x'), validation, /is that of a composite alarm/)
  await refused(compose('a', 'TRUE'), validation, /is that of a metric alarm/)
  await refused(compose('x', 'ALARM(a)', { ActionsSuppressor: 'b' }), /^MissingRequiredParameter/, /ActionsSuppressorWaitPeriod/)
  await refused(remove('a'), validation, 'Alarm a cannot be deleted as it is used by the composite alarm x')
  await refused(remove('x', 'y'), validation, 'At most one composite alarm can be deleted by one request.')
  await remove('y')
  await remove('x', 'a')
  assert.equal(await alarm('a'), undefined)
  for (let i = 0; i < 16; i++) await compose(`l${i}`, i ? `ALARM(l${i - 1})` : 'ALARM(b)')
  await refused(compose('deep', 'ALARM(l15)'), validation, /at most 16 levels deep/)
})

test('a suppressor holds actions back; what is owed at its end is told then', async (t) => {
  const { house, compose, set, alarm, make, history } = await family(t)
  for (const name of ['a', 'quiet']) await make(name, { MetricName: name, TreatMissingData: 'ignore' }) // what is set stays set
  await compose('c', 'ALARM(a)', { AlarmActions: ['weir:broadcast:web'], OKActions: ['weir:broadcast:web'], ActionsSuppressor: 'quiet', ActionsSuppressorWaitPeriod: 120, ActionsSuppressorExtensionPeriod: 180 })
  const told = async () => (await history('c')).filter((e) => e.HistoryItemType === 'Action').length
  const begin = await told()
  /* The waiting time runs out: the actions run. */
  await set('a', 'ALARM')
  assert.equal((await alarm('c')).ActionsSuppressedBy, 'WaitPeriod')
  assert.equal(await told(), begin)
  await house.advance(121000)
  await until('the actions after the wait', async () => (await told()) === begin + 1)
  assert.equal((await alarm('c')).ActionsSuppressedBy, undefined)
  await set('a', 'OK')
  assert.equal(await told(), begin + 2)
  /* Back before the wait is over: nothing is told. */
  await set('a', 'ALARM')
  await set('a', 'OK')
  assert.equal(await told(), begin + 2)
  /* The suppressor comes in time, goes, and the extension passes. */
  await set('a', 'ALARM')
  await set('quiet', 'ALARM')
  assert.equal((await alarm('c')).ActionsSuppressedBy, 'Alarm')
  await set('quiet', 'OK')
  const waiting = await alarm('c')
  assert.deepEqual([waiting.StateValue, waiting.ActionsSuppressedBy], ['ALARM', 'ExtensionPeriod'])
  assert.equal(await told(), begin + 2)
  await house.advance(181000)
  await until('the actions after the extension', async () => (await told()) === begin + 3)
  /* While it is there, nothing is told at all; without an extension the end of it is the end. */
  await set('quiet', 'ALARM')
  await set('a', 'OK')
  await set('a', 'ALARM')
  assert.equal(await told(), begin + 3)
})
