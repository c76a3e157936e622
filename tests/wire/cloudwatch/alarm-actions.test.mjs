// What alarms do: webhooks (signed, tried again, durable), rooms and broadcasts, routes; and that none of it holds anybody up.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import http from 'node:http'
import { connect } from '../lib/client.mjs'
import { atEnd, until } from '../lib/weir.mjs'
import { secret as jwtSecret } from '../lib/token.mjs'
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch'
import { MINUTE, bare, open } from './alarm-lib.mjs'

const secret = 'a secret of webhooks'

/** An HTTP server that keeps whole bodies with their headers. */
async function hook(t, answer = () => 200) {
  const calls = []
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    calls.push({ headers: request.headers, body, path: request.url })
    response.writeHead(answer(calls.length))
    response.end('ok')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}/hook`, calls, call: (count) => until(`call ${count} of the webhook`, () => calls[count - 1]) }
}

const actions = async (house, name) => (await house.history(name)).filter((e) => e.HistoryItemType === 'Action').map((e) => e.HistorySummary)

test('a webhook: the payload, the signature, tried again, told in the history', async (t) => {
  const to = await hook(t, (n) => (n < 3 ? 503 : 200))
  const house = await open(t, { config: `alarmWebhook: {secretEnv: HOOK_SECRET}\n${bare}`, env: { HOOK_SECRET: secret } })
  await house.make('high', { AlarmDescription: 'a description', AlarmActions: [to.url], Dimensions: [{ Name: 'Host', Value: 'a' }] })
  await house.put(20, { Dimensions: [{ Name: 'Host', Value: 'a' }] })
  await house.advance(MINUTE)
  await to.call(1)
  for (let n = 2; n <= 3; n++) { // the waiting times are the server's own
    await until(`attempt ${n}`, async () => {
      await house.advance(500)
      return to.calls.length >= n
    })
  }
  const { headers, body } = to.calls[2]
  const signed = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-weir-signature'])
  assert.equal(createHmac('sha256', secret).update(`${signed[1]}.${body}`).digest('hex'), signed[2])
  assert.ok(Math.abs(Number(signed[1]) * 1000 - await house.server.now()) < 10 * MINUTE)
  assert.equal(headers['content-type'], 'application/json')
  const payload = JSON.parse(body), { alarmData } = payload
  assert.deepEqual([payload.source, payload.alarmArn, payload.accountId, payload.region], ['aws.cloudwatch', 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:high', '123456789012', 'us-east-1'])
  assert.match(payload.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/)
  assert.deepEqual([alarmData.alarmName, alarmData.state.value, alarmData.previousState.value, alarmData.configuration.description], ['high', 'ALARM', 'INSUFFICIENT_DATA', 'a description'])
  assert.deepEqual(alarmData.configuration.metrics[0].metricStat, { metric: { namespace: 'ns', name: 'm', dimensions: { Host: 'a' } }, period: 60, stat: 'Average' })
  assert.equal(JSON.parse(alarmData.state.reasonData).recentDatapoints[0], 20)
  await until('the action in the history', async () => (await actions(house, 'high'))[0] === `Successfully executed action ${to.url}`)
  assert.equal(to.calls.length, 3)
})

test('a webhook that refuses is told as failed, and is not signed without a secret', async (t) => {
  const to = await hook(t, () => 404)
  const house = await open(t)
  await house.make('a', { AlarmActions: [to.url] })
  await house.set('a', 'ALARM')
  assert.equal((await to.call(1)).headers['x-weir-signature'], undefined)
  await until('the failure', async () => (await actions(house, 'a'))[0] === `Failed to execute action ${to.url}`)
  const [event] = (await house.history('a')).filter((e) => e.HistoryItemType === 'Action')
  assert.equal(JSON.parse(event.HistoryData).error, 'answered with status 404')
  assert.equal((await house.server.counters()).alarm_actions_failed, 1)
})

test('actions run on transitions alone, and not while they are switched off', async (t) => {
  const to = await hook(t)
  const house = await open(t)
  await house.make('a', { AlarmActions: [to.url], OKActions: [`${to.url}-ok`], InsufficientDataActions: [`${to.url}-none`] })
  await house.set('a', 'ALARM')
  await house.set('a', 'ALARM', 'again')
  await house.set('a', 'OK')
  await house.set('a', 'INSUFFICIENT_DATA')
  await to.call(3)
  await house.make('a', { ActionsEnabled: false, AlarmActions: [to.url] })
  await house.set('a', 'ALARM')
  await house.make('a', { AlarmActions: [to.url] })
  await house.set('a', 'OK')
  await house.set('a', 'ALARM')
  await to.call(4)
  assert.deepEqual(to.calls.map((c) => c.path.replace('/hook', '')).toSorted(), ['', '', '-none', '-ok'])
})

test('a transition that was committed before kill -9 still sends its webhook', async (t) => {
  let open503 = true
  const to = await hook(t, () => (open503 ? 503 : 200))
  const house = await open(t)
  await house.make('a', { AlarmActions: [to.url] })
  await house.set('a', 'ALARM')
  await to.call(1)
  await house.server.kill9()
  open503 = false
  const before = to.calls.length
  await house.server.restart()
  house.again()
  await to.call(before + 1)
  assert.equal(JSON.parse(to.calls.at(-1).body).alarmData.state.value, 'ALARM')
  await until('the action in the history', async () => (await actions(house, 'a'))[0] === `Successfully executed action ${to.url}`)
})

test('a room, a broadcast, and a route hear of it', async (t) => {
  const house = await open(t, { config: 'figures: false\napps: [echo, notes, landing_hub]\n', env: { JWT_SECRET: jwtSecret } })
  const { server } = house
  const member = await connect(`${server.ws}/echo`), stranger = await connect(`${server.ws}/echo`)
  await member.ask({ action: 'join', room: 'operators' })
  await house.make('short', { AlarmActions: ['weir:room:echo/operators', 'weir:route:notes/@alarm', 'weir:room:nowhere/x', 'weir:route:notes/@nothing'] })
  await house.make('long', { AlarmActions: ['arn:aws:execute-api:us-east-1:123456789012:echo/prod/@rooms/operators', 'arn:aws:execute-api:us-east-1:123456789012:echo/prod/@broadcast',
    'arn:aws:execute-api:us-east-1:123456789012:notes/prod/@alarm'] })
  await house.set('short', 'ALARM')
  const heard = await member.json()
  assert.deepEqual([heard.source, heard.alarmData.alarmName, heard.alarmData.state.value], ['aws.cloudwatch', 'short', 'ALARM'])
  assert.deepEqual(await actions(house, 'short'), ['Successfully executed action weir:room:echo/operators', 'Successfully executed action weir:route:notes/@alarm',
    'Failed to execute action weir:room:nowhere/x', 'Failed to execute action weir:route:notes/@nothing'])
  await house.set('long', 'ALARM')
  assert.equal((await member.json()).alarmData.alarmName, 'long')
  assert.equal((await member.json()).alarmData.alarmName, 'long')
  assert.equal((await stranger.json()).alarmData.alarmName, 'long')
  const { DynamoDBClient, ScanCommand } = await import('@aws-sdk/client-dynamodb')
  const { credentials } = await import('../dynamodb/lib.mjs')
  const dynamo = new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
  atEnd(t, () => dynamo.destroy())
  await until('the notes', async () => {
    const { Items } = await dynamo.send(new ScanCommand({ TableName: 'notes' }))
    return Items.map((i) => `${i.board.S}/${i.id.S}: ${i.text.S}`).toSorted().join() === 'alarms/long: ALARM,alarms/short: ALARM'
  })
  await Promise.all([member.close(), stranger.close()])
})

test('an API with an envelope wraps it', async (t) => {
  const house = await open(t, { config: 'figures: false\napps:\n  landing_hub: {auth: none}\n' })
  const socket = await connect(`${house.server.ws}/landing-hub`)
  await house.make('a', { AlarmActions: ['weir:broadcast:landing-hub'] })
  await house.set('a', 'ALARM')
  const { event, data, timestamp } = await socket.json()
  assert.deepEqual([event, data.alarmData.alarmName, typeof timestamp], ['alarm', 'a', 'string'])
  await socket.close()
})

test('a thousand alarms are evaluated, all of them, while echoes go on', async (t) => {
  const house = await open(t, { config: 'figures: false\napps: [echo]\n' })
  for (let i = 0; i < 1000; i += 50)
    await Promise.all(Array.from({ length: 50 }, (_, k) => house.make(`a${i + k}`, { MetricName: `m${(i + k) % 10}`, TreatMissingData: 'notBreaching' })))
  for (let i = 0; i < 5; i++) await house.put(20, { MetricName: `m${i}` })
  const before = (await house.server.counters()).alarm_evaluations, socket = await connect(`${house.server.ws}/echo`)
  await house.advance(MINUTE)
  let echoes = 0
  await until('a thousand evaluations', async () => {
    assert.equal(await (socket.send(`echo ${echoes}`), socket.text()), `echo ${echoes++}`)
    return (await house.server.counters()).alarm_evaluations >= before + 1000
  })
  const count = async (StateValue) => {
    let all = 0, NextToken
    do {
      const page = await house.send(DescribeAlarmsCommand, { StateValue, MaxRecords: 100, NextToken })
      all += page.MetricAlarms.length
      NextToken = page.NextToken
    } while (NextToken)
    return all
  }
  await until('five hundred in ALARM', async () => (await count('ALARM')) === 500)
  await until('five hundred in OK', async () => (await count('OK')) === 500)
  await socket.close()
})
