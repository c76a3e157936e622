// The performance monitor: an operation around every route, the document's four around conversation, their figures as metrics, thresholds and what a breach says, alarms, dashboard, and one
// correlation id from the connection to the last line. PM-1 … PM-13, ME-2, AL-4 … AL-7, DB-3, LG-8, CH-6; docs/performance.md
import test from 'node:test'
import assert from 'node:assert/strict'
import { DescribeAlarmsCommand, GetDashboardCommand, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { atEnd, quiet, request, start, until } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { upgrade } from './lib/raw.mjs'
import { backend } from './lib/backend.mjs'
import { seconds, secret, token } from './lib/token.mjs'
import { advance, client, minute } from './cloudwatch/lib.mjs'
import { client as logsClient } from './logs/lib.mjs'

const SPACE = 'WebSocket/Performance'
const MIB = 1 << 20

/** A house with conversation (`more`: YAML of its settings) and whatever else `rest` says. */
async function open(t, more = '', rest = '', options = {}) {
  const config = `apps:
  conversation:
    jwt: {secret: "${secret}"}
${more.split('\n').map((line) => `    ${line}`).join('\n')}
${rest}`
  const server = await start(t, { config, ...options })
  let sdk, logs
  const renew = () => {
    sdk?.destroy()
    logs?.destroy()
    sdk = client(server)
    logs = logsClient(server)
  }
  renew()
  const end = () => (sdk.destroy(), logs.destroy())
  atEnd(t, end)
  const house = {
    server,
    /** Nothing is left, these clients' own connections included. */
    quiet: () => (end(), quiet(server)),
    send: (Command, input) => sdk.send(new Command(input)),
    advance: async (ms) => {
      await advance(server, ms)
      renew()
    },
    given: async (sub, life = 86400) => token({ sub, name: 'Ada L', email: 'ada@example.com', exp: seconds(await server.now(), life) }),
    as: async (sub, options) => connect(`${server.ws}/conversation?token=${await house.given(sub)}`, options),
    /** One statistic of one metric over the last half hour. */
    async figure(name, dimensions, Stat = 'SampleCount', Namespace = SPACE) {
      const { MetricDataResults: [{ Values }] } = await house.send(GetMetricDataCommand, {
        StartTime: await minute(server, -30), EndTime: await minute(server, 2),
        MetricDataQueries: [{ Id: 'm', MetricStat: { Metric: { Namespace, MetricName: name, Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })) }, Period: 3600, Stat } }],
      })
      if (Stat === 'SampleCount' || Stat === 'Sum') return Values.reduce((a, b) => a + b, 0)
      return Values.length ? Math.max(...Values) : undefined
    },
    /** Waits until it is that: figures are written a second later. */
    reaches: (name, dimensions, wanted, Stat, space) => until(`${name} ${JSON.stringify(dimensions)} ${Stat ?? 'SampleCount'} ${wanted}`, async () => {
      const value = await house.figure(name, dimensions, Stat, space)
      if (typeof wanted === 'function' ? wanted(value) : value === wanted) return true
      throw new Error(`it is ${value}`)
    }, { every: 200 }),
    /** The first line of the group that is as wanted. */
    line: (logGroupName, filterPattern) => until(`a line in ${logGroupName} with ${filterPattern}`, async () => {
      await house.advance(1000)
      const { events } = await logs.send(new FilterLogEventsCommand({ logGroupName, filterPattern, startTime: 0 }))
      return events.length && JSON.parse(events[0].message)
    }, { every: 100 }),
    performance: async (api) => (await request(server, 'GET', `/${api}/@performance`)).json,
  }
  return house
}

async function exchange(socket, message, more = {}) {
  const ack = await socket.ask({ type: 'message', message, ...more })
  assert.equal(ack.type, 'ack', JSON.stringify(ack))
  return { ack, outcome: await socket.json() }
}

