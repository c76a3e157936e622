// Lines of applications in log groups, as their documents ask for them: the three queries over what real messages wrote, by SDK and command line; `aws logs tail --follow`;
// connections; failures; correlation ids; and a kill in the middle. IN-3, LB-6, LG-1, LG-4 … LG-6, LG-8, LG-9, OP-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { GetQueryResultsCommand, StartQueryCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, request, start, until } from '../lib/weir.mjs'
import { connect, refused } from '../lib/client.mjs'
import { backend } from '../lib/backend.mjs'
import { advance, call, client, filter, now, ok, sdk } from './lib.mjs'

const MESSAGES = '/aws/lambda/riddle-rush-ws-message-dev'
const aws = existsSync('/usr/bin/aws') ? '/usr/bin/aws' : 'aws'
const environment = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }

async function shell(server, args) {
  const { stdout } = await promisify(execFile)(aws, ['logs', ...args, '--endpoint-url', server.http, '--output', 'json'], { env: environment, timeout: 300000 })
  return stdout ? JSON.parse(stdout) : undefined
}

/** The lines of a group, parsed; [] while there is no such group. */
async function lines(server, group) {
  const answer = await call(server, 'DescribeLogGroups', { logGroupNamePrefix: group })
  if (!answer.json.logGroups.some((g) => g.logGroupName === group)) return []
  return (await filter(server, group, { startTime: 0 })).map((event) => JSON.parse(event.message))
}

/** Lines that are gathered are there within a second of the server's time. */
const gathered = (server, group, enough) => until(`lines of ${group}`, async () => {
  await advance(server, 1000)
  const all = await lines(server, group)
  return enough(all) && all
})

const QUERIES = [
  `fields @timestamp, metricName, duration
| filter @message like /Performance logged/
| stats avg(duration) as avg_duration by metricName
| sort avg_duration desc
| limit 20`,
  `fields @timestamp, gameMode, score
| filter @message like /Leaderboard updated/
| stats count() as games, max(score) as high_score by gameMode`,
  `fields @timestamp, @message
| filter @message like /ERROR/
| stats count() as error_count by bin(5m)`,
]

const rows = (results) => results.map((row) => Object.fromEntries(row.map(({ field, value }) => [field, value])))

async function bySdk(server, logGroupName, queryString) {
  const logs = client(server)
  const seconds = Math.floor(now(server) / 1000)
  const { queryId } = await logs.send(new StartQueryCommand({ logGroupName, startTime: seconds - 3600, endTime: seconds + 60, queryString }))
  const answer = await until('the query ends', async () => {
    const seen = await logs.send(new GetQueryResultsCommand({ queryId }))
    return seen.status === 'Complete' && seen
  })
  logs.destroy()
  return rows(answer.results)
}

async function byCommand(server, group, query) {
  const seconds = Math.floor(now(server) / 1000)
  const { queryId } = await shell(server, ['start-query', '--log-group-name', group, '--start-time', String(seconds - 3600), '--end-time', String(seconds + 60), '--query-string', query])
  const answer = await until('the query ends', async () => {
    const seen = await shell(server, ['get-query-results', '--query-id', queryId])
    return seen.status === 'Complete' && seen
  })
  return rows(answer.results)
}

