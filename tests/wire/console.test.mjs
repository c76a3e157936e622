// The console: dashboards and widgets over HTTP, and live over ws://host/@console (docs/dashboards.md).
// DB-1 … DB-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { DeleteDashboardsCommand, PutDashboardCommand } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { connect, refused } from './lib/client.mjs'
import { quiet, request, start, until } from './lib/weir.mjs'
import { client, minute, put } from './cloudwatch/lib.mjs'
import { credentials } from './dynamodb/lib.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const bare = 'apis: {}\n'
const metric = (metrics, more = {}) => ({ type: 'metric', properties: { region: 'us-east-1', metrics, ...more } })
const widgets = (server, body, headers = {}) => request(server, 'POST', '/@widgets', { body: JSON.stringify(body), headers })

async function computed(server, body) {
  const { status, json, body: text } = await widgets(server, body)
  assert.equal(status, 200, text)
  return json
}

/** Takes messages until one is as wanted; keeps the others' types. */
async function take(socket, wanted, what) {
  for (;;) {
    const message = await socket.json().catch((error) => assert.fail(`${what}: ${error.message}`))
    if (message.type === 'error') assert.fail(`${what}: ${JSON.stringify(message)}`)
    if (wanted(message)) return message
  }
}

function logsClient(server) {
  const made = new CloudWatchLogsClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1 })
  made.config.systemClockOffset = server.skew ?? 0
  return made
}

/** A group with a stream; say(...) puts lines into it. */
async function logGroup(server, name) {
  const logs = logsClient(server)
  await logs.send(new CreateLogGroupCommand({ logGroupName: name }))
  await logs.send(new CreateLogStreamCommand({ logGroupName: name, logStreamName: 's' }))
  return {
    async say(...messages) {
      const timestamp = await server.now()
      await logs.send(new PutLogEventsCommand({ logGroupName: name, logStreamName: 's', logEvents: messages.map((message) => ({ timestamp, message })) }))
    },
    end: () => logs.destroy(),
  }
}

const points = (data) => data.series.map((series) => [series.label, series.points.map(([, value]) => value)])

test('a widget over HTTP: metrics, expressions, searches, labels, periods', async (t) => {
  const server = await start(t, { config: bare })
  const sdk = client(server)
  const at = await minute(server, -5)
  const datum = (MetricName, Mode, Value, minutes) => ({ MetricName, Dimensions: [{ Name: 'Mode', Value: Mode }], Timestamp: new Date(+at + minutes * 60000), Value, Unit: 'Milliseconds' })
  await put(sdk, 'game', datum('Score', 'a', 10, 0), datum('Score', 'a', 20, 0), datum('Score', 'a', 40, 1), datum('Score', 'b', 5, 1), datum('Time', 'a', 7, 1))
  const range = { start: '-PT10M', period: 60 }
  const data = await computed(server, { ...range, widget: metric([['game', 'Score', 'Mode', 'a', { id: 'm1', color: '#ff0000' }], ['...', 'b', { yAxis: 'right', id: 'm2' }], [{ expression: 'm1*2', id: 'e1', label: 'twice' }]], { title: 'T', stacked: true, yAxis: { left: { min: 0 } } }) })
  assert.deepEqual(points(data), [['a', [15, 40]], ['b', [5]], ['twice', [30, 80]]])
  assert.deepEqual([data.type, data.title, data.view, data.stacked, data.period, data.yAxis], ['metric', 'T', 'timeSeries', true, 60, { left: { min: 0 } }])
  assert.deepEqual(data.series.map((series) => [series.id, series.color, series.yAxis, series.unit, series.stat]), [
    ['m1', '#ff0000', 'left', 'Milliseconds', 'Average'], ['m2', undefined, 'right', 'Milliseconds', 'Average'], ['e1', undefined, 'left', undefined, undefined]])
  assert.equal(data.series[0].points[0][0], +at)

  const found = await computed(server, { ...range, widget: metric([[{ expression: "SEARCH('{game,Mode} MetricName=\"Score\"', 'Maximum', 60)", id: 's' }]]) })
  assert.deepEqual(points(found), [['a', [20, 40]], ['b', [5]]])
  const stats = await computed(server, { ...range, widget: metric([['game', 'Score', 'Mode', 'a', { stat: 'Sum' }], ['...', { stat: 'SampleCount', visible: true }], ['...', { visible: false }]]) })
  assert.deepEqual(points(stats), [['Score Sum', [30, 40]], ['Score SampleCount', [2, 1]]])
  const whole = await computed(server, { ...range, widget: metric([['game', 'Score', 'Mode', 'a', { stat: 'Maximum' }]], { view: 'singleValue', setPeriodToTimeRange: true }) })
  assert.deepEqual(points(whole), [['Score', [40]]])
  const broken = await computed(server, { ...range, widget: metric([['game', 'Time', 'Mode', 'a'], [{ expression: 'zz + 1', id: 'e1' }], [{ expression: 'e3', id: 'e2' }], [{ expression: 'e2', id: 'e3' }]]) })
  assert.deepEqual(points(broken), [['Time', [7]]])
  assert.ok(broken.messages.length >= 2, JSON.stringify(broken.messages))

  assert.equal((await computed(server, { start: '-P2D', widget: metric([['game', 'Score', 'Mode', 'a']], { period: 1 }) })).period, 300)
  assert.deepEqual(points(await computed(server, { start: +at, end: +at + 60000, period: 60, widget: metric([['game', 'Score', 'Mode', 'a']]) })), [['Score', [15]]])
  sdk.destroy()
  await quiet(server)
})

