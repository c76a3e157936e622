// conversation: auth, message, ping; a question is stored before the bot is asked, and its outcome is stored with what tells it; history; a bot that fails.
// GW-7, GW-14, GW-15, AU-5, AU-6, AU-8, AU-14, TB-9, CH-1 … CH-4, CH-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { atEnd, quiet, request, run, start, temporaryFolder, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'
import { dynamodb } from './lib/dynamodb.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const ID = /^\w{26}$/

/** `bot`: YAML of the application's settings. */
async function talk(t, bot = '', { env, ...options } = {}) {
  const config = `
apps:
  conversation:
    jwt: {secret: "${secret}"}
${bot.trim().split('\n').map((line) => `    ${line}`).join('\n')}
`
  const server = await start(t, { config, env: { ...env }, ...options })
  const given = (sub, life = 86400) => server.now().then((now) => token({ sub, exp: seconds(now, life) }))
  const as = async (sub) => connect(`${server.ws}/conversation?token=${await given(sub)}`)
  const get = async (sub, target) => {
    const { status, json } = await request(server, 'GET', `/conversation${target}`, { headers: { authorization: `Bearer ${await given(sub)}` } })
    return { status, json }
  }
  return { server, given, as, get }
}

/** Sends a message: the acknowledgement. */
async function say(client, message, more = {}) {
  const ack = await client.ask({ type: 'message', message, ...more })
  assert.equal(ack.type, 'ack', JSON.stringify(ack))
  return ack
}

/** Sends a message: the acknowledgement and what it came to. */
async function exchange(client, message, more) {
  const ack = await say(client, message, more)
  return { ack, outcome: await client.json() }
}

const texts = (page) => page.messages.map(({ sender, message }) => `${sender}: ${message}`)

test("the document's three messages, and a socket that has shown no token", async (t) => {
  const { server, given } = await talk(t)
  const client = await connect(`${server.ws}/conversation`)
  const { message, ...early } = await client.ask({ type: 'message', action: 'sendMessage', message: 'hello', sessionId: 's', requestId: 'r0' })
  assert.deepEqual(early, { type: 'error', error: 'UNAUTHENTICATED_CONNECTION', requestId: 'r0', messageType: 'message', action: 'sendMessage' })
  assert.ok(message)
  const refused = async (body, code, more = []) => {
    const answer = await client.ask({ type: 'auth', ...body })
    assert.deepEqual([answer.type, answer.error, answer.errorType, answer.field], ['error', code, code, 'token'])
    for (const name of more) assert.equal(typeof answer[name], 'number', name)
  }
  await refused({}, 'MISSING_TOKEN')
  await refused({ token: 'x.y.z' }, 'INVALID_TOKEN')
  await refused({ token: await given('ada', -3600) }, 'TOKEN_EXPIRED', ['exp', 'now'])
  assert.deepEqual(await client.ask({ type: 'auth', action: 'login', token: await given('ada'), requestId: 1 }), { type: 'ack', action: 'login', requestId: 1 })

  const { ack, outcome } = await exchange(client, 'Grüße 🌊', { action: 'sendMessage', requestId: 2, correlationId: 'c-1' })
  const { sessionId, messageId, timestamp, seq, ...rest } = ack
  assert.deepEqual(rest, { type: 'ack', action: 'message', messageLength: 8, correlationId: 'c-1', requestId: 2 })
  assert.match(sessionId, ID)
  assert.match(messageId, ID)
  assert.match(timestamp, ISO)
  const { messageId: answerId, timestamp: later, seq: next, ...answer } = outcome
  assert.deepEqual(answer, { type: 'message', sessionId, sender: 'bot', userId: 'ada', message: 'Grüße 🌊', messageLength: 8, replyTo: messageId, correlationId: 'c-1', requestId: 2 })
  assert.match(later, ISO)
  assert.ok(answerId > messageId && next > seq, 'the answer is a later commit')

  const { timestamp: now, ...pong } = await client.ask({ type: 'ping', requestId: 3 })
  assert.deepEqual(pong, { type: 'pong', requestId: 3 })
  assert.match(now, ISO)
  assert.equal((await client.ask({ action: 'ping' })).type, 'pong', 'by its action')
  assert.equal((await say(client, undefined, { type: undefined, action: 'message', data: { message: 'by action', sessionId } })).sessionId, sessionId)
  assert.equal((await client.json()).message, 'by action')
  for (const nothing of [{ type: 'shout' }, 'no JSON', {}, '[1]']) assert.equal((await client.ask(nothing)).error, 'UNKNOWN_ACTION')

  const { Items: rows } = await dynamodb(server, 'Scan', { TableName: 'conversation-messages-dev' })
  assert.deepEqual(rows.map((row) => row.sender.S).sort(), ['bot', 'bot', 'user', 'user'])
  const { Items: [session] } = await dynamodb(server, 'Scan', { TableName: 'conversation-sessions-dev' })
  assert.deepEqual([session.userId.S, session.messageCount.N, session.asking.S, session.ttl], ['ada', '4', '', undefined])
  const { Items: [row] } = await dynamodb(server, 'Query', { TableName: 'conversation-connections-dev', IndexName: 'UserIdIndex', KeyConditionExpression: 'userId = :u', ExpressionAttributeValues: { ':u': { S: 'ada' } } })
  assert.ok(row.connectionId.S, 'the registry knows the user of a socket that showed its token later')
  await client.close(1000)
  await quiet(server)
})