test("the document's queries over what its messages wrote", async (t) => {
  // A route of another API that is the same function there, and cannot be reached: a failure that nobody asked for.
  const server = await start(t, { config: 'apps: [riddle_rush]\napis:\n  broken:\n    routes:\n      $default: {url: "http://127.0.0.1:1/", function: "riddle-rush-ws-message-{env}"}\n' })
  const socket = await connect(`${server.ws}/riddle-rush?userId=user123`)
  for (const [metricName, duration] of [['page-load', 1200], ['page-load', 800], ['app-init', 2500.5]])
    assert.equal((await socket.ask({ action: 'logPerformance', data: { metricName, duration, metadata: {} } })).type, 'ack')
  for (const [gameMode, score] of [['classic', 5000], ['classic', 7000], ['blitz', 10]])
    assert.equal((await socket.ask({ action: 'updateLeaderboard', data: { gameMode, score, playerName: 'John' } })).type, 'ack')
  assert.equal((await socket.ask({ action: 'logPerformance', data: { metricName: 'page-load', duration: 'slow' } })).type, 'error')
  const broken = await connect(`${server.ws}/broken`)
  assert.match((await broken.ask('x')).message, /Internal server error/)
  await gathered(server, MESSAGES, (all) => all.some((line) => line.level === 'ERROR'))

  const first = [{ metricName: 'app-init', avg_duration: '2500.5' }, { metricName: 'page-load', avg_duration: '1000' }]
  const second = [{ gameMode: 'blitz', games: '1', high_score: '10' }, { gameMode: 'classic', games: '2', high_score: '7000' }]
  for (const ask of [bySdk, byCommand]) {
    assert.deepEqual(await ask(server, MESSAGES, QUERIES[0]), first)
    assert.deepEqual((await ask(server, MESSAGES, QUERIES[1])).sort((a, b) => a.gameMode.localeCompare(b.gameMode)), second)
    assert.deepEqual((await ask(server, MESSAGES, QUERIES[2])).map((row) => row.error_count), ['1'])
  }

  const [logged] = await lines(server, '/weir/riddle-rush/logPerformance')
  const { timestamp, requestId, connectionId, correlationId, ...rest } = logged
  assert.deepEqual(rest, { level: 'INFO', message: 'Performance logged', metricName: 'page-load', duration: 1200, api: 'riddle-rush', stage: 'prod', route: 'logPerformance', userId: 'user123' })
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal(correlationId, requestId)
  assert.equal(connectionId.length, 16)
  const [updated] = await lines(server, '/weir/riddle-rush/updateLeaderboard')
  assert.equal(updated.message, 'Leaderboard updated')
  assert.deepEqual([updated.gameMode, updated.score, updated.userId], ['classic', 5000, 'user123'])
  const refusal = (await lines(server, '/weir/riddle-rush/logPerformance')).find((line) => line.level === 'WARN')
  assert.deepEqual([refusal.code, refusal.field], ['TYPE', 'duration'])
  const { logGroups } = await ok(server, 'DescribeLogGroups', { logGroupNamePrefix: MESSAGES })
  assert.equal(logGroups[0].retentionInDays, 7)
  const { logStreams } = await ok(server, 'DescribeLogStreams', { logGroupName: MESSAGES })
  assert.match(logStreams[0].logStreamName, /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\]weir$/)
  assert.equal(logStreams.length, 1)
  await socket.close(1000)
  await broken.close(1000)
  await quiet(server)
})

test('aws logs tail --follow of a function', async (t) => {
  const server = await start(t)
  const socket = await connect(`${server.ws}/riddle-rush?userId=user123`)
  const say = (metricName) => socket.ask({ action: 'logPerformance', data: { metricName, duration: 1 } })
  await say('before')
  const child = spawn(aws, ['logs', 'tail', MESSAGES, '--follow', '--format', 'short', '--endpoint-url', server.http], { env: environment })
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (piece) => (out += piece))
  await until('what was there is shown', () => out.includes('"metricName":"before"'))
  for (const metricName of ['first', 'second']) {
    await say(metricName)
    await until('a new line is shown', () => out.includes(`"metricName":"${metricName}"`))
  }
  child.kill('SIGINT')
  await socket.close(1000)
})

test('connections, and who is refused', async (t) => {
  const server = await start(t)
  const options = { headers: { 'user-agent': 'a browser', 'x-correlation-id': 'trace-7' }, origin: 'http://localhost:3000' }
  const socket = await connect(`${server.ws}/riddle-rush?userId=user123`, options)
  assert.equal((await socket.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 1 } })).type, 'ack')
  await socket.close(4000, 'enough')
  const [line] = await gathered(server, '/aws/lambda/riddle-rush-ws-connect-dev', (all) => all.length)
  assert.deepEqual([line.message, line.ip, line.userAgent, line.origin, line.userId, line.stage, line.correlationId],
    ['Connected', '127.0.0.1', 'a browser', 'http://localhost:3000', 'user123', 'prod', 'trace-7'])
  const [end] = await gathered(server, '/aws/lambda/riddle-rush-ws-disconnect-dev', (all) => all.length)
  assert.deepEqual([end.message, end.code, end.reason, end.connectionId, end.correlationId], ['Disconnected', 4000, 'enough', line.connectionId, 'trace-7'])
  assert.ok(end.connectionDuration >= 0)
  assert.equal((await lines(server, '/weir/riddle-rush/logPerformance'))[0].correlationId, 'trace-7')
  assert.equal((await refused(`${server.ws}/landing-hub?token=nonsense`)).status, 401)
  const [refusal] = (await gathered(server, '/aws/lambda/landinghub-backend-prod-websocketConnect', (all) => all.some((line) => line.code))).filter((line) => line.code) // beside the monitor's line of the token
  assert.deepEqual([refusal.level, refusal.code, refusal.ip], ['WARN', 'INVALID_TOKEN', '127.0.0.1'])
  await quiet(server)
})

