// clash_bot's assignment workflow: four events in order, each with its sequence, and no step lost or done twice whatever happens in between.
// GW-18, FO-12, WF-1 … WF-10, CL-7, X-7, X-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { browserPage } from './lib/browser.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const ARN = /^arn:aws:states:us-east-1:123456789012:execution:ClashAssignmentWorkflow:(\w+)$/
const TYPES = ['workflow.started', 'tournament.registered', 'players.assigned', 'teams.locked']
const STEPS = ['Register Tournament', 'Assign Players', 'Lock Teams']

async function ask(server, method, path, body) {
  const { status, json } = await request(server, method, `/clash-bot${path}`, { body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body) })
  return { status, json }
}

async function tournament(server, tournamentId, players = 5) {
  const made = await ask(server, 'POST', '/tournaments', { tournamentId, name: 'Friday night', startTime: '2024-01-01T18:00:00Z' })
  assert.equal(made.status, 201)
  if (!players) return
  const { status, json } = await ask(server, 'POST', `/tournaments/${tournamentId}/players`, { players: Array.from({ length: players }, (_, i) => `player-${i}`) })
  assert.deepEqual({ status, json }, { status: 200, json: { tournamentId, registered: players, playerCount: players } })
}

/** Starts the workflow: the execution's id. */
async function begin(server, tournamentId, body) {
  const { status, json } = await ask(server, 'POST', `/tournaments/${tournamentId}/start`, body)
  assert.equal(status, 202, JSON.stringify(json))
  assert.deepEqual(Object.keys(json).sort(), ['executionArn', 'tournamentId'])
  assert.equal(json.tournamentId, tournamentId)
  return ARN.exec(json.executionArn)[1]
}

const execution = async (server, id) => (await ask(server, 'GET', `/executions/${id}`)).json

function ended(server, id, status = 'SUCCEEDED', { advance = 0, ...options } = {}) {
  return until(`the execution ${status}`, async () => {
    if (advance) await server.advance(advance)
    const now = await execution(server, id)
    if (now.status !== status) throw new Error(JSON.stringify(now))
    return now
  }, options)
}

/** The document's data of each event. */
function data(type, tournamentId, executionId, assignedCount = 5) {
  const teamId = `team-${tournamentId}`
  return {
    'workflow.started': { tournamentId, executionArn: `arn:aws:states:us-east-1:123456789012:execution:ClashAssignmentWorkflow:${executionId}` },
    'tournament.registered': { tournamentId, startTime: '2024-01-01T18:00:00.000Z' },
    'players.assigned': { tournamentId, teamId, assignedCount },
    'teams.locked': { tournamentId, teamId, status: 'locked' },
  }[type]
}

function check(event, type, tournamentId, executionId, assignedCount) {
  const { timestamp, sequence, ...rest } = event
  assert.deepEqual(rest, { type, tournamentId, data: data(type, tournamentId, executionId, assignedCount) })
  assert.match(timestamp, ISO)
  assert.ok(Number.isSafeInteger(sequence) && sequence > 0, `sequence ${sequence}`)
}

const rising = (events) => events.every((event, i) => i === 0 || event.sequence > events[i - 1].sequence)

test('four events, in order, to everybody, as the execution tells them', async (t) => {
  const server = await start(t, { threads: 2 })
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(`${server.ws}/clash-bot`)))
  await tournament(server, 'tournament-123')
  const id = await begin(server, 'tournament-123')
  const heard = []
  for (const client of clients) {
    const events = []
    for (const type of TYPES) {
      events.push(await client.json())
      check(events.at(-1), type, 'tournament-123', id)
    }
    assert.ok(rising(events), JSON.stringify(events))
    heard.push(events)
  }
  for (const events of heard) assert.deepEqual(events, heard[0])
  const { executionArn, startedAt, stoppedAt, sequence, steps, ...rest } = await ended(server, id)
  assert.deepEqual(rest, { executionId: id, tournamentId: 'tournament-123', status: 'SUCCEEDED' })
  assert.match(executionArn, ARN)
  assert.deepEqual([startedAt, stoppedAt], [heard[0][0].timestamp, heard[0][3].timestamp])
  assert.equal(sequence, heard[0][0].sequence)
  assert.deepEqual(steps, heard[0].slice(1).map((event, i) => ({ name: STEPS[i], event: event.type, status: 'SUCCEEDED', completedAt: event.timestamp, sequence: event.sequence })))
  assert.deepEqual((await ask(server, 'GET', `/executions/${encodeURIComponent(executionArn)}`)).json, await execution(server, id), 'by its ARN too')
  const { json } = await ask(server, 'GET', '/prod/tournaments/tournament-123')
  assert.deepEqual({ status: json.status, teamId: json.teamId, executionArn: json.executionArn, playerCount: json.playerCount }, { status: 'locked', teamId: 'team-tournament-123', executionArn, playerCount: 5 })
  assert.deepEqual(json.players.map((player) => [player.playerId, player.teamId]), Array.from({ length: 5 }, (_, i) => [`player-${i}`, 'team-tournament-123']))
  for (const client of clients) {
    assert.equal((await client.ask({ type: 'ping' })).type, 'pong', 'there was no fifth event')
    await client.close(1000)
  }
  await quiet(server)
})

