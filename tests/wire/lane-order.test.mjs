// A connection is a lane: whatever answers, a backend, a handler, or weir itself with an error, answers in the order of the questions.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('errors do not overtake a slow backend', async (t) => {
  const team = await backend(t, async (event) => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    return event.body
  })
  const server = await start(t, { config: `
apis:
  chat:
    rates: {actions: {limited: 1/h}}
    routes:
      slow: ${team.url}/slow
      limited: ${team.url}/limited
` })
  const client = await connect(`${server.ws}/chat`)
  const slow = (n) => `{"action":"slow","n":${n}}`
  for (const message of [slow(1), '{"action":"nothing"}', slow(2), 'no JSON', '{"action":"limited","n":3}', '{"action":"limited","n":4}', slow(5)]) client.send(message)
  const got = []
  for (let i = 0; i < 7; i++) got.push(await client.text())
  assert.deepEqual(got.map((text) => /Forbidden/.test(text) ? 'Forbidden' : /RATE_LIMITED/.test(text) ? 'limited' : JSON.parse(text).n), [1, 'Forbidden', 2, 'Forbidden', 3, 'limited', 5])
  await client.close(1000)
  await quiet(server)
})

test('handlers of all classes answer in order', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const exp = seconds(await server.now(), 600)
  const given = token({ sub: 'ada', exp })
  const client = await connect(`${server.ws}/landing-hub?token=${given}`)
  const messages = [
    { action: 'dashboard:join' }, { action: 'ping' }, { action: 'dashboard:refresh' }, { action: 'nothing' }, { type: 'auth', token: given },
    { action: 'chat:join_room', room: 'chat_a' }, { type: 'auth', token: 'bad' }, { action: 'chat:leave_room', room: 'chat_a' }, { action: 'ping' },
  ]
  const expected = ['dashboard:joined', 'pong', 'dashboard:refreshed', 'error', 'ack', 'chat:joined', 'error', 'chat:left', 'pong']
  for (let round = 0; round < 20; round++) messages.forEach((message, i) => client.send({ ...message, requestId: round * 100 + i }))
  for (let round = 0; round < 20; round++)
    for (let i = 0; i < messages.length; i++) {
      const { event, data } = await client.json()
      assert.deepEqual([event, data.requestId], [expected[i], round * 100 + i])
    }
  await client.close(1000)
  await quiet(server)
})