test('sessions are given or made, and belong to one user', async (t) => {
  const { server, as, get } = await talk(t)
  const [ada, bob] = [await as('ada'), await as('bob')]
  const made = (await exchange(ada, 'one')).ack.sessionId
  const other = (await exchange(ada, 'two')).ack.sessionId
  assert.notEqual(made, other, 'without a sessionId a session is made')
  assert.equal((await exchange(ada, 'three', { sessionId: made })).outcome.sessionId, made)
  assert.equal((await exchange(ada, 'mine', { sessionId: 'my-own:id' })).ack.sessionId, 'my-own:id')
  for (const empty of ['', null]) assert.match((await exchange(ada, 'empty', { sessionId: empty })).ack.sessionId, ID)

  const { message, ...stolen } = await bob.ask({ type: 'message', message: 'let me in', sessionId: made, requestId: 'r' })
  assert.match(message, /another user/)
  const { connectionId, ...context } = stolen
  assert.deepEqual(context, { type: 'error', error: 'FORBIDDEN', field: 'sessionId', requestId: 'r', sessionId: made, messageLength: 9 })
  assert.equal(connectionId.length, 16)
  assert.equal((await bob.ask({ type: 'history', sessionId: made })).error, 'FORBIDDEN')
  assert.deepEqual([(await get('bob', `/sessions/${made}/messages`)).status, (await get('ada', `/sessions/${made}/messages`)).status], [403, 200])
  assert.equal((await bob.ask({ type: 'message', message: 'as ada', userId: 'ada' })).error, 'FORBIDDEN', 'who writes is told by the token')
  assert.deepEqual((await get('bob', '/sessions')).json, { type: 'sessions', sessions: [] })
  assert.equal((await request(server, 'GET', '/conversation/sessions')).status, 401)
  for (const client of [ada, bob]) await client.close(1000)
  await quiet(server)
})

test('what is refused tells the connection, the length and the session', async (t) => {
  const { server, as } = await talk(t)
  const ada = await as('ada')
  for (const [fields, error, field, context] of [
    [{}, 'MISSING', 'message', {}],
    [{ message: '' }, 'INVALID', 'message', { messageLength: 0 }],
    [{ message: 7 }, 'TYPE', 'message', {}],
    [{ message: 'bell \u0007', sessionId: 's1' }, 'INVALID', 'message', { sessionId: 's1' }],
    [{ message: 'x'.repeat(16385), sessionId: 's1' }, 'TOO_LARGE', 'message', { messageLength: 16385, sessionId: 's1' }],
    [{ message: '🌊'.repeat(4097) }, 'TOO_LARGE', 'message', { messageLength: 8194 }],
    [{ message: 'ok', sessionId: 'a/b' }, 'INVALID', 'sessionId', { messageLength: 2, sessionId: 'a/b' }],
    [{ message: 'ok', sessionId: 'x'.repeat(129) }, 'TOO_LARGE', 'sessionId', { messageLength: 2, sessionId: 'x'.repeat(129) }],
    [{ message: 'ok', sessionId: 5 }, 'TYPE', 'sessionId', { messageLength: 2 }],
    [{ message: 'ok', correlationId: 'x'.repeat(129) }, 'TOO_LARGE', 'correlationId', { messageLength: 2 }],
  ]) {
    const { connectionId, message, ...answer } = await ada.ask({ type: 'message', ...fields })
    assert.deepEqual(answer, { type: 'error', error, field, ...context })
    assert.equal(connectionId.length, 16)
    assert.ok(message)
  }
  assert.deepEqual([(await dynamodb(server, 'Scan', { TableName: 'conversation-messages-dev' })).Count, (await dynamodb(server, 'Scan', { TableName: 'conversation-sessions-dev' })).Count], [0, 0])
  assert.equal((await exchange(ada, 'x'.repeat(16384))).outcome.messageLength, 16384)
  await ada.close(1000)
  await quiet(server)
})