test('garbage does not fill the disk', async (t) => {
  const server = await start(t)
  const socket = await connect(`${server.ws}/riddle-rush?userId=user123`)
  for (let i = 0; i < 500; i++) socket.send({ action: 'logPerformance', data: { metricName: '', duration: 1 } })
  for (let i = 0; i < 500; i++) assert.equal((await socket.json()).type, 'error')
  const all = await gathered(server, '/weir/riddle-rush/logPerformance', (list) => list.length >= 10)
  assert.ok(all.length <= 60, `${all.length} lines`)
  await advance(server, 2000)
  socket.send({ action: 'logPerformance' })
  await socket.json()
  const after = await gathered(server, '/weir/riddle-rush/logPerformance', (list) => list.some((line) => line.keptBack))
  assert.ok(after.reduce((sum, line) => sum + 1 + (line.keptBack ?? 0), 0) >= 501)
  await socket.close(1000)
})

test('one id through an endpoint, an answer and a line', async (t) => {
  const team = await backend(t, () => ({ status: 500, body: 'no' }))
  const server = await start(t, { config: `apis:\n  chat:\n    routes:\n      $connect: ${team.url}/ok\n      $default: ${team.url}/\n  quiet:\n    logs: false\n    routes:\n      $default: ${team.url}/\n` })
  const socket = await connect(`${server.ws}/quiet?correlationId=of-the-socket`)
  socket.send('{"correlationId":"of-the-message"}')
  assert.match((await socket.json()).message, /Internal server error/)
  socket.send('{}')
  await socket.json()
  assert.deepEqual(team.events.map((e) => e.headers['x-correlation-id']), ['of-the-message', 'of-the-socket'])
  await socket.close(1000)
  assert.notEqual((await refused(`${server.ws}/chat`)).status, 101)
  await gathered(server, '/weir/chat/connect', (all) => all.length)
  assert.deepEqual((await ok(server, 'DescribeLogGroups', {})).logGroups.filter((g) => g.logGroupName.includes('quiet')), [])
  await quiet(server)
})

test('an acknowledged line survives kill -9, one of a refused message was never there', async (t) => {
  const server = await start(t)
  const logged = new Set()
  for (let round = 0; round < 2; round++) {
    const sockets = await Promise.all(Array.from({ length: 8 }, (_, i) => connect(`${server.ws}/riddle-rush?userId=user${i}`)))
    const work = sockets.map(async (socket, i) => {
      for (let n = 0; ; n++) {
        const metricName = `m-${round}-${i}-${n}`
        // Every third one is refused: the table takes no number so large.
        socket.send({ action: 'logPerformance', data: { metricName, duration: 1, ...(n % 3 === 2 && { metadata: { x: 1e200 } }) } })
        const answer = await socket.json().catch(() => undefined)
        if (!answer) return
        if (answer.type === 'ack') logged.add(metricName)
      }
    })
    await until('enough lines', () => logged.size > 400 * (round + 1))
    await server.kill9()
    await Promise.allSettled(work.map((w) => Promise.race([w, Promise.all(sockets.map((s) => s.closing))])))
    await server.restart()
    const found = (await filter(server, MESSAGES, { startTime: 0 })).map((event) => JSON.parse(event.message)).filter((line) => line.message === 'Performance logged')
    const names = new Map()
    for (const line of found) names.set(line.metricName, (names.get(line.metricName) ?? 0) + 1)
    for (const name of logged) assert.equal(names.get(name), 1, name)
    const undone = [...names.keys()].filter((name) => Number(name.split('-')[3]) % 3 === 2 && !logged.has(name))
    assert.deepEqual(undone, [])
  }
  const logs = client(server)
  assert.ok((await sdk.filter(logs, { logGroupName: MESSAGES, filterPattern: '{ $.metricName = "m-0-0-0" }' })).events.length === 1)
  logs.destroy()
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
})