test('bad requests are refused with the reason', async (t) => {
  const server = await start(t, { config: bare })
  const cases = [
    [{}, /dashboard and index/], [{ widget: { type: 'nothing', properties: {} } }, /\/widget\/type: Should be equal/], [{ widget: metric([['A']]) }, /Each metric has/],
    [{ widget: metric([['A', 'B']]), start: 'soon' }, /start is a time/], [{ widget: metric([['A', 'B']]), start: '-PT1H', end: '-PT2H' }, /before/], [{ widget: metric([['A', 'B']]), period: 7 }, /period/],
    [{ widget: metric([['A', 'B']]), dashboard: 'x', index: 0 }, /dashboard and index/], [{ dashboard: 'x', index: -1 }, /index/],
  ]
  for (const [body, message] of cases) {
    const { status, json } = await widgets(server, body)
    assert.equal(status, 400, JSON.stringify(body))
    assert.equal(json.error, 'INVALID')
    assert.match(json.message, message)
  }
  assert.equal((await request(server, 'POST', '/@widgets', { body: 'no' })).status, 400)
  assert.equal((await request(server, 'GET', '/@widgets')).status, 405)
  for (const [path, status] of [['/@dashboards/none', 404], ['/@dashboards/none/widgets/0', 404], ['/@dashboards/no%20name', 404], ['/@dashboards/a/b', 404], ['/@dashboards/a/widgets/x', 404], ['/@dashboards', 200]])
    assert.equal((await request(server, 'GET', path)).status, status, path)
  await quiet(server)
})

test('log, alarm, text and the others', async (t) => {
  const server = await start(t, { config: bare })
  const group = await logGroup(server, '/shop/orders')
  await group.say('{"kind":"sold","price":5}', '{"kind":"sold","price":7}', 'ERROR nothing there')
  const log = (query, more = {}) => ({ type: 'log', properties: { region: 'us-east-1', query, ...more } })
  const data = await computed(server, { start: '-PT1H', widget: log("SOURCE '/shop/orders' | filter kind = 'sold' | stats sum(price) as total, count(*) as n by kind") })
  assert.deepEqual([data.type, data.view, data.fields, data.rows, data.status], ['log', 'table', ['kind', 'total', 'n'], [['sold', '12', '2']], 'Complete'])
  assert.deepEqual([data.statistics.recordsMatched, data.statistics.recordsScanned], [2, 3])
  const lines = await computed(server, { widget: log("SOURCE '/shop/orders' | fields @message | filter @message like /ERROR/", { view: 'bar' }) })
  assert.deepEqual([lines.view, lines.fields, lines.rows], ['bar', ['@message'], [['ERROR nothing there']]])
  assert.match((await computed(server, { widget: log("SOURCE '/none' | fields @message") })).message, /no log group \/none/)
  const wrong = await computed(server, { widget: log('fields | |') })
  assert.equal(wrong.status, 'Failed')
  assert.match((await computed(server, { widget: log('fields @message') })).message, /SOURCE/)

  const alarms = await computed(server, { widget: { type: 'alarm', properties: { alarms: ['arn:aws:cloudwatch:us-east-1:123456789012:alarm:nobody'] } } })
  assert.deepEqual(alarms.alarms.map(({ name, state }) => [name, state]), [['nobody', 'UNKNOWN']])
  assert.deepEqual(await computed(server, { widget: { type: 'text', properties: { markdown: '# Hi', title: 'x' } } }), { type: 'text', title: 'x', markdown: '# Hi' })
  for (const widget of [{ type: 'explorer', properties: { metrics: [{ metricName: 'x' }] } }, { type: 'custom', properties: { endpoint: 'arn:x' } }])
    assert.ok((await computed(server, { widget })).message.length > 20)
  group.end()
  await quiet(server)
})