test('history: newest first by pages, by socket and by request, and by the token alone', async (t) => {
  const { server, as, get } = await talk(t)
  const ada = await as('ada')
  assert.deepEqual(await ada.ask({ type: 'history' }), { type: 'history', sessionId: null, messages: [] })
  const { ack: { sessionId } } = await exchange(ada, 'm0')
  for (let i = 1; i < 6; i++) await exchange(ada, `m${i}`, { sessionId })
  const all = Array.from({ length: 6 }, (_, i) => [`user: m${i}`, `bot: m${i}`]).flat()
  const whole = await ada.ask({ type: 'history', sessionId, requestId: 9 })
  assert.deepEqual([texts(whole), whole.requestId, whole.next], [all, 9, undefined])
  for (const message of whole.messages) assert.match(message.timestamp, ISO)

  const pages = []
  for (let before; ;) {
    const page = await ada.ask({ type: 'history', sessionId, limit: 5, before })
    pages.unshift(texts(page))
    before = page.next
    if (!before) break
  }
  assert.deepEqual(pages.map((page) => page.length), [2, 5, 5])
  assert.deepEqual(pages.flat(), all)
  const { json: newest } = await get('ada', `/sessions/${sessionId}/messages?limit=3`)
  assert.deepEqual(texts(newest), all.slice(-3))
  assert.deepEqual(texts((await get('ada', `/prod/sessions/${sessionId}/messages?before=${newest.next}`)).json), all.slice(0, -3))

  const { ack: second } = await exchange(ada, 'elsewhere')
  await ada.close(1000)
  const again = await as('ada')
  const found = await again.ask({ type: 'history' })
  assert.deepEqual([found.sessionId, texts(found)], [second.sessionId, ['user: elsewhere', 'bot: elsewhere']], 'the newest session')
  const { sessions } = await again.ask({ type: 'sessions' })
  assert.deepEqual(sessions.map((session) => [session.sessionId, session.messageCount]), [[second.sessionId, 2], [sessionId, 12]])
  for (const session of sessions) assert.deepEqual(Object.keys(session), ['sessionId', 'createdAt', 'updatedAt', 'messageCount'])
  const first = (await get('ada', '/sessions?limit=1')).json
  assert.equal(first.sessions.length, 1)
  assert.deepEqual((await get('ada', `/sessions?before=${first.next}`)).json.sessions.map((session) => session.sessionId), [sessionId])

  assert.deepEqual([(await again.ask({ type: 'history', sessionId: 'nobody-knows' })).error, (await get('ada', '/sessions/nobody-knows/messages')).status], ['NOT_FOUND', 404])
  for (const limit of [0, 101, 'many']) {
    assert.deepEqual([(await get('ada', `/sessions?limit=${limit}`)).status, (await again.ask({ type: 'history', limit })).field], [400, 'limit'])
  }
  await again.close(1000)
  await quiet(server)
})

test('a page of large messages ends early and goes on', async (t) => {
  const { server, as } = await talk(t)
  const ada = await as('ada')
  const { ack: { sessionId } } = await exchange(ada, `0-${'x'.repeat(16000)}`)
  for (let i = 1; i < 20; i++) await exchange(ada, `${i}-${'x'.repeat(16000)}`, { sessionId })
  const seen = []
  let pages = 0
  for (let before; ; pages++) {
    const page = await ada.ask({ type: 'history', sessionId, limit: 100, before })
    seen.unshift(...page.messages.map((message) => `${message.sender}${parseInt(message.message)}`))
    before = page.next
    if (!before) break
  }
  assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => [`user${i}`, `bot${i}`]).flat())
  assert.ok(pages > 0)
  await ada.close(1000)
  await quiet(server)
})