test('each message is a duration, a memory and a success, by handler and by handler and environment', async (t) => {
  const house = await open(t, '', '', { args: ['--env', 'test'] })
  const { server } = house
  const ada = await house.as('ada')
  for (const message of ['one', 'three', 'Grüße 🌊']) await exchange(ada, message)
  assert.equal((await ada.ask({ type: 'ping' })).type, 'pong')
  assert.equal((await ada.ask({ type: 'history' })).type, 'history')
  assert.equal((await ada.ask({ type: 'auth', token: await house.given('ada') })).type, 'ack')
  assert.equal((await ada.ask({ type: 'shout' })).error, 'UNKNOWN_ACTION')
  for (const name of ['HandlerDuration', 'MemoryUsage', 'ErrorRate'])
    for (const more of [{}, { Environment: 'test' }, { ApiId: 'conversation' }])
      await house.reaches(name, { Handler: 'websocket_conversation', ...more }, 7)
  const of = { Handler: 'websocket_conversation', Environment: 'test' }
  const duration = await house.figure('HandlerDuration', of, 'Maximum')
  assert.ok(duration > 0 && duration < 15000, `${duration} ms`)
  const memory = await house.figure('MemoryUsage', of, 'Maximum')
  assert.ok(memory > 1000 && memory < 16 * MIB, `${memory} bytes`)
  assert.equal(await house.figure('ErrorRate', of, 'Sum'), 100)
  assert.equal(await house.figure('HandlerDuration', { ...of, Environment: 'dev' }), 0)
  assert.ok(await house.figure('HandlerDuration', of, 'p99') >= await house.figure('HandlerDuration', of, 'p50'))

  const business = async (handler, name, wanted, Stat = 'Sum', more = {}) => house.reaches(name, { Handler: handler, ...more }, wanted, Stat)
  await business('websocket_conversation', 'messagesPerMinute', 7)
  await business('websocket_conversation', 'averageMessageLength', 3 + 5 + 8)
  await business('websocket_conversation', 'averageMessageLength', 3, 'SampleCount')
  await business('websocket_conversation', 'authenticationSuccessRate', 100, 'Average')
  for (const [Type, count] of [['message', 3], ['ping', 1], ['auth', 1]]) await business('websocket_conversation', 'messageTypes', count, 'Sum', { Type })
  await business('chat_message_processing', 'messagesProcessedPerMinute', 3)
  await business('chat_message_processing', 'averageProcessingTime', 3, 'SampleCount')
  /* A question: the session (only asked for when the message names one), the message and the session put; the outcome reads both and puts both, and more where others wait. */
  await business('chat_message_processing', 'databaseOperationsPerMessage', (n) => n >= 4 && n <= 12, 'Average')
  await ada.close(1000)
  await business('websocket_connection', 'connectionsPerMinute', 1)
  await business('websocket_connection', 'disconnectReasons', 1, 'Sum', { Reason: 'normal' })
  await business('websocket_connection', 'averageConnectionDuration', 1, 'SampleCount')
  const two = await house.as('ada')
  two.socket._socket.destroy()
  await business('websocket_connection', 'disconnectReasons', 1, 'Sum', { Reason: 'error' })
  const dead = await upgrade(server, `/conversation?token=${await house.given('ada')}`)
  await house.advance(26e3)
  await until('a ping', () => dead.bytes.length >= 2)
  await house.advance(21e3)
  await dead.closed()
  await business('websocket_connection', 'disconnectReasons', 1, 'Sum', { Reason: 'timeout' })
  await house.quiet()
})