test('tournaments and players, and what is refused', async (t) => {
  const server = await start(t)
  const refused = async (status, error, field, ...request) => {
    const answer = await ask(server, ...request)
    assert.deepEqual([answer.status, answer.json.error, answer.json.field], [status, error, field], `${request.join(' ')}: ${JSON.stringify(answer.json)}`)
    return answer.json
  }
  await refused(400, 'MISSING', 'startTime', 'POST', '/tournaments', {})
  await refused(400, 'MISSING', 'startTime', 'POST', '/tournaments', 'no JSON')
  await refused(400, 'INVALID', 'startTime', 'POST', '/tournaments', { startTime: 'tomorrow' })
  await refused(400, 'TYPE', 'tournamentId', 'POST', '/tournaments', { tournamentId: 5, startTime: 0 })
  await refused(400, 'INVALID', 'tournamentId', 'POST', '/tournaments', { tournamentId: 'a/b', startTime: 0 })
  await refused(413, 'TOO_LARGE', 'tournamentId', 'POST', '/tournaments', { tournamentId: 'x'.repeat(129), startTime: 0 })
  await refused(400, 'TYPE', 'name', 'POST', '/tournaments', { name: {}, startTime: 0 })

  for (const startTime of [1704132000, 1704132000000, '2024-01-01T18:00:00Z', '2024-01-01T19:00:00.000+01:00']) {
    const { status, json } = await ask(server, 'POST', '/tournaments', { startTime })
    assert.deepEqual([status, json.startTime, json.status, json.playerCount], [201, '2024-01-01T18:00:00.000Z', 'open', 0])
    assert.match(json.tournamentId, /^tournament-\w+$/)
    assert.equal(json.name, json.tournamentId)
    assert.match(json.createdAt, ISO)
    assert.deepEqual((await ask(server, 'GET', `/tournaments/${json.tournamentId}`)).json, { ...json, players: [] })
  }
  await tournament(server, 't1', 0)
  await refused(409, 'EXISTS', 'tournamentId', 'POST', '/tournaments', { tournamentId: 't1', startTime: 0 })
  for (const [method, path] of [['GET', ''], ['POST', '/players'], ['POST', '/start']]) await refused(404, 'NOT_FOUND', undefined, method, `/tournaments/nobody-knows${path}`)
  await refused(404, 'NOT_FOUND', undefined, 'GET', '/executions/nobody-knows')

  await refused(400, 'MISSING', 'playerId', 'POST', '/tournaments/t1/players', {})
  await refused(400, 'TYPE', 'players', 'POST', '/tournaments/t1/players', { players: [] })
  await refused(400, 'TYPE', 'players', 'POST', '/tournaments/t1/players', { players: { a: 'b' } })
  await refused(400, 'TYPE', 'players[1].playerId', 'POST', '/tournaments/t1/players', { players: ['a', 7] })
  await refused(400, 'INVALID', 'players[0].name', 'POST', '/tournaments/t1/players', { players: [{ playerId: 'a', name: 9 }] })
  await refused(400, 'INVALID', 'players[1]', 'POST', '/tournaments/t1/players', { players: ['a', ''] })
  await refused(400, 'LIMIT', 'players', 'POST', '/tournaments/t1/players', { players: Array.from({ length: 401 }, (_, i) => `p${i}`) })
  assert.deepEqual((await ask(server, 'GET', '/tournaments/t1')).json.players, [], 'a refused request registers nobody')
  const register = async (body, expected) => assert.deepEqual((await ask(server, 'POST', '/tournaments/t1/players', body)).json, { tournamentId: 't1', ...expected })
  await register({ playerId: 'p0', name: 'Ann' }, { registered: 1, playerCount: 1 })
  await register({ players: ['p0', { playerId: 'p1', name: 'Bob' }, 'p2', 'p2'] }, { registered: 2, playerCount: 3 })
  const { players } = (await ask(server, 'GET', '/tournaments/t1')).json
  assert.deepEqual(players.map(({ playerId, name }) => [playerId, name]), [['p0', 'Ann'], ['p1', 'Bob'], ['p2', 'p2']])
  await register({ players: Array.from({ length: 400 }, (_, i) => `p${i}`) }, { registered: 397, playerCount: 400 })
  await refused(400, 'LIMIT', 'players', 'POST', '/tournaments/t1/players', { playerId: 'one-more' })

  await refused(400, 'INVALID', 'stepDelay', 'POST', '/tournaments/t1/start', { stepDelay: -1 })
  const id = await begin(server, 't1', { stepDelay: 60000 })
  const { executionArn, message } = await refused(409, 'RUNNING', undefined, 'POST', '/tournaments/t1/start')
  assert.equal(ARN.exec(executionArn)[1], id)
  assert.ok(message.includes(executionArn))
  await refused(409, 'CLOSED', undefined, 'POST', '/tournaments/t1/players', { playerId: 'late' })
  const running = await execution(server, id)
  assert.deepEqual([running.status, ...running.steps.map((step) => step.status)], ['RUNNING', 'RUNNING', 'PENDING', 'PENDING'])
  await ended(server, id, 'SUCCEEDED', { advance: 60000 })
  const again = await begin(server, 't1')
  assert.notEqual(again, id)
  await ended(server, again)
  await quiet(server)
})

