// SE-8: repeated abuse of an API is a metric with an alarm, from rejected tokens to the message in a room.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { connect, refused } from '../lib/client.mjs'
import { secret, token } from '../lib/token.mjs'
import { until } from '../lib/weir.mjs'
import { MINUTE, open } from './alarm-lib.mjs'

test('a hundred rejected tokens raise the alarm of their API alone', async (t) => {
  const house = await open(t, { config: 'apps: [notes, echo]\n', env: { JWT_SECRET: secret } })
  const { server } = house, ear = await connect(`${server.ws}/echo`)
  await house.advance(0)
  const declared = await house.alarm('weir-abuse-notes')
  await house.make('weir-abuse-notes', { Namespace: declared.Namespace, MetricName: declared.MetricName, Dimensions: declared.Dimensions, Statistic: declared.Statistic, Period: declared.Period,
    Threshold: declared.Threshold, TreatMissingData: declared.TreatMissingData, AlarmActions: ['weir:broadcast:echo'] })
  const forged = token({ sub: 'nobody', exp: 4102444800 }, { key: 'another secret, of at least 32 bytes, too' })
  for (let i = 0; i < 101; i++) assert.equal((await refused(`${server.ws}/notes?token=${forged}`)).status, 401)
  let heard
  ear.json().then((message) => (heard = message))
  await until('the alarm', async () => { // what is measured is put once a second, and an alarm looks at whole minutes
    await house.advance(MINUTE)
    return heard
  }, { every: 500 })
  assert.deepEqual([heard.alarmData.alarmName, heard.alarmData.state.value], ['weir-abuse-notes', 'ALARM'])
  assert.equal((await house.alarm('weir-abuse-echo')).StateValue, 'OK')
  await house.advance(20 * MINUTE) // three periods are looked at, and the last one with data decides
  await house.state('weir-abuse-notes', 'OK')
  await ear.close()
})