test('two sockets of one session see the same, in the same order', async (t) => {
  const { server, as } = await talk(t, '', { threads: 2 })
  const [one, two, stranger] = [await as('ada'), await as('ada'), await as('bob')]
  const { ack: { sessionId, messageId } } = await exchange(one, 'first')
  const shown = [await two.json(), await two.json()]
  assert.deepEqual(shown.map(({ sender, message }) => `${sender}: ${message}`), ['user: first', 'bot: first'])
  assert.deepEqual([shown[0].messageId, shown[1].replyTo], [messageId, messageId])
  for (let i = 0; i < 10; i++) (i % 2 ? one : two).send({ type: 'message', message: `m${i}`, sessionId })
  const heard = { one: [], two: [] }
  for (const [name, client] of [['one', one], ['two', two]])
    while (heard[name].length < 20) {
      const event = await client.json()
      heard[name].push(event.type === 'ack' ? event.messageId : event.messageId)
    }
  const { messages } = await one.ask({ type: 'history', sessionId })
  const stored = messages.slice(2).map((message) => message.messageId)
  for (const name of ['one', 'two']) assert.deepEqual([...heard[name]].sort(), stored, `${name} heard of each message once`)
  const answers = messages.slice(2).filter((message) => message.sender === 'bot')
  const questions = messages.slice(2).filter((message) => message.sender === 'user')
  assert.deepEqual(answers.map((answer) => answer.replyTo), questions.map((question) => question.messageId), 'answers in the order of the questions')
  assert.deepEqual(answers.map((answer) => answer.message), questions.map((question) => question.message))
  assert.equal((await stranger.ask({ type: 'ping' })).type, 'pong', 'and nobody else anything')
  for (const client of [one, two, stranger]) await client.close(1000)
  await quiet(server)
})

test('a webhook is asked one question of a session at a time, and a line that is too long is refused', async (t) => {
  const open = []
  const team = await backend(t, ({ message }) => new Promise((resolve) => open.push(() => resolve({ body: { message: `re: ${message}` } }))))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}/bot", timeout: 5m}`)
  const [ada, bob] = [await as('ada'), await as('bob')]
  const first = await say(ada, 'q0', { sessionId: 's', correlationId: 'corr-0' })
  const { headers, event, method } = await team.event('/bot')
  assert.deepEqual([method, headers['content-type'], headers['x-correlation-id'], headers.authorization], ['POST', 'application/json', 'corr-0', undefined])
  const { messageId, timestamp, ...rest } = event
  assert.deepEqual(rest, { type: 'message', sessionId: 's', sender: 'user', userId: 'ada', message: 'q0', messageLength: 2, correlationId: 'corr-0' })
  assert.deepEqual([messageId, timestamp], [first.messageId, first.timestamp])
  for (let i = 1; i <= 16; i++) await say(ada, `q${i}`, { sessionId: 's' })
  const full = await ada.ask({ type: 'message', message: 'one more', sessionId: 's' })
  assert.deepEqual([full.error, full.sessionId, full.messageLength], ['BUSY', 's', 8])
  await say(bob, 'another session')
  await team.event('/bot', 2)
  assert.equal(team.events.length, 2, 'of the session one is with the bot')
  open.pop()()
  assert.equal((await bob.json()).message, 're: another session')
  for (let i = 0; i <= 16; i++) {
    await until('the question', () => open.length)
    assert.equal(open.length, 1)
    open.shift()()
    assert.equal((await ada.json()).message, `re: q${i}`)
  }
  const { messages } = await ada.ask({ type: 'history', sessionId: 's' })
  assert.equal(messages.length, 34)
  for (const client of [ada, bob]) await client.close(1000)
  await quiet(server)
})

test('an OpenAI-compatible service is told the conversation, in pairs, with its key', async (t) => {
  const model = await backend(t, ({ messages }) => ({ body: { id: 'x', choices: [{ index: 0, message: { role: 'assistant', content: `heard ${messages.length}` }, finish_reason: 'stop' }] } }))
  const { server, as } = await talk(t, `bot: {openai: "${model.url}/v1/", model: small, keyEnv: BOT_KEY, system: "Be brief."}`, { env: { BOT_KEY: 'sk-secret-of-the-bot' } })
  const ada = await as('ada')
  const sessionId = 's'
  for (let i = 0; i < 3; i++) ada.send({ type: 'message', message: `q${i}`, sessionId })
  const answers = []
  while (answers.length < 3) {
    const event = await ada.json()
    if (event.type === 'message') answers.push(event.message)
  }
  assert.deepEqual(answers, ['heard 2', 'heard 4', 'heard 6'])
  const asked = model.events.map(({ event }) => event)
  assert.deepEqual(Object.keys(asked[2]).sort(), ['messages', 'model', 'stream', 'user'])
  assert.deepEqual([asked[2].model, asked[2].user, asked[2].stream], ['small', 'ada', false])
  assert.deepEqual(asked[2].messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'q0' }, { role: 'assistant', content: 'heard 2' },
    { role: 'user', content: 'q1' }, { role: 'assistant', content: 'heard 4' },
    { role: 'user', content: 'q2' },
  ])
  for (const { path: at, headers } of model.events) assert.deepEqual([at, headers.authorization], ['/v1/chat/completions', 'Bearer sk-secret-of-the-bot'])
  for (let i = 3; i < 30; i++) await exchange(ada, `q${i}`, { sessionId })
  const told = model.events.at(-1).event.messages
  assert.deepEqual([told.at(-1), told.at(-2).role, told[0].role], [{ role: 'user', content: 'q29' }, 'assistant', 'system'])
  assert.ok(told.length <= 42, `${told.length} messages`)
  await ada.close(1000)
  await quiet(server)
})

