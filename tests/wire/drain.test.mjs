// SIGTERM: new connections are refused, open ones close with 1001 and a jittered hint when to come back, the exit code is 0.
import test from 'node:test'
import assert from 'node:assert/strict'
import { request, start, until, within } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect } from './lib/client.mjs'
import { upgrade } from './lib/raw.mjs'

test('SIGTERM drains', async (t) => {
  const server = await start(t, { threads: 2 })
  const clients = await Promise.all(Array.from({ length: 40 }, () => connect(`${server.ws}/echo`)))
  const user = await connect(`${server.ws}/riddle-rush?userId=ada`)
  user.send({ action: 'logPerformance', data: { userId: 'ada', metricName: 'last-words', duration: 1, timestamp: 1 } })
  assert.equal((await user.json()).type, 'ack')
  server.child.kill('SIGTERM')
  const hints = new Set()
  for (const client of [...clients, user]) {
    const { code, reason } = await client.closed()
    assert.equal(code, 1001)
    const hint = /retry in (\d+) ms/.exec(reason)
    assert.ok(hint, reason)
    hints.add(hint[1])
  }
  assert.ok(hints.size > 10, 'the hints are spread')
  assert.deepEqual(await within('the end', server.ended), { code: 0, signal: null })
  await server.restart()
  const again = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const { data } = await again.ask({ action: 'getUserStats', data: { userId: 'ada' } })
  assert.match(JSON.stringify(data), /last-words/)
  await again.close(1000)
})

test('SIGTERM with nobody there ends at once', async (t) => {
  const server = await start(t)
  await server.stop()
})

test('a client that does not answer the close frame does not hold the end', async (t) => {
  const server = await start(t)
  const raw = await upgrade(server, '/echo')
  raw.socket.pause()
  await server.stop()
  raw.close()
})

test('while it drains nobody new is taken, and what is under way is answered', async (t) => {
  let answer
  const team = await backend(t, () => new Promise((resolve) => (answer = () => resolve('in time'))))
  const server = await start(t, { config: `apis:\n  chat:\n    routes: {GET /slow: "${team.url}/slow"}\n` })
  const asked = request(server, 'GET', '/chat/slow')
  await team.event('/slow')
  server.child.kill('SIGTERM')
  await until('the door is shut', () => connect(`${server.ws}/chat`).then(() => false, () => true))
  answer()
  assert.deepEqual((({ status, body }) => [status, body])(await asked), [200, 'in time'])
  assert.deepEqual(await within('the end', server.ended), { code: 0, signal: null })
})