test('live: the whole, then what is new; equal widgets alike; a changed dashboard comes anew', async (t) => {
  const server = await start(t, { config: bare })
  const sdk = client(server)
  const body = (widget) => JSON.stringify({ start: '-PT1H', widgets: [widget] })
  const load = metric([['shop', 'Load']], { stat: 'Sum', period: 60 })
  await put(sdk, 'shop', { MetricName: 'Load', Timestamp: await minute(server, -10), Value: 1 })
  await sdk.send(new PutDashboardCommand({ DashboardName: 'shop', DashboardBody: body(load) }))
  const [one, two] = await Promise.all([connect(`${server.ws}/@console`), connect(`${server.ws}/@console`)])
  for (const socket of [one, two]) socket.send({ action: 'widget', id: 'w', dashboard: 'shop', index: 0 })
  for (const socket of [one, two]) {
    const { id, data } = await take(socket, (message) => message.type === 'widget', 'the whole')
    assert.equal(id, 'w')
    assert.deepEqual(points(data), [['Load', [1]]])
  }
  const newest = await minute(server, 0)
  await put(sdk, 'shop', { MetricName: 'Load', Timestamp: newest, Value: 5 })
  await server.advance(5000)
  for (const socket of [one, two]) {
    const { append } = await take(socket, (message) => message.append, 'the new point')
    assert.deepEqual(append.series, [{ index: 0, points: [[+newest, 5]] }])
    assert.ok(append.end > append.start)
  }
  await put(sdk, 'shop', { MetricName: 'Load', Timestamp: newest, Value: 2 })
  await server.advance(5000)
  assert.deepEqual((await take(one, (message) => message.append, 'the same point')).append.series, [{ index: 0, points: [[+newest, 7]] }])
  assert.deepEqual(await two.ask({ action: 'stop', id: 'w' }).then((message) => (message.append ? two.json() : message)), { type: 'stopped', id: 'w' })

  await sdk.send(new PutDashboardCommand({ DashboardName: 'shop', DashboardBody: body({ type: 'text', properties: { markdown: 'closed' } }) }))
  await server.advance(5000)
  assert.deepEqual((await take(one, (message) => message.data, 'another widget')).data, { type: 'text', markdown: 'closed' })
  await sdk.send(new DeleteDashboardsCommand({ DashboardNames: ['shop'] }))
  await server.advance(10000)
  const gone = await one.json()
  assert.deepEqual([gone.type, gone.id, gone.error], ['error', 'w', 'NOT_FOUND'])
  for (const socket of [one, two]) await socket.close(1000)
  sdk.destroy()
  await quiet(server)
})