test('a bot that fails: the user is told, the question is stored, and nobody asks until 30 s are over', async (t) => {
  let answer
  const team = await backend(t, (event, how) => answer(event, how))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}/bot"}`)
  const ada = await as('ada')
  const sessionId = 's'
  const fails = async (message, code, reason) => {
    const { ack, outcome: { message: why, retryAfter, ...outcome } } = await exchange(ada, message, { sessionId, requestId: 'r', correlationId: 'c' })
    const { connectionId, ...rest } = outcome
    assert.deepEqual(rest, { type: 'error', error: code, messageLength: message.length, sessionId, messageId: ack.messageId, correlationId: 'c', requestId: 'r' })
    assert.equal(connectionId.length, 16)
    assert.match(why, reason)
    return retryAfter
  }
  const answers = async (message) => {
    answer = () => ({ body: { message: 'here' } })
    assert.equal((await exchange(ada, message, { sessionId })).outcome.message, 'here')
  }
  const bodies = [
    [{ status: 500, body: { message: 'not this' } }, /refused/],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /refused/],
    [{ status: 429, body: '{}' }, /refused/],
    [{ status: 204 }, /no message/],
    [{ body: '' }, /no message/],
    [{ body: 'plain text' }, /no message/],
    [{ body: '{"message":"hal' }, /no message/],
    [{ body: '{"message":7}' }, /no message/],
    [{ body: '{"message":" \\n\\u0001 "}' }, /no message/],
    [{ body: '["message"]' }, /no message/],
    [{ body: `${'['.repeat(50000)}` }, /no message/],
    [{ body: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }, /no message/],
    [{ body: `{"message":"${'x'.repeat(65537)}"}` }, /too large/],
    [{ body: `{"message":"x"}${' '.repeat(300000)}` }, /too large/],
  ]
  for (const [given, reason] of bodies) {
    answer = () => given
    await fails('f', 'BOT_FAILED', reason)
    await answers('and again') /* a success in between: the circuit stays closed */
  }
  answer = (event, { request: asked }) => void asked.socket.destroy()
  await fails('cut off', 'BOT_FAILED', /reached/)
  await answers('after the first cut')
  answer = (event, { request: asked }) => void asked.socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"message":"half')
  await fails('cut in the middle', 'BOT_FAILED', /reached/)
  answer = () => ({ body: '{"message":"tab\\t, line\\n, bell \\u0007, nul \\u0000, \\ud83c\\udf0a"}' })
  assert.equal((await exchange(ada, 'controls', { sessionId })).outcome.message, 'tab\t, line\n, bell  , nul  , 🌊')

  answer = () => ({ status: 503, body: '' })
  for (let i = 0; i < 3; i++) await fails(`down ${i}`, 'BOT_FAILED', /refused/)
  const asked = team.events.length
  const left = await fails('open', 'BOT_UNAVAILABLE', /not asked/)
  assert.ok(left > 0 && left <= 30000, `${left} ms`)
  await server.advance(29000)
  await fails('still open', 'BOT_UNAVAILABLE', /not asked/)
  assert.equal(team.events.length, asked, 'nobody asked')
  await server.advance(1000)
  await fails('a try that fails', 'BOT_FAILED', /refused/)
  assert.equal(team.events.length, asked + 1)
  await fails('open again', 'BOT_UNAVAILABLE', /not asked/)
  await server.advance(30000)
  await answers('a try that succeeds')
  answer = () => ({ status: 503, body: '' })
  await fails('counted from one', 'BOT_FAILED', /refused/)
  await answers('closed')
  assert.equal((await dynamodb(server, 'Scan', { TableName: 'conversation-circuits-dev' })).Count, 0)

  const kept = []
  for (let before; ;) {
    const page = await ada.ask({ type: 'history', sessionId, before, limit: 100 })
    kept.unshift(...page.messages)
    before = page.next
    if (!before) break
  }
  const failed = kept.filter((message) => message.error)
  assert.equal(failed.length, bodies.length + 2 + 3 + 2 + 1 + 1 + 1)
  assert.ok(failed.every((message) => message.sender === 'user'))
  assert.equal(failed.find((message) => message.message === 'open').error, 'BOT_UNAVAILABLE')
  await ada.close(1000)
  await quiet(server)
})

