// A backend that fails or is late costs its own message: the frame of API Gateway, and the socket stays. After five failures in a row it is left alone for ten seconds.
// GW-18
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'

const config = (url) => `
apis:
  chat:
    routes:
      $default: ${url}/default
      late: {url: "${url}/late", timeout: 300ms}
      again: {url: "${url}/again", attempts: 3}
  closed:
    routes:
      $connect: {url: "http://127.0.0.1:1/", timeout: 1s}
`
const failure = (message) => new RegExp(`^\\{"message": "${message}", "connectionId":"[\\w-]{15}=", "requestId":"[\\w-]{15}="\\}$`)
const failed = failure('Internal server error')

test('failures and lateness', async (t) => {
  let failures = 2
  const team = await backend(t, (event, { path }) => {
    if (path === '/again') return failures-- > 0 ? { status: 500 } : 'at last'
    if (path === '/late') return undefined
    if (event.body === 'bad') return { status: 500, body: 'a secret stack trace' }
    return 'fine'
  })
  const server = await start(t, { config: config(team.url) })
  const client = await connect(`${server.ws}/chat`)
  const say = (message) => {
    client.send(message)
    return client.text()
  }
  assert.match(await say('{"action":"late"}'), failure('Endpoint request timed out'))
  assert.equal(await say('hello'), 'fine')
  assert.match(await say('bad'), failed)
  assert.equal(await say('hello'), 'fine')
  assert.equal(await say('{"action":"again"}'), 'at last')
  assert.equal(team.events.filter((e) => e.path === '/again').length, 3)

  for (let i = 0; i < 5; i++) assert.match(await say('bad'), failed)
  const before = team.events.length
  assert.match(await say('hello'), failed)
  assert.equal(team.events.length, before, 'the circuit is open: nobody is asked')
  await server.advance(10001)
  assert.equal(await say('hello'), 'fine')
  await client.close(1000)

  const answer = await refused(`${server.ws}/closed`)
  assert.ok([500, 502, 504].includes(answer.status))
  await quiet(server)
})