test('a tail: the newest first, then what comes, filtered', async (t) => {
  const server = await start(t, { config: bare })
  const group = await logGroup(server, '/shop/orders')
  const other = await logGroup(server, '/shop/stock')
  await group.say(...Array.from({ length: 60 }, (_, n) => `old ${n}`))
  const socket = await connect(`${server.ws}/@console`)
  socket.send({ action: 'tail', id: 't', groups: ['/shop/*'] })
  const first = await take(socket, (message) => message.type === 'events', 'the newest')
  assert.equal(first.first, true)
  assert.deepEqual(first.events.map((event) => event.message), Array.from({ length: 50 }, (_, n) => `old ${n + 10}`))
  assert.deepEqual(Object.keys(first.events[0]), ['time', 'group', 'stream', 'message', 'eventId'])
  await other.say('new in stock')
  await group.say('x'.repeat(20000))
  await server.advance(1100)
  const seen = []
  while (seen.length < 2) seen.push(...(await take(socket, (message) => message.type === 'events', 'new ones')).events)
  assert.deepEqual(seen.map((event) => [event.group, event.message.length, event.cut]), [['/shop/stock', 12, undefined], ['/shop/orders', 8192, true]])

  socket.send({ action: 'tail', id: 't', groups: ['/shop/orders', '/not/yet'], filter: 'ERROR' })
  assert.deepEqual((await take(socket, (message) => message.first, 'filtered')).events, [])
  await group.say('fine', 'ERROR one', 'fine again')
  await server.advance(1100)
  assert.deepEqual((await take(socket, (message) => message.type === 'events', 'the error')).events.map((event) => event.message), ['ERROR one'])
  await group.say(...Array.from({ length: 900 }, (_, n) => `ERROR ${n}`))
  await server.advance(1100)
  const many = await take(socket, (message) => message.type === 'events', 'many')
  assert.deepEqual([many.events.length, many.dropped, many.events.at(-1).message], [500, 400, 'ERROR 899'])

  const again = await connect(`${server.ws}/@console`)
  await group.say('fine', 'ERROR meanwhile')
  const resume = async (after) => {
    again.send({ action: 'tail', id: 'r', groups: ['/shop/orders'], filter: 'ERROR', after })
    return take(again, (message) => message.type === 'events', 'what came meanwhile')
  }
  const missed = await resume(many.sequence)
  assert.deepEqual([missed.first, missed.events.map((event) => event.message)], [undefined, ['ERROR meanwhile']])
  assert.ok(missed.sequence > many.sequence)
  assert.equal((await resume(missed.sequence + 1000)).first, true, 'a sequence that is not reached yet is of another folder')
  assert.deepEqual((await again.ask({ action: 'tail', id: 'x', groups: ['/x'], after: 'x' })).error, 'INVALID')
  await again.close(1000)
  await server.advance(1100)
  assert.deepEqual((await take(socket, (message) => message.type === 'events', 'the same here')).events.map((event) => event.message), ['ERROR meanwhile'])

  assert.deepEqual(await socket.ask({ action: 'groups', id: 'g', prefix: '/shop' }), { type: 'groups', id: 'g', groups: ['/shop/orders', '/shop/stock'], more: false })
  for (const bad of [{ groups: [] }, { groups: ['a b'] }, { groups: ['/x'], filter: '{ (' }]) {
    const error = await socket.ask({ action: 'tail', id: 'bad', ...bad })
    assert.deepEqual([error.type, error.id, error.error], ['error', 'bad', 'INVALID'])
  }
  await socket.close(1000)
  group.end()
  other.end()
  await quiet(server)
})

test('hidden tables are followed, others are not', async (t) => {
  const server = await start(t, { config: bare })
  const sdk = client(server)
  await sdk.send(new PutDashboardCommand({ DashboardName: 'a', DashboardBody: '{"widgets":[]}' }))
  const socket = await connect(`${server.ws}/@console`)
  socket.send({ action: 'subscribe', table: 'weir.dashboards', requestId: 'r' })
  const { subscription } = await take(socket, (message) => message.type === 'subscribed' && message.requestId === 'r', 'subscribed')
  const snapshot = await take(socket, (message) => message.type === 'snapshot', 'the snapshot')
  assert.deepEqual([snapshot.last, snapshot.items.map(({ name, body, size }) => [name, body, size])], [true, [['a', '{"widgets":[]}', 14]]])
  await sdk.send(new PutDashboardCommand({ DashboardName: 'b', DashboardBody: '{"widgets": []}' }))
  const change = await take(socket, (message) => message.type === 'change', 'a change')
  assert.deepEqual([change.subscription, change.event, change.key, change.data.body], [subscription, 'INSERT', { name: 'b' }, '{"widgets": []}'])
  await sdk.send(new DeleteDashboardsCommand({ DashboardNames: ['a'] }))
  assert.equal((await take(socket, (message) => message.type === 'change', 'its end')).event, 'REMOVE')
  socket.send({ action: 'subscribe', table: 'weir.alarms', requestId: 's' })
  await take(socket, (message) => message.type === 'snapshot' && message.subscription !== subscription, 'alarms')
  const refusal = await socket.ask({ action: 'subscribe', table: 'orders', requestId: 'o' })
  assert.deepEqual([refusal.type, refusal.error, refusal.requestId], ['error', 'FORBIDDEN', 'o'])
  await socket.close(1000)
  sdk.destroy()
  await quiet(server)
})