test('ordinary routes of other applications are measured by themselves', async (t) => {
  const team = await backend(t, (event, { path }) => (path === '/fails' ? { status: 500 } : 'fine'))
  const server = await start(t, { config: `apps: [riddle_rush, echo]
apis:
  shop:
    routes:
      buy: ${team.url}/buy
      sell: ${team.url}/fails
` })
  const sdk = client(server)
  atEnd(t, () => sdk.destroy())
  const figure = async (name, dimensions, Stat) => {
    const { MetricDataResults: [{ Values }] } = await sdk.send(new GetMetricDataCommand({
      StartTime: await minute(server, -5), EndTime: await minute(server, 2),
      MetricDataQueries: [{ Id: 'm', MetricStat: { Metric: { Namespace: SPACE, MetricName: name, Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })) }, Period: 3600, Stat } }],
    }))
    return Values.reduce((a, b) => a + b, 0)
  }
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (let i = 0; i < 5; i++) assert.equal((await player.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 1 } })).type, 'ack')
  assert.equal((await player.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 'long' } })).type, 'error')
  const buyer = await connect(`${server.ws}/shop`)
  for (const action of ['buy', 'buy', 'sell']) {
    buyer.send({ action })
    await buyer.text()
  }
  const all = async (Handler, ApiId, count, failed) => {
    for (const more of [{}, { Environment: 'dev' }, { ApiId }])
      await until(`${Handler} ${JSON.stringify(more)}`, async () => {
        const seen = [await figure('HandlerDuration', { Handler, ...more }, 'SampleCount'), await figure('ErrorRate', { Handler, ...more }, 'Sum')]
        if (seen[0] === count && seen[1] === failed * 100) return true
        throw new Error(`it is ${seen}`)
      }, { every: 200 })
    assert.ok(await figure('MemoryUsage', { Handler, ApiId }, 'Sum') > 0)
  }
  await all('logPerformance', 'riddle-rush', 6, 1)
  await all('buy', 'shop', 2, 0)
  await all('sell', 'shop', 1, 1)
  const { operations, namespace, environment } = (await request(server, 'GET', '/riddle-rush/@performance')).json
  assert.deepEqual([namespace, environment], [SPACE, 'dev'])
  const one = operations.find((operation) => operation.operation === 'logPerformance')
  assert.deepEqual([one.thresholds, one.windows['60m'].count, one.windows['60m'].errorRate.toFixed(3)], [{}, 6, '0.167'])
  await player.close(1000)
  await buyer.close(1000)
  sdk.destroy()
  await quiet(server)
})

test('a lowered threshold: the line with its context, the metric, and the declared alarm', async (t) => {
  let release
  const held = new Promise((resolve) => (release = resolve))
  const team = await backend(t, async ({ message }) => {
    if (message === 'slow') await held
    return { body: { message: `re: ${message}` } }
  })
  const house = await open(t, `bot: {webhook: "${team.url}", timeout: 5m}\noperations:\n  chat_message_processing: {durationMax: 500ms}\n  websocket_conversation: {memoryMax: 1B}`)
  const { server } = house
  const ada = await house.as('ada', { headers: { 'x-correlation-id': 'trace-9' } })
  assert.ok(!(await house.performance('conversation')).operations.some(({ windows }) => windows['60m'].breaches.HandlerDuration))
  ada.send({ type: 'message', action: 'sendMessage', message: 'slow', sessionId: 's-1' })
  const ack = await ada.json()
  assert.equal(ack.correlationId, 'trace-9', 'the id of the connection')
  await until('the question', () => team.events.length === 1)
  assert.equal(team.events[0].headers['x-correlation-id'], 'trace-9')
  assert.equal(team.events[0].event.correlationId, 'trace-9')
  await house.advance(700)
  release()
  const answer = await ada.json()
  assert.deepEqual([answer.message, answer.correlationId, answer.replyTo], ['re: slow', 'trace-9', ack.messageId])
  const line = await house.line('/weir/conversation/_answered', '"Performance threshold exceeded"')
  const { timestamp, requestId, connectionId, duration, value, memoryUsage, databaseOperations, ...rest } = line
  assert.deepEqual(rest, { level: 'WARN', message: 'Performance threshold exceeded', operation: 'chat_message_processing', success: true, figure: 'HandlerDuration', threshold: 500, unit: 'Milliseconds',
    eventType: 'DEFERRED', routeKey: '@answered', hasSessionId: true, sessionId: 's-1', messageLength: 4, messageType: 'user_and_bot', api: 'conversation', stage: 'prod', route: '@answered',
    correlationId: 'trace-9', userId: 'ada' })
  assert.ok(duration >= 700 && value === duration && memoryUsage > 0 && databaseOperations > 3, JSON.stringify(line))
  const [row] = (await request(server, 'GET', '/conversation/@users/ada')).json.connections
  assert.equal(connectionId, row.connectionId, 'of the socket that asked')
  assert.ok(timestamp && requestId)
  const memory = await house.line('/weir/conversation/message', '{ $.figure = "MemoryUsage" }')
  assert.deepEqual([memory.operation, memory.messageType, memory.action, memory.hasToken, memory.authenticated, memory.messageLength, memory.sessionId, memory.eventType, memory.routeKey, memory.threshold,
    memory.unit, memory.correlationId, memory.connectionId], ['websocket_conversation', 'message', 'sendMessage', false, true, 4, 's-1', 'MESSAGE', 'message', 1, 'Bytes', 'trace-9', connectionId])

  const of = { Handler: 'chat_message_processing', Figure: 'HandlerDuration' }
  await house.reaches('ThresholdBreaches', { ...of, Environment: 'dev' }, 1, 'Sum')
  await house.reaches('ThresholdBreaches', { ...of, ApiId: 'conversation' }, 1, 'Sum')
  await until('the alarm', async () => {
    await house.advance(10000)
    return (await house.send(DescribeAlarmsCommand, { AlarmNames: ['ChatProcessingBreachAlarm'] })).MetricAlarms[0].StateValue === 'ALARM'
  }, { every: 100 })
  const chat = (await house.performance('conversation')).operations.find(({ operation }) => operation === 'chat_message_processing')
  assert.deepEqual([chat.thresholds, chat.windows['60m'].breaches], [{ duration: 500, memoryUsage: 30 * MIB, errorRate: 0.05 }, { HandlerDuration: 1, MemoryUsage: 0, ErrorRate: 0 }])
  await ada.close(1000)
  await house.quiet()
})