test('what a model may answer', async (t) => {
  let body
  const model = await backend(t, () => ({ body }))
  const { server, as } = await talk(t, `bot: {openai: "${model.url}/v1", model: small}`)
  const ada = await as('ada')
  const choices = (...contents) => ({ choices: contents.map((content) => ({ message: { role: 'assistant', content } })) })
  for (const [given, expected] of [
    [choices('one', 'two'), 'one'], [choices(null)], [choices('fine'), 'fine'], [choices([{ type: 'text', text: 'x' }])], [{ choices: [] }], [choices('fine'), 'fine'],
    [{ choices: {} }], [{ message: 'of a webhook' }], [choices('fine'), 'fine'], [{ error: { message: 'no' } }], ['{"choices":[{"message":{"content":"cu'], [choices('x'.repeat(65536)), 'x'.repeat(65536)],
  ]) {
    body = given
    const { outcome } = await exchange(ada, 'q', { sessionId: 's' })
    assert.deepEqual([outcome.type, outcome.error ?? outcome.message], expected ? ['message', expected] : ['error', 'BOT_FAILED'], JSON.stringify(given))
  }
  assert.equal(model.events[0].headers.authorization, undefined)
  await ada.close(1000)
  await quiet(server)
})

test('of many who ask a closed circuit that is due, one tries', async (t) => {
  let down = true
  const team = await backend(t, () => (down ? { status: 500 } : { body: { message: 'up' } }))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}/bot"}`, { threads: 2 })
  const ada = await as('ada')
  for (let i = 0; i < 3; i++) assert.equal((await exchange(ada, 'q')).outcome.error, 'BOT_FAILED')
  await server.kill9()
  await server.restart()
  const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => as(`user-${i}`)))
  assert.equal((await exchange(clients[0], 'q')).outcome.error, 'BOT_UNAVAILABLE', 'a restart does not forget it')
  await server.advance(31000)
  const before = team.events.length
  const outcomes = await Promise.all(clients.map(async (client) => (await exchange(client, 'q')).outcome.error))
  assert.equal(team.events.length, before + 1)
  assert.deepEqual(outcomes.sort(), ['BOT_FAILED', ...Array(7).fill('BOT_UNAVAILABLE')])
  down = false
  await server.advance(31000)
  assert.equal((await exchange(clients[1], 'q')).outcome.message, 'up')
  assert.deepEqual(await Promise.all(clients.map(async (client) => (await exchange(client, 'q')).outcome.message)), Array(8).fill('up'))
  for (const client of clients) await client.close(1000)
  await quiet(server)
})

test('a bot that is too slow', async (t) => {
  let release
  const team = await backend(t, ({ message }) => (message === 'slow' ? new Promise((resolve) => (release = () => resolve({ body: { message: 'too late' } }))) : { body: { message: 'quick' } }))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}/bot", timeout: 3s}`) // in time for the second answer
  const ada = await as('ada')
  const ack = await say(ada, 'slow')
  await until('the question', () => team.events.length === 1)
  const outcome = await ada.json()
  assert.deepEqual([outcome.error, outcome.messageId, outcome.sessionId, outcome.messageLength], ['BOT_TIMEOUT', ack.messageId, ack.sessionId, 4])
  release()
  assert.equal((await exchange(ada, 'and now', { sessionId: ack.sessionId })).outcome.message, 'quick')
  assert.deepEqual(texts(await ada.ask({ type: 'history', sessionId: ack.sessionId })), ['user: slow', 'user: and now', 'bot: quick'])
  await ada.close(1000)
  await quiet(server)
})