test('of twenty starts at once one is taken; two tournaments go side by side', async (t) => {
  const server = await start(t, { threads: 2 })
  const client = await connect(`${server.ws}/clash-bot`)
  await tournament(server, 'red', 3)
  await tournament(server, 'blue', 4)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(server, 'POST', `/tournaments/${i % 2 ? 'red' : 'blue'}/start`, { stepDelay: 60000 })))
  const ids = {}
  for (const name of ['red', 'blue']) {
    const taken = answers.filter(({ status, json }) => status === 202 && json.tournamentId === name)
    const refused = answers.filter(({ status, json }) => status === 409 && json.tournamentId === name)
    assert.deepEqual([taken.length, refused.length], [1, 19])
    for (const { json } of refused) assert.equal(json.executionArn, taken[0].json.executionArn)
    ids[name] = ARN.exec(taken[0].json.executionArn)[1]
  }
  const events = [await client.json(), await client.json()]
  for (let i = 0; i < 3; i++) {
    await server.advance(61000)
    events.push(await client.json(), await client.json())
  }
  for (const [name, count] of [['red', 3], ['blue', 4]]) {
    const own = events.filter((event) => event.tournamentId === name)
    assert.equal(own.length, 4)
    own.forEach((event, i) => check(event, TYPES[i], name, ids[name], count))
    assert.ok(rising(own))
  }
  assert.ok(events.every((event, i) => i === 0 || event.sequence >= events[i - 1].sequence), 'in the order of their commits')
  await client.close(1000)
  await quiet(server)
})

test('a hundred workflows at once: each event has a commit of its own', async (t) => {
  const server = await start(t, { threads: 2 })
  const client = await connect(`${server.ws}/clash-bot`)
  const names = Array.from({ length: 100 }, (_, i) => `cup-${i}`)
  await Promise.all(names.map((name) => tournament(server, name, 2)))
  await Promise.all(names.map((name) => begin(server, name)))
  const heard = Object.fromEntries(names.map((name) => [name, []]))
  for (let i = 0; i < names.length * TYPES.length; i++) {
    const event = await client.json()
    heard[event.tournamentId].push(event)
  }
  for (const name of names) {
    assert.deepEqual(heard[name].map((event) => event.type), TYPES)
    assert.ok(rising(heard[name]), JSON.stringify(heard[name]))
  }
  await client.close(1000)
  await quiet(server)
})