test('verifications of tokens, and why they fail', async (t) => {
  const house = await open(t)
  const { server } = house
  const expired = await house.given('ada', -3600)
  assert.equal((await refused(`${server.ws}/conversation?token=x.y.z`)).status, 401)
  assert.equal((await refused(`${server.ws}/conversation?token=${expired}`)).status, 401)
  const socket = await connect(`${server.ws}/conversation`, { headers: { 'x-correlation-id': 'trace-1' } })
  assert.equal((await socket.ask({ type: 'message', message: 'x' })).error, 'UNAUTHENTICATED_CONNECTION')
  for (const [given, error] of [[undefined, 'MISSING_TOKEN'], ['nonsense', 'INVALID_TOKEN'], [expired, 'TOKEN_EXPIRED']]) assert.equal((await socket.ask({ type: 'auth', token: given })).error, error)
  assert.equal((await socket.ask({ type: 'auth', token: await house.given('ada') })).type, 'ack')
  const of = { Handler: 'authentication_jwt_verification' }
  for (const [ErrorType, count] of [['MISSING_TOKEN', 1], ['TOKEN_EXPIRED', 2], ['INVALID_TOKEN', 2]]) await house.reaches('errorTypes', { ...of, ErrorType }, count, 'Sum')
  await house.reaches('verificationAttemptsPerMinute', of, 6, 'Sum')
  await house.reaches('successRate', of, 100, 'Sum')
  await house.reaches('ErrorRate', { ...of, Environment: 'dev' }, 500, 'Sum')
  const group = '/aws/lambda/websocket_connection-dev'
  const late = await house.line(group, '{ $.operation = "authentication_jwt_verification" && $.error = "TOKEN_EXPIRED" }')
  assert.deepEqual([late.level, late.message, late.tokenLength, late.hasToken, late.errorType, late.now - late.exp >= 3600, late.success], ['WARN', 'authentication_jwt_verification failed', expired.length, true, 'TOKEN_EXPIRED', true, false])
  assert.ok(late.duration >= 0 && late.memoryUsage > 0 && late.errorMessage && late.correlationId)
  const bad = await house.line(group, '{ $.error = "INVALID_TOKEN" && $.tokenLength = 5 }')
  assert.deepEqual([bad.errorType, bad.exp, bad.now], ['INVALID_TOKEN', undefined, undefined])
  const none = await house.line(group, '{ $.error = "MISSING_TOKEN" }')
  assert.deepEqual([none.hasToken, none.tokenLength], [false, 0])

  /* The handler around it: one of five is a message, four are `auth`, one of which is good. */
  await house.reaches('ErrorRate', { Handler: 'websocket_conversation', Environment: 'dev' }, 400, 'Sum')
  await house.reaches('authenticationSuccessRate', { Handler: 'websocket_conversation' }, 25, 'Average')
  const early = await house.line('/aws/lambda/websocket_conversation-dev', '{ $.error = "UNAUTHENTICATED_CONNECTION" }')
  assert.deepEqual([early.operation, early.messageType, early.authenticated, early.correlationId, early.success], ['websocket_conversation', 'message', false, 'trace-1', false])
  await socket.close(1000)
  const { operations } = await house.performance('conversation')
  const jwt = operations.find(({ operation }) => operation === 'authentication_jwt_verification')
  const { verificationAttemptsPerMinute, successRate, ...figures } = jwt.windows['60m'].businessMetrics
  assert.deepEqual(figures, { errorTypes: { MISSING_TOKEN: 1, TOKEN_EXPIRED: 2, INVALID_TOKEN: 2 } })
  assert.ok(verificationAttemptsPerMinute > 0 && Math.abs(successRate - 1 / 6) < 1e-9)
  await house.quiet()
})