for (const kind of ['webhook', 'openai'])
  test(`kill -9 between the question and the answer of a ${kind}: it comes once, and is found in the history`, async (t) => {
    let alive = false
    const say = (text) => (kind === 'webhook' ? { message: text } : { choices: [{ message: { content: text } }] })
    const team = await backend(t, ({ message, messages }) => (alive ? { body: say(`re: ${message ?? messages.at(-1).content}`) } : undefined))
    const bot = kind === 'webhook' ? `bot: {webhook: "${team.url}", timeout: 5m}` : `bot: {openai: "${team.url}/chat/completions", model: small, keyEnv: BOT_KEY, timeout: 5m}`
    const { server, as } = await talk(t, bot, { env: { BOT_KEY: 'sk-1' } })
    const ada = await as('ada')
    const first = await ada.ask({ type: 'message', message: 'before', sessionId: 's' })
    const second = await ada.ask({ type: 'message', message: 'behind it', sessionId: 's' })
    assert.deepEqual([first.type, second.type], ['ack', 'ack'])
    await until('the question', () => team.events.length)
    await server.kill9()
    const stored = await ada.closed()
    assert.ok(stored)
    alive = true
    await server.restart({ env: { BOT_KEY: 'sk-2' } })
    const again = await as('ada')
    const history = await until('both answers', async () => {
      again.send({ type: 'history', sessionId: 's' })
      for (;;) {
        const event = await again.json()
        if (event.type === 'history') return event.messages.length >= 4 && event
      }
    })
    assert.deepEqual(history.messages.map(({ sender, message, replyTo }) => [sender, message, replyTo]), [
      ['user', 'before', undefined], ['user', 'behind it', undefined],
      ['bot', 're: before', first.messageId], ['bot', 're: behind it', second.messageId],
    ])
    if (kind === 'openai') assert.equal(team.events.at(-1).headers.authorization, 'Bearer sk-2', 'the key is not the stored one')
    again.send({ type: 'ping' })
    while ((await again.json()).type !== 'pong'); // the last answer may still be on its way: the history shows it as soon as it is durable
    await again.close(1000)
    await quiet(server)
  })

test('an answer that is due reaches a socket that was opened after the crash', async (t) => {
  let release
  const team = await backend(t, ({ message }) => new Promise((resolve) => (release = () => resolve({ body: { message: `re: ${message}` } }))))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}", timeout: 5m}`)
  const ada = await as('ada')
  const { messageId } = await say(ada, 'patience')
  await until('the question', () => team.events.length === 1)
  await server.kill9()
  await server.restart()
  await until('the question again', () => team.events.length === 2)
  const again = await as('ada')
  release()
  const { message, replyTo } = await again.json()
  assert.deepEqual([message, replyTo], ['re: patience', messageId])
  await again.close(1000)
  await quiet(server)
})

test('random crashes: every acknowledged question is answered once, in order', { timeout: 600000 }, async (t) => {
  const team = await backend(t, ({ message }) => ({ body: { message: `re: ${message}` } }))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}"}`, { threads: 2 })
  const acknowledged = new Set()
  for (let round = 0; round < 6; round++) {
    const clients = await Promise.all([0, 1, 2].map((i) => as(`user-${i}`)))
    clients.forEach((client, i) => {
      client.socket.removeAllListeners('message')
      client.socket.on('message', (data) => {
        const event = JSON.parse(data.toString())
        if (event.type === 'ack') acknowledged.add(event.messageId)
      })
      for (let k = 0; k < 5; k++) client.send({ type: 'message', message: `${round}.${i}.${k}`, sessionId: `s-${i}` })
    })
    const enough = acknowledged.size + 1 + (round * 2) % 5
    await until('some acknowledgements', () => acknowledged.size >= enough, { every: 1 })
    await server.kill9()
    await Promise.all(clients.map((client) => client.closed()))
    await server.restart()
  }
  for (const i of [0, 1, 2]) {
    const client = await as(`user-${i}`)
    const messages = await until('an answer to each', async () => {
      client.send({ type: 'history', sessionId: `s-${i}`, limit: 100 })
      for (;;) {
        const event = await client.json()
        if (event.type !== 'history') continue
        const questions = event.messages.filter((message) => message.sender === 'user')
        return event.messages.length === 2 * questions.length && event.messages
      }
    })
    const questions = messages.filter((message) => message.sender === 'user'), answers = messages.filter((message) => message.sender === 'bot')
    assert.deepEqual(answers.map(({ replyTo, message }) => [replyTo, message]), questions.map(({ messageId, message }) => [messageId, `re: ${message}`]))
    for (const { messageId } of questions) acknowledged.delete(messageId)
    await client.close(1000)
  }
  assert.equal(acknowledged.size, 0, 'nothing that was acknowledged is lost')
  await quiet(server)
})