test('kill -9 between all steps: the workflow goes on where it stood', async (t) => {
  const server = await start(t)
  await tournament(server, 'cup')
  let client = await connect(`${server.ws}/clash-bot`)
  const id = await begin(server, 'cup', { stepDelay: 60000 })
  const events = [await client.json()]
  for (let i = 1; i < TYPES.length; i++) {
    await server.kill9()
    await client.closed()
    await server.restart()
    client = await connect(`${server.ws}/clash-bot`)
    assert.equal((await ask(server, 'POST', '/tournaments/cup/start')).status, 409, 'it is still running')
    await server.advance(i * 60000 + 60000) /* the driven time was lost with the process, the due times were not */
    events.push(await client.json())
  }
  events.forEach((event, i) => check(event, TYPES[i], 'cup', id))
  assert.ok(rising(events))
  const { steps } = await ended(server, id)
  assert.deepEqual(steps.map((step) => step.sequence), events.slice(1).map((event) => event.sequence))
  await server.advance(24 * 3600 * 1000)
  assert.equal((await client.ask({ type: 'ping' })).type, 'pong', 'nothing is sent again')
  await client.close(1000)
  await quiet(server)
})

test('kill -9 in the thick of it: of each workflow that was accepted each step is done once', async (t) => {
  const server = await start(t, { threads: 2 })
  const accepted = []
  const kills = []
  let interrupted = 0
  const heard = new Map() /* "tournament type" -> sequence */
  for (let round = 0; round < 4; round++) {
    const client = await connect(`${server.ws}/clash-bot`)
    let count = 0
    client.socket.removeAllListeners('message')
    client.socket.on('message', (text) => {
      const event = JSON.parse(text)
      const key = `${event.tournamentId} ${event.type}`
      assert.ok(!heard.has(key), `${key} came twice`)
      heard.set(key, event.sequence)
      count++
    })
    const names = Array.from({ length: 12 }, (_, i) => `r${round}-${i}`)
    await Promise.all(names.map((name) => tournament(server, name)))
    const starts = names.map((name) => begin(server, name, { stepDelay: Math.floor(Math.random() * 30) }).then((id) => accepted.push([name, id]), () => {}))
    await until('some events', () => count > 5 + round * 9, { every: 1 })
    await server.kill9()
    kills.push(new Date().toISOString())
    await Promise.all(starts)
    await client.closed()
    await server.restart()
  }
  assert.ok(accepted.length > 4, `${accepted.length} accepted`)
  for (const [name, id] of accepted) {
    const { steps, sequence, startedAt, stoppedAt } = await ended(server, id)
    interrupted += kills.some((at) => startedAt < at && at < stoppedAt)
    assert.ok(rising([{ sequence }, ...steps]))
    for (const step of steps) {
      const key = `${name} ${step.event}`
      if (heard.has(key)) assert.equal(heard.get(key), step.sequence, `${key}: what was heard is what is kept`)
    }
    const { json } = await ask(server, 'GET', `/tournaments/${name}`)
    assert.equal(json.status, 'locked')
    assert.ok(json.players.every((player) => player.teamId === `team-${name}`))
  }
  t.diagnostic(`${accepted.length} workflows, ${interrupted} of them interrupted`)
  assert.ok(interrupted > 0)
  await quiet(server)
})

test('a client that vanished and one that does not read stop nobody', async (t) => {
  const server = await start(t, { threads: 2 })
  const [reader, vanished, deaf, other] = await Promise.all(Array.from({ length: 4 }, () => connect(`${server.ws}/clash-bot`)))
  await tournament(server, 'cup')
  deaf.socket.pause()
  vanished.socket.terminate()
  const first = await begin(server, 'cup', { stepDelay: 60000 })
  for (const [i, type] of TYPES.entries()) {
    if (i) await server.advance(60001)
    for (const client of [reader, other]) check(await client.json(), type, 'cup', first)
    if (i === 1) deaf.socket.terminate()
  }
  await ended(server, first)
  await reader.close(1000)
  await other.close(1000)
  await quiet(server)
})

const PLAYERS = 'ClashPlayers'

