// The alarms of the documents, from real traffic to ALARM and back to OK, with the clock driven. The handlers are a team's own, behind the function names that the alarms watch.
// AL-1, AL-2, AL-5; AL-3: figures-refusals, AL-4: faults/alarm-duration, AL-6: monitor
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { connect } from '../lib/client.mjs'
import { backend } from '../lib/backend.mjs'
import { seconds, secret, token } from '../lib/token.mjs'
import { until } from '../lib/weir.mjs'
import { MINUTE, open } from './alarm-lib.mjs'

/** The client's kept connections are older than the server keeps them, then. */
const pass = async (house, ms) => {
  await house.advance(ms)
  house.again()
}

/** Minutes pass until the alarm is in that state. `between`: traffic of each minute. */
const becomes = (house, name, state, between) => until(`${name} is ${state}`, async () => {
  await between?.()
  await pass(house, MINUTE)
  return (await house.alarm(name)).StateValue === state
}, { every: 300, within: 60000 })

test('AL-1: a handler that fails more than ten times in five minutes', async (t) => {
  const back = await backend(t, (event) => ({ status: JSON.parse(event.body).fails ? 500 : 200, body: '"fine"' }))
  const house = await open(t, { config: `apps: [riddle_rush]
apis:
  quiz:
    routes:
      answer: { url: "${back.url}/answer", function: "riddle-rush-ws-message-{env}" }
` })
  const name = 'riddle-rush-ws-message-errors-dev', player = await connect(`${house.server.ws}/quiz`)
  const play = async (...all) => {
    for (const fails of all) {
      player.send({ action: 'answer', fails })
      await player.text()
    }
  }
  const failing = async (times) => {
    for (let i = 0; i < times; i++) await play(true, false) // many in a row would open the circuit, and nothing would run any more
  }
  await house.advance(0)
  await failing(10)
  await becomes(house, name, 'OK') // ten are not more than ten
  await pass(house, 10 * MINUTE)
  assert.equal((await house.alarm(name)).StateValue, 'OK')
  await failing(11)
  await becomes(house, name, 'ALARM')
  await becomes(house, name, 'OK', () => play(false))
  await player.close(1000)
})

test('AL-2: a handler that takes longer than five seconds on average', async (t) => {
  let waiting = []
  let slow = true
  const back = await backend(t, async () => {
    if (slow) await new Promise((resolve) => waiting.push(resolve))
    return '"fine"'
  })
  const house = await open(t, { config: `apps: [riddle_rush]
apis:
  quiz:
    routes:
      answer: { url: "${back.url}/answer", function: "riddle-rush-ws-message-{env}" }
` })
  const name = 'riddle-rush-ws-message-duration-dev', player = await connect(`${house.server.ws}/quiz`)
  await house.advance(0)
  player.send({ action: 'answer' })
  await until('the handler runs', () => waiting.length)
  await house.advance(6000)
  waiting.forEach((go) => go())
  await player.text()
  await becomes(house, name, 'ALARM')
  slow = false
  await becomes(house, name, 'OK', async () => {
    player.send({ action: 'answer' })
    await player.text()
  })
  assert.notEqual((await house.alarm('riddle-rush-ws-message-errors-dev')).StateValue, 'ALARM')
  await player.close(1000)
})

/* 100 MiB are more than one call can have here, so the alarm is tuned, as a team would: the figure, the dimensions and the rest stay. */
test('AL-5: WebSocketMemoryAlarm', async (t) => {
  const house = await open(t, { config: `apps:\n  conversation:\n    jwt: { secret: "${secret}" }\n` })
  const { server } = house, name = 'WebSocketMemoryAlarm'
  const exp = seconds(await server.now(), 10 * 3600)
  const ada = await connect(`${server.ws}/conversation?token=${token({ sub: 'ada', name: 'Ada', email: 'ada@example.com', exp })}`)
  await house.advance(0)
  const { AlarmName, Namespace, MetricName, Dimensions, Statistic, Period, EvaluationPeriods, ComparisonOperator, Threshold } = await house.alarm(name)
  assert.equal(Threshold, 100 * 1024 * 1024)
  const small = async () => assert.equal((await ada.ask({ type: 'ping' })).type, 'pong')
  const large = async () => assert.equal((await ada.ask({ type: 'ping', filler: 'x'.repeat(400000) })).type, 'pong')
  await house.make(AlarmName, { Namespace, MetricName, Dimensions, Statistic, Period, EvaluationPeriods, ComparisonOperator, Threshold: 200000 })
  await becomes(house, name, 'OK', small)
  await becomes(house, name, 'ALARM', large)
  await becomes(house, name, 'OK', small)
  await ada.close(1000)
})
