// The metrics that an application puts itself: riddle_rush's, read with the SDK as an operator would. ME-1, ME-3, LB-5
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { atEnd, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { GetMetricDataCommand, ListMetricsCommand, advance, client as cloudwatchOf, minute } from './cloudwatch/lib.mjs'

const SPACE = 'riddle-rush-dev'

function watch(t, server) {
  const cloudwatch = cloudwatchOf(server)
  atEnd(t, () => cloudwatch.destroy())
  return cloudwatch
}

/** The one value of a metric over the last hour, or undefined. */
async function value(server, cloudwatch, name, dimensions, stat, period = 3600) {
  const now = +(await minute(server))
  const { MetricDataResults } = await cloudwatch.send(new GetMetricDataCommand({
    StartTime: new Date(now - 3600e3), EndTime: new Date(now + 120e3),
    MetricDataQueries: [{ Id: 'm', MetricStat: { Metric: { Namespace: SPACE, MetricName: name, Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })) }, Period: period, Stat: stat } }],
  }))
  return MetricDataResults[0].Values.reduce((a, b) => (stat === 'Maximum' ? Math.max(a, b) : a + b), 0)
}

const log = (user, metricName, duration) => ({ action: 'logPerformance', data: { userId: user, metricName, duration, timestamp: 1 } })
const score = (user, gameMode, points) => ({ action: 'updateLeaderboard', data: { userId: user, gameMode, score: points, playerName: user, timestamp: 1 } })

test('every client metric by its name and by user, GameScore by mode, and they survive kill -9', async (t) => {
  const server = await start(t)
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`), bob = await connect(`${server.ws}/riddle-rush?userId=bob`)
  for (const [client, user] of [[ada, 'ada'], [bob, 'bob']]) {
    for (let i = 1; i <= 10; i++) assert.equal((await client.ask(log(user, 'app-init', i * (user === 'ada' ? 1 : 10)))).type, 'ack')
    assert.equal((await client.ask(log(user, 'page-transition', 12.5))).type, 'ack')
    assert.equal((await client.ask(score(user, 'classic', user === 'ada' ? 5000 : 700))).type, 'ack')
  }
  assert.equal((await ada.ask(score('ada', 'blitz', 42))).type, 'ack')
  await server.kill9()
  await server.restart()
  const cloudwatch = watch(t, server), read = (...rest) => value(server, cloudwatch, ...rest)
  assert.equal(await read('app-init', {}, 'SampleCount'), 20)
  assert.equal(await read('app-init', {}, 'Sum'), 55 + 550)
  assert.equal(await read('app-init', { UserId: 'ada' }, 'Sum'), 55)
  assert.equal(await read('app-init', { UserId: 'bob' }, 'Maximum'), 100)
  assert.equal(await read('page-transition', {}, 'Sum'), 25)
  assert.equal(await read('GameScore', { GameMode: 'classic' }, 'Sum'), 5700)
  assert.equal(await read('GameScore', { GameMode: 'classic' }, 'Maximum'), 5000)
  assert.equal(await read('GameScore', { GameMode: 'blitz' }, 'Sum'), 42)
  const { Metrics } = await cloudwatch.send(new ListMetricsCommand({ Namespace: SPACE }))
  assert.deepEqual(Metrics.map(({ MetricName, Dimensions }) => [MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value}`)].join(' ')).sort(), [
    'GameScore GameMode=blitz', 'GameScore GameMode=classic', 'app-init', 'app-init UserId=ada', 'app-init UserId=bob', 'page-transition', 'page-transition UserId=ada', 'page-transition UserId=bob',
  ])
})

test('a refused message leaves no data point', async (t) => {
  const server = await start(t)
  const cloudwatch = watch(t, server)
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`)
  assert.equal((await ada.ask(log('ada', 'good', 1))).type, 'ack')
  assert.equal((await ada.ask({ action: 'logPerformance', data: { userId: 'ada', metricName: 'bad', duration: 'long', timestamp: 1 } })).type, 'error')
  assert.equal((await ada.ask({ action: 'updateLeaderboard', data: { userId: 'ada', gameMode: 'classic', score: -1, playerName: 'A', timestamp: 1 } })).type, 'error')
  const { Metrics } = await cloudwatch.send(new ListMetricsCommand({ Namespace: SPACE }))
  assert.deepEqual([...new Set(Metrics.map((metric) => metric.MetricName))], ['good'])
  await ada.close(1000)
})

test('another environment is another namespace', async (t) => {
  const server = await start(t, { args: ['--env', 'prod'] })
  const cloudwatch = watch(t, server)
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`)
  await ada.ask(log('ada', 'app-init', 1))
  const { Metrics } = await cloudwatch.send(new ListMetricsCommand({ MetricName: 'app-init' }))
  assert.deepEqual([...new Set(Metrics.map((metric) => metric.Namespace))], ['riddle-rush-prod'])
  await ada.close(1000)
})

test('a series too many is left out and named, and the players go on', async (t) => {
  const server = await start(t, { config: 'figures: false\nmetrics:\n  seriesMax: 6\napps: all\n' })
  const cloudwatch = watch(t, server)
  for (let i = 0; i < 12; i++) {
    const player = await connect(`${server.ws}/riddle-rush?userId=user${i}`)
    assert.equal((await player.ask(log(`user${i}`, 'app-init', 1))).type, 'ack')
    await player.close(1000)
  }
  assert.equal(await value(server, cloudwatch, 'app-init', {}, 'SampleCount'), 12)
  assert.equal(await value(server, cloudwatch, 'app-init', { UserId: 'user0' }, 'SampleCount'), 1)
  assert.equal(await value(server, cloudwatch, 'app-init', { UserId: 'user11' }, 'SampleCount'), 0)
  const counters = await server.counters()
  assert.ok(counters.watch_series_refused > 0, JSON.stringify(counters.watch_series_refused))
  await until('the log names the namespace', () => /6 series of metrics.*namespace /.test(server.stderr))
  // What was gathered last is put when the server stops, by another thread than what was put before: without figures, too.
  await until('lines are put', async () => (await server.advance(1100), (await server.counters()).logs_events_put >= 36))
  await (await connect(`${server.ws}/riddle-rush?userId=last`)).close(1000)
})

test('high load of one metric is exact', async (t) => {
  const server = await start(t)
  const cloudwatch = watch(t, server)
  const clients = await Promise.all(Array.from({ length: 16 }, (_, i) => connect(`${server.ws}/riddle-rush?userId=user${i}`)))
  await Promise.all(clients.map((client, i) => Promise.all(Array.from({ length: 100 }, (_, k) => client.ask({ ...log(`user${i}`, 'burst', k), requestId: `${k}` })))))
  assert.equal(await value(server, cloudwatch, 'burst', {}, 'SampleCount'), 1600)
  assert.equal(await value(server, cloudwatch, 'burst', {}, 'Sum'), 16 * 4950)
  await advance(server, 60e3)
  assert.equal(await value(server, cloudwatch, 'burst', { UserId: 'user7' }, 'Sum'), 4950)
  for (const client of clients) await client.close(1000)
})