test('connections, ping, bounds and errors', async (t) => {
  const server = await start(t)
  const player = await connect(`${server.ws}/echo`)
  const socket = await connect(`${server.ws}/@console`)
  assert.deepEqual(await socket.ask({ action: 'ping' }), { type: 'pong' })
  for (const bad of ['no json', '[]', { id: 'x' }, { action: 'nothing', id: 'x' }]) {
    const error = await socket.ask(bad)
    assert.deepEqual([error.type, error.error], ['error', 'INVALID'], JSON.stringify(bad))
  }
  for (const id of [undefined, '', 'x'.repeat(65), 5]) assert.match((await socket.ask({ action: 'widget', id, widget: {} })).message, /id/)
  socket.send({ action: 'connections', id: 'c' })
  await until('the second', async () => {
    player.send('hello')
    await player.text()
    await server.advance(1100)
    const { apis, server: self } = await take(socket, (message) => message.type === 'connections', 'connections')
    const echo = apis.find((api) => api.name === 'echo')
    assert.ok(!apis.some((api) => api.name.startsWith('@')))
    assert.deepEqual([self.env, self.region, self.account], ['dev', 'us-east-1', '123456789012'])
    for (const name of ['uptimeMs', 'diskFree', 'memory', 'sequence', 'now']) assert.ok(self[name] > 0, name)
    return echo.connections === 1 && echo.messagesIn > 0 && echo.messagesOut > 0 && self.consoles === 1
  })
  assert.equal((await (async () => { socket.send({ action: 'stop', id: 'c' }); return take(socket, (message) => message.type === 'stopped', 'stopped') })()).id, 'c')
  const text = { type: 'text', properties: { markdown: 'x' } }
  for (let n = 0; n < 64; n++) socket.send({ action: 'widget', id: `w${n}`, widget: text })
  for (let n = 0; n < 64; n++) await take(socket, (message) => message.data?.type === 'text', 'a text')
  const full = await socket.ask({ action: 'widget', id: 'more', widget: text })
  assert.deepEqual([full.type, full.id, full.error], ['error', 'more', 'FULL'])

  const others = []
  for (let n = 0; n < 31; n++) others.push(await connect(`${server.ws}/@console`))
  assert.equal((await refused(`${server.ws}/@console`)).status, 503)
  for (const other of others) await other.close(1000)
  await until('room again', () => connect(`${server.ws}/@console`).then((client) => client.close(1000)))
  await socket.close(1000)
  await player.close(1000)
  await quiet(server)
})

test('nobody but its own page, and with real keys a signature', async (t) => {
  const config = 'apis: {}\nkeys:\n  - {id: real, secret: "a real secret"}\n'
  const open = await start(t, { config: bare })
  for (const headers of [{ origin: 'http://evil.example' }, { origin: 'http://localhost:1' }, { host: 'evil.example' }]) {
    assert.equal((await request(open, 'GET', '/@dashboards', { headers })).status, 403, JSON.stringify(headers))
    assert.equal((await refused(`${open.ws}/@console`, { headers })).status, 403, JSON.stringify(headers))
  }
  const own = { origin: open.http }
  assert.equal((await request(open, 'GET', '/@dashboards', { headers: own })).status, 200)
  assert.equal((await widgets(open, { widget: { type: 'text', properties: { markdown: 'x' } } }, own)).status, 200)
  await (await connect(`${open.ws}/@console`, { headers: own })).close(1000)
  await quiet(open)

  const closed = await start(t, { config })
  for (const path of ['/@dashboards', '/@dashboards/a', '/@dashboards/a/widgets/0']) assert.equal((await request(closed, 'GET', path)).status, 403, path)
  assert.equal((await widgets(closed, { widget: metric([['A', 'B']]) })).status, 403)
  assert.equal((await refused(`${closed.ws}/@console`)).status, 403)
  const url = new URL(closed.http)
  const signer = (secretAccessKey) => new SignatureV4({ service: 'execute-api', region: 'us-east-1', credentials: { accessKeyId: 'real', secretAccessKey }, sha256: Sha256, uriEscapePath: true, applyChecksum: false })
  const asked = (path) => ({ method: 'GET', protocol: 'http:', hostname: url.hostname, port: Number(url.port), path, query: {}, headers: { host: url.host } })
  const presigned = async (secret) => {
    const { path, query } = await signer(secret).presign(asked('/@console'), { expiresIn: 300 })
    return `${closed.ws}${path}?${new URLSearchParams(query)}`
  }
  assert.equal((await refused(await presigned('guess'))).status, 403)
  const socket = await connect(await presigned('a real secret'))
  assert.deepEqual(await socket.ask({ action: 'ping' }), { type: 'pong' })
  await socket.close(1000)
  const { headers } = await signer('a real secret').sign(asked('/@dashboards'))
  assert.equal((await request(closed, 'GET', '/@dashboards', { headers })).status, 200)
  await quiet(closed)
})