test('of a good token the user is known, and never the token', async (t) => {
  const house = await open(t, 'operations:\n  authentication_jwt_verification: {memoryMax: 1B}')
  const given = token({ sub: 'ada', name: 'Ada L', email: 'ada@example.com', groups: ['red', 'blue'], exp: seconds(await house.server.now(), 60) })
  const ada = await connect(`${house.server.ws}/conversation?token=${given}`)
  const line = await house.line('/aws/lambda/websocket_connection-dev', '{ $.operation = "authentication_jwt_verification" && $.figure = "MemoryUsage" }')
  assert.deepEqual([line.message, line.userId, line.username, line.email, line.groups, line.tokenLength, line.hasToken, line.success, line.threshold],
    ['Performance threshold exceeded', 'ada', 'Ada L', 'ada@example.com', 'red,blue', given.length, true, true, 1])
  assert.ok(!house.server.stderr.includes(given.slice(-20)) && !JSON.stringify(line).includes(given.slice(-20)))
  await ada.close(1000)
  await house.quiet()
})

test('what failed in the bot fails the processing, not the handler', async (t) => {
  const team = await backend(t, ({ message }) => (message === 'bad' ? { status: 500 } : { body: { message: `re: ${message}` } }))
  const house = await open(t, `bot: {webhook: "${team.url}"}`)
  const ada = await house.as('ada')
  assert.equal((await exchange(ada, 'good', { correlationId: 'c-1' })).outcome.type, 'message')
  assert.equal((await exchange(ada, 'bad', { correlationId: 'c-2' })).outcome.error, 'BOT_FAILED')
  assert.equal((await ada.ask({ type: 'message', message: 'x'.repeat(20000), sessionId: 's' })).error, 'TOO_LARGE')
  await house.reaches('ErrorRate', { Handler: 'chat_message_processing' }, 200, 'Sum')
  await house.reaches('HandlerDuration', { Handler: 'chat_message_processing' }, 3)
  await house.reaches('ErrorRate', { Handler: 'websocket_conversation' }, 100, 'Sum')
  const line = await house.line('/aws/lambda/websocket_conversation-dev', '{ $.operation = "chat_message_processing" && $.error = "BOT_FAILED" }')
  assert.deepEqual([line.message, line.correlationId, line.userId, line.messageLength, line.hasSessionId, line.success], ['chat_message_processing failed', 'c-2', 'ada', 3, false, false])
  assert.ok(line.connectionId && line.sessionId && line.errorMessage)
  const large = await house.line('/weir/conversation/message', '{ $.operation = "chat_message_processing" && $.error = "TOO_LARGE" }')
  assert.deepEqual([large.messageLength, large.sessionId, large.hasSessionId, large.userId], [20000, 's', true, 'ada'])
  await ada.close(1000)
  await house.quiet()
})

