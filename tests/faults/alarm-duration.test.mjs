// A disk that stands still for seconds: messages that wait for it are slow, and the documents' alarm says so, until the disk is well again. A disk without room: requests that it refuses are the
// service's errors.
// AL-4, ME-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { until } from '../wire/lib/weir.mjs'
import { connect } from '../wire/lib/client.mjs'
import { seconds, secret, token } from '../wire/lib/token.mjs'
import { call, ok, table } from '../wire/dynamodb/lib.mjs'
import { advance, client, json, minute, values } from '../wire/cloudwatch/lib.mjs'
import { startFaulty } from './lib/faults.mjs'

const alarm = async (server, name) => (await json(server, 'DescribeAlarms', { AlarmNames: [name] })).json.MetricAlarms[0].StateValue

test('AL-4: WebSocketDurationAlarm', async (t) => {
  const { server, faults } = await startFaulty(t, { config: `apps:\n  conversation:\n    jwt: { secret: "${secret}" }\n` })
  const name = 'WebSocketDurationAlarm', exp = seconds(await server.now(), 24 * 3600)
  const ada = await connect(`${server.ws}/conversation?token=${token({ sub: 'ada', name: 'Ada', email: 'ada@example.com', exp })}`)
  const quick = async () => {
    ada.send({ type: 'message', message: 'hello' })
    for (let seen = 0; seen < 2; seen++) await ada.json() // the acknowledgement, and what came of it
  }
  const slow = async () => {
    faults.set('fdatasync hold')
    ada.send({ type: 'message', message: 'hello' })
    await faults.injected('fdatasync hold')
    await advance(server, 20000)
    faults.clear()
    faults.forget()
    for (let seen = 0; seen < 2; seen++) await ada.json()
  }
  const becomes = (state, between) => until(`${name} is ${state}`, async () => {
    await between()
    await until('the figure is put', async () => (await server.counters()).tick_calls_waiting === 0)
    await advance(server, 40000)
    return (await alarm(server, name)) === state
  }, { every: 1200, within: 120000 })
  await becomes('OK', quick)
  await becomes('ALARM', slow)
  await becomes('OK', quick)
  await ada.close(1000)
})

test('SystemErrors: requests that the server answers with 500', async (t) => {
  const { server, faults } = await startFaulty(t, { config: 'apps: [echo]\n' })
  await table(server, 'orders')
  faults.set('statvfs low')
  let tries = 0, failed = 0
  const put = (id) => call(server, 'PutItem', { TableName: 'orders', Item: { id: { S: id }, tries: { N: `${tries++}` } } }) // one that changes nothing writes nothing
  await until('a write is refused', async () => {
    const { status, body } = await put(`${failed}`)
    if (status === 500) failed++
    else if (status !== 200) throw new Error(body)
    return failed >= 3
  })
  faults.clear()
  await until('it heals', async () => {
    const { status } = await put('healed')
    if (status === 500) failed++
    return status === 200
  })
  await ok(server, 'GetItem', { TableName: 'orders', Key: { id: { S: 'healed' } } })
  const cloudwatch = client(server)
  t.after(() => cloudwatch.destroy())
  for (const Dimensions of [[{ Name: 'TableName', Value: 'orders' }], []])
    await until('the figure', async () => {
      const sum = (await values(cloudwatch, 'AWS/DynamoDB', 'SystemErrors', 'Sum', await minute(server, -5), await minute(server, 2), { Dimensions })).reduce((a, b) => a + b, 0)
      if (sum === failed) return true
      throw new Error(`${sum} instead of ${failed}`)
    }, { every: 200, within: 30000 })
})