test('a server that ends takes its consoles along', async (t) => {
  const server = await start(t, { config: 'apis: {}\ndrain: 1s\ndrainSpread: 0s\n' })
  const group = await logGroup(server, '/shop/orders')
  await group.say('one')
  const socket = await connect(`${server.ws}/@console`)
  socket.send({ action: 'connections', id: 'c' })
  socket.send({ action: 'tail', id: 't', groups: ['*'] })
  socket.send({ action: 'subscribe', table: 'weir.dashboards' })
  for (let n = 0; n < 20; n++) socket.send({ action: 'widget', id: `w${n}`, start: `-PT${n + 1}H`, widget: { type: 'log', properties: { region: 'us-east-1', query: "SOURCE '/shop/orders' | fields @message" } } })
  await take(socket, (message) => message.data?.rows?.length === 1, 'a first widget')
  group.end()
  await server.stop()
  assert.equal((await socket.closed()).code, 1001)
})

test('every widget of the shipped dashboards is answered with data after traffic', async (t) => {
  const server = await start(t, { config: `apps:\n  riddle_rush: {}\n  conversation:\n    jwt: {secret: "${secret}"}\n` })
  const chat = await connect(`${server.ws}/conversation?token=${token({ sub: 'ada', exp: seconds(await server.now(), 86400) })}`)
  await chat.ask({ type: 'message', message: 'hello' })
  assert.deepEqual(server.first.dashboards, {
    'riddle-rush-dashboard-dev': `${server.http}/#dashboards/riddle-rush-dashboard-dev`, 'WebSocket-Performance': `${server.http}/#dashboards/WebSocket-Performance` })
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (const metricName of ['app-init', 'page-transition']) await player.ask({ action: 'logPerformance', data: { userId: 'ada', metricName, duration: 12.5, timestamp: Date.now() } })
  for (const gameMode of ['classic', 'speed']) await player.ask({ action: 'updateLeaderboard', data: { userId: 'ada', gameMode, score: 4000, playerName: 'Ada', timestamp: Date.now() } })
  await player.ask({ action: 'getUserStats', data: { userId: 'ada' } })
  await player.ask({ action: 'logPerformance', data: { userId: 'ada', metricName: 'ERROR page', duration: 1, timestamp: Date.now() } })
  const visitor = await connect(`${server.ws}/riddle-rush?userId=bob`)
  await visitor.close(1000)
  const { dashboards } = (await request(server, 'GET', '/@dashboards')).json
  assert.deepEqual(dashboards.map(({ name }) => name), ['WebSocket-Performance', 'riddle-rush-dashboard-dev'])
  const { body } = (await request(server, 'GET', '/@dashboards/riddle-rush-dashboard-dev')).json
  const kinds = { metric: 0, log: 0, alarm: 0, text: 0 }
  await server.advance(61000)
  for (const [index, widget] of body.widgets.entries()) {
    kinds[widget.type]++
    await until(`data of widget ${index}, ${widget.properties.title ?? 'text'}`, async () => {
      const data = (await request(server, 'GET', `/@dashboards/riddle-rush-dashboard-dev/widgets/${index}`)).json
      assert.equal(data.messages, undefined)
      if (data.type === 'metric') return data.series.some((series) => series.points.length > 0) || (await server.advance(1000), false)
      if (data.type === 'log') return data.status === 'Complete' && data.rows.length > 0
      if (data.type === 'alarm') return data.alarms.length === 10 && data.alarms.every((alarm) => alarm.state !== 'UNKNOWN')
      return data.markdown.length > 0
    })
  }
  assert.deepEqual(kinds, { metric: 12, log: 3, alarm: 1, text: 4 })
  for (const [index, title] of ['Handler Duration', 'Memory Usage', 'Error Rate'].entries())
    await until(`data of ${title}`, async () => {
      const data = (await request(server, 'GET', `/@dashboards/WebSocket-Performance/widgets/${index}`)).json
      assert.deepEqual([data.title, data.messages], [title, undefined])
      return data.series.every((series) => series.points.length > 0) || (await server.advance(1000), false)
    })
  await chat.close(1000)
  const scores = (await request(server, 'GET', '/@dashboards/riddle-rush-dashboard-dev/widgets/5')).json
  assert.deepEqual(points(scores), [['classic', [4000]], ['speed', [4000]]])
  await player.close(1000)
  await quiet(server)
})