test('GET /conversation/@performance', async (t) => {
  const house = await open(t)
  const { server } = house
  const ada = await house.as('ada')
  for (const message of ['ab', 'abcd']) await exchange(ada, message)
  await ada.ask({ type: 'ping' })
  await house.reaches('HandlerDuration', { Handler: 'chat_message_processing' }, 2)
  await house.reaches('messageTypes', { Handler: 'websocket_conversation', Type: 'ping' }, 1, 'Sum')
  const report = await house.performance('conversation')
  assert.deepEqual([report.api, report.environment, report.namespace], ['conversation', 'dev', SPACE])
  const by = Object.fromEntries(report.operations.map((operation) => [operation.operation, operation]))
  const limits = (duration, mib, errorRate) => ({ duration, memoryUsage: mib * MIB, errorRate })
  assert.deepEqual(Object.keys(by).slice(0, 4), ['websocket_conversation', 'websocket_connection', 'chat_message_processing', 'authentication_jwt_verification'])
  assert.deepEqual(['websocket_conversation', 'websocket_connection', 'authentication_jwt_verification', 'chat_message_processing'].map((name) => by[name].thresholds),
    [limits(5000, 100, 0.05), limits(2000, 50, 0.02), limits(3000, 20, 0.1), limits(1000, 30, 0.05)])
  const talk = by.websocket_conversation
  assert.deepEqual(talk.routes.toSorted(), ['$default', 'history', 'message', 'ping', 'sessions'])
  assert.deepEqual(Object.keys(talk.windows), ['1m', '5m', '60m'])
  const hour = talk.windows['60m']
  assert.deepEqual([hour.count, hour.errorRate, hour.breaches], [3, 0, { HandlerDuration: 0, MemoryUsage: 0, ErrorRate: 0 }])
  assert.ok(hour.durationP50 > 0 && hour.durationP99 >= hour.durationP50 && hour.durationMaximum >= hour.durationAverage && hour.memoryMaximum >= hour.memoryAverage && hour.memoryAverage > 0)
  const { messagesPerMinute, ...business } = hour.businessMetrics
  assert.deepEqual(business, { averageMessageLength: 3, authenticationSuccessRate: 0, messageTypes: { auth: 0, message: 2, ping: 1 } })
  assert.ok(Math.abs(messagesPerMinute - 3 / (hour.seconds / 60)) < 1e-6)
  assert.deepEqual(by.chat_message_processing.routes, [])
  assert.ok(by.websocket_connection.windows['60m'].businessMetrics.connectionsPerMinute > 0)
  assert.equal((await request(server, 'POST', '/conversation/@performance')).status, 405)
  await server.kill9()
  await server.restart()
  const again = (await house.performance('conversation')).operations.find(({ operation }) => operation === 'websocket_conversation')
  assert.equal(again.windows['60m'].count, 3, 'it survives')
  await house.quiet()
})

const HANDLER = [{ Name: 'Environment', Value: 'dev' }, { Name: 'Handler', Value: 'websocket_conversation' }]
const sorted = (dimensions) => dimensions.toSorted((a, b) => a.Name.localeCompare(b.Name))