test('a question whose outcome never comes is given up by the next message', async (t) => {
  const team = await backend(t, ({ message }) => (message === 'lost' ? undefined : { body: { message: `re: ${message}` } }))
  const { server, as } = await talk(t, `bot: {webhook: "${team.url}", timeout: 5m}`)
  const ada = await as('ada')
  const { messageId, sessionId } = await say(ada, 'lost')
  await until('the question', () => team.events.length)
  await server.advance(5 * 60000 + 31000)
  ada.send({ type: 'message', message: 'next', sessionId })
  const seen = [await ada.json(), await ada.json(), await ada.json()]
  const error = seen.find((event) => event.type === 'error')
  assert.deepEqual([error.error, error.messageId], ['BOT_TIMEOUT', messageId])
  assert.equal(seen.find((event) => event.type === 'message').message, 're: next')
  team.server.closeAllConnections() /* the lost one fails at last, and nobody waits for it */
  await until('its end', async () => (await server.counters()).fetch_in_flight === 0)
  assert.deepEqual(texts(await ada.ask({ type: 'history', sessionId })), ['user: lost', 'user: next', 'bot: re: next'])
  await ada.close(1000)
  await quiet(server)
})

test('sessions are kept for as long as the configuration says', async (t) => {
  const { server, as } = await talk(t, 'keep: 1h\nbot: echo')
  const ada = await as('ada')
  const { ack: { sessionId } } = await exchange(ada, 'soon forgotten')
  await server.advance(3500 * 1000)
  await exchange(ada, 'later', { sessionId })
  await server.advance(200 * 1000)
  assert.deepEqual(texts(await ada.ask({ type: 'history', sessionId })), ['user: later', 'bot: later'])
  await server.advance(3600 * 1000)
  assert.equal((await ada.ask({ type: 'history', sessionId })).error, 'NOT_FOUND')
  await ada.close(1000)
  await quiet(server)
})

test('opened to anybody: a claimed user is believed, nobody is refused', async (t) => {
  const server = await start(t, { config: 'apps:\n  conversation:\n    auth: claimed\n    authInBand: false\n' })
  const [ada, nobody] = [await connect(`${server.ws}/conversation?userId=ada`), await connect(`${server.ws}/conversation`)]
  assert.equal((await exchange(ada, 'hello')).outcome.message, 'hello')
  for (const type of ['message', 'history', 'sessions']) assert.equal((await nobody.ask({ type, message: 'hello', userId: 'ada' })).error, 'UNAUTHENTICATED_CONNECTION')
  assert.equal((await request(server, 'GET', '/conversation/sessions')).status, 401)
  for (const client of [ada, nobody]) await client.close(1000)
  await quiet(server)
})

test('the settings are checked like every other key', async (t) => {
  const file = path.join(temporaryFolder(t), 'weir.yaml')
  const check = async (bot, env) => {
    writeFileSync(file, `apps:\n  conversation:\n    ${bot}\n`)
    return run(['check', file], { env })
  }
  const good = await check('bot: {openai: "https://api.example.com/v1", model: m, keyEnv: BOT_KEY, timeout: 30s}', { BOT_KEY: 'k' })
  assert.deepEqual([good.code, /fine; mounts \/conversation/.test(good.stdout)], [0, true], good.stdout)
  assert.match((await check('bot: {openai: "https://api.example.com/v1", model: m, keyEnv: NOT_SET_HERE}')).stdout, /warning.*NOT_SET_HERE/)
  for (const [bot, problem] of [
    ['bot: eco', /3:10: 'bot' is echo; did you mean echo\?/],
    ['bot: {webhok: "http://a/"}', /unknown key 'webhok'; did you mean webhook\?/],
    ['bot: {webhook: "ftp://a/"}', /'webhook' takes an address/],
    ['bot: {webhook: "http://a/", openai: "http://b/", model: m}', /one of webhook and openai/],
    ['bot: {openai: "http://b/"}', /needs a model/],
    ['bot: {model: m}', /for openai/],
    ['bot: {webhook: "http://a/", timeout: 1ms}', /'timeout' is from 100 ms/],
    ['bot: [echo]', /bot takes one value, not a list/],
    ['bott: echo', /unknown key 'bott'; did you mean bot\?/],
    ['keep: soon', /'keep' takes a time/],
  ]) {
    const { code, stdout } = await check(bot)
    assert.equal(code, 3, bot)
    assert.match(stdout, problem, bot)
  }
  assert.match((await run(['check', '--keys'])).stdout, /\n {2}conversation:\n {4}bot: <echo> #/)
})