/** Rows that no handler can read within its budget. */
async function clutter(server, tournamentId) {
  const keys = ['a', 'b', 'c'].map((playerId) => ({ tournamentId: { S: tournamentId }, playerId: { S: `heavy-${playerId}` } }))
  for (const key of keys) await dynamodb(server, 'PutItem', { TableName: PLAYERS, Item: { ...key, ballast: { S: 'x'.repeat(390000) } } })
  return async () => {
    for (const key of keys) await dynamodb(server, 'DeleteItem', { TableName: PLAYERS, Key: key })
  }
}

test('a step that fails is tried again, and what it did not do is not seen', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/clash-bot`)
  await tournament(server, 'cup')
  const clear = await clutter(server, 'cup')
  const { tick_deferred_retries: before } = await server.counters()
  const id = await begin(server, 'cup')
  check(await client.json(), TYPES[0], 'cup', id)
  check(await client.json(), TYPES[1], 'cup', id)
  await until('two attempts', async () => {
    await server.advance(1000)
    return (await server.counters()).tick_deferred_retries >= before + 2
  })
  const { steps } = await execution(server, id)
  assert.deepEqual(steps.map((step) => step.status), ['SUCCEEDED', 'RUNNING', 'PENDING'])
  await clear()
  await ended(server, id, 'SUCCEEDED', { advance: 1000 })
  check(await client.json(), TYPES[2], 'cup', id)
  check(await client.json(), TYPES[3], 'cup', id)
  await client.close(1000)
  await quiet(server)
})

test('a step that never succeeds fails the execution, and the tournament is open again', async (t) => {
  const server = await start(t)
  await tournament(server, 'cup')
  const clear = await clutter(server, 'cup')
  const id = await begin(server, 'cup')
  const { status, steps, cause, stoppedAt } = await ended(server, id, 'FAILED', { advance: 30000 })
  assert.deepEqual([status, ...steps.map((step) => step.status)], ['FAILED', 'SUCCEEDED', 'FAILED', 'PENDING'])
  assert.match(cause, /given up/)
  assert.match(stoppedAt, ISO)
  await server.stop() /* back in the present, or no signature is valid; the server's own time does not go back, and is caught up with below */
  await server.restart()
  await clear()
  assert.equal((await ask(server, 'POST', '/tournaments/cup/players', { playerId: 'late' })).status, 200)
  await ended(server, await begin(server, 'cup'), 'SUCCEEDED', { advance: 60000 })
  await quiet(server)
})

test('a tournament that is deleted under its workflow fails it at once', async (t) => {
  const server = await start(t)
  await tournament(server, 'cup')
  const id = await begin(server, 'cup', { stepDelay: 60000 })
  await dynamodb(server, 'DeleteItem', { TableName: 'ClashTournaments', Key: { tournamentId: { S: 'cup' } } })
  await server.advance(60001)
  const { cause } = await ended(server, id, 'FAILED')
  assert.match(cause, /deleted/)
  await quiet(server)
})

test('after a day of standstill the steps come before the watch', async (t) => {
  const server = await start(t)
  await tournament(server, 'cup')
  const id = await begin(server, 'cup', { stepDelay: 60000 })
  await server.advance(24 * 3600 * 1000)
  await ended(server, id, 'SUCCEEDED', { advance: 60000 })
  await quiet(server)
})

test("the document's client in Chromium hears all four", { timeout: 600000 }, async (t) => {
  const printed = readFileSync(new URL('documents/clashbot-client.js', import.meta.url), 'utf8')
  const server = await start(t)
  const page = await browserPage(t)
  const lines = []
  page.on('console', async (message) => lines.push((await Promise.all(message.args().map((a) => a.jsonValue()))).map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(' ')))
  await page.evaluate(printed.replace('wss://{api-id}.execute-api.{region}.amazonaws.com/prod', `${server.ws}/clash-bot/prod`).replace('const ws', 'globalThis.ws'))
  await until('the connection', () => lines.includes('Connected to WebSocket'))
  await tournament(server, 'tournament-123')
  const id = await begin(server, 'tournament-123')
  const events = await until('four events', () => {
    const all = lines.filter((line) => line.startsWith('Received event: ')).map((line) => JSON.parse(line.slice('Received event: '.length)))
    return all.length === TYPES.length && all
  })
  events.sort((a, b) => a.sequence - b.sequence) /* the console answers each line on its own */
  events.forEach((event, i) => check(event, TYPES[i], 'tournament-123', id))
  await page.evaluate('ws.close()')
  await until('the end', () => lines.includes('WebSocket disconnected'))
  await quiet(server)
})