test("the document's alarms, and one of them in ALARM", async (t) => {
  const house = await open(t)
  const names = ['WebSocketDurationAlarm', 'WebSocketMemoryAlarm', 'WebSocketErrorRateAlarm']
  const { MetricAlarms } = await house.send(DescribeAlarmsCommand, { AlarmNames: names })
  const by = Object.fromEntries(MetricAlarms.map((alarm) => [alarm.AlarmName, alarm]))
  const seen = names.map((name) => by[name]).map((a) => [a.AlarmDescription, a.Namespace, a.MetricName, sorted(a.Dimensions), a.Statistic, a.Period, a.EvaluationPeriods, a.Threshold, a.ComparisonOperator])
  const at = 'GreaterThanOrEqualToThreshold'
  assert.deepEqual(seen, [
    ['WebSocket handler taking too long to respond', SPACE, 'HandlerDuration', HANDLER, 'Average', 60, 2, 5000, at],
    ['WebSocket handler using too much memory', SPACE, 'MemoryUsage', HANDLER, 'Average', 60, 2, 100 * MIB, at],
    ['WebSocket handler error rate too high', SPACE, 'ErrorRate', HANDLER, 'Average', 300, 2, 5, at],
  ])
  let messages = 0
  const wrong = async () => {
    const ada = await house.as('ada')
    assert.equal((await ada.ask({ type: 'shout' })).error, 'UNKNOWN_ACTION')
    await house.reaches('ErrorRate', { Handler: 'websocket_conversation' }, ++messages)
    await ada.close(1000)
  }
  await wrong()
  await house.advance(300e3)
  await wrong()
  await until('the alarm', async () => {
    await house.advance(30e3)
    return (await house.send(DescribeAlarmsCommand, { AlarmNames: ['WebSocketErrorRateAlarm'] })).MetricAlarms[0].StateValue === 'ALARM'
  }, { every: 100 })
  assert.notEqual((await house.send(DescribeAlarmsCommand, { AlarmNames: ['WebSocketDurationAlarm'] })).MetricAlarms[0].StateValue, 'ALARM')
  await house.quiet()
})

test("the document's dashboard, each widget with data", async (t) => {
  const house = await open(t)
  const { server } = house
  const { DashboardBody } = await house.send(GetDashboardCommand, { DashboardName: 'WebSocket-Performance' })
  const { widgets } = JSON.parse(DashboardBody)
  const metric = (name, handler) => [SPACE, name, 'Handler', handler, { stat: 'Average' }]
  assert.deepEqual(widgets.map(({ type, x, y, width, height, properties }) => [type, x, y, width, height, properties.title, properties.metrics]), [
    ['metric', 0, 0, 12, 6, 'Handler Duration', [metric('HandlerDuration', 'websocket_conversation'), metric('HandlerDuration', 'websocket_connection')]],
    ['metric', 0, 6, 12, 6, 'Memory Usage', [metric('MemoryUsage', 'websocket_conversation')]],
    ['metric', 0, 12, 12, 6, 'Error Rate', [metric('ErrorRate', 'websocket_conversation')]],
  ])
  const ada = await house.as('ada')
  await exchange(ada, 'hello')
  for (const index of widgets.keys())
    await until(`data of widget ${index}`, async () => {
      const data = (await request(server, 'GET', `/@dashboards/WebSocket-Performance/widgets/${index}`)).json
      assert.equal(data.messages, undefined)
      return data.series.every((series) => series.points.length > 0) || (await house.advance(1000), false)
    })
  await ada.close(1000)
  await house.quiet()
})

test('a $disconnect that fails has ended all the same, with a warning', async (t) => {
  const team = await backend(t, (event, { path }) => (path === '/bye' ? { status: 500 } : ''))
  const house = await open(t, '', `apis:
  shop:
    registry: {table: "shop-connections", lifetime: 2h}
    tables:
      shop-connections: {hash: connectionId S, ttl: ttl}
    operations:
      $disconnect: {durationMax: 2s, errorRateMax: 2%}
    routes:
      $disconnect: {url: "${team.url}/bye", attempts: 1}
      $default: ${team.url}/
`)
  const socket = await connect(`${house.server.ws}/shop`)
  await socket.close(1000)
  await house.reaches('HandlerDuration', { Handler: '$disconnect', ApiId: 'shop' }, 1)
  await house.reaches('ErrorRate', { Handler: '$disconnect', ApiId: 'shop' }, 0, 'Sum')
  const line = await house.line('/weir/shop/disconnect', '"completed with a warning"')
  assert.deepEqual([line.operation, line.warning, line.eventType, line.success, line.disconnectReason], ['$disconnect', 'cleanup_failed', 'disconnect', true, 'normal'])
  await house.quiet()
})
