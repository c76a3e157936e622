// The endpoint of $connect as authorizer: whom it names is who the connection is, in every later event, in the management API and in @users. And the identity of a token, groups included, in the events.
// One endpoint for all routes.
// AU-9, AU-15, GW-17
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect, refused } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const ANSWERS = {
  ada: { principalId: 'ada', context: { userName: 'Ada L', userEmail: 'ada@example.com', userRole: 'editor', groups: ['red', 'blue'], other: 7 } },
  plain: { statusCode: 200, principalId: 'plain' },
  nobody: { statusCode: 200 },
  long: { principalId: 'x'.repeat(257) },
  empty: { principalId: '' },
  number: { principalId: 7 },
  control: { principalId: 'a\u0001b' },
  groups: { principalId: 'x', context: { groups: 'red' } },
  many: { principalId: 'x', context: { groups: Array.from({ length: 65 }, (_, i) => `g${i}`) } },
  context: { principalId: 'x', context: 'text' },
  denied: { statusCode: 403, principalId: 'x' },
}

const team = (t) => backend(t, (event) => {
  if (event.requestContext.eventType === 'CONNECT') return { body: ANSWERS[event.queryStringParameters?.as] ?? '' }
  return { body: JSON.stringify(event.requestContext.authorizer ?? null) }
})

test('whom the authorizer names', async (t) => {
  const back = await team(t)
  const server = await start(t, { config: `apis:\n  chat:\n    routes: { $connect: ${back.url}/all, $disconnect: ${back.url}/all, $default: ${back.url}/all }\n` })
  const as = (who) => connect(`${server.ws}/chat?as=${who}`)
  const told = async (client) => {
    client.send('who am I')
    return JSON.parse(await client.text())
  }
  const ada = await as('ada'), plain = await as('plain'), nobody = await as('nobody')
  assert.deepEqual(await told(ada), { principalId: 'ada', userId: 'ada', userName: 'Ada L', userEmail: 'ada@example.com', userRole: 'editor', groups: ['red', 'blue'], proven: true })
  assert.deepEqual(await told(plain), { principalId: 'plain', userId: 'plain', userName: '', userEmail: '', userRole: 'user', groups: [], proven: true })
  assert.equal(await told(nobody), null)
  assert.deepEqual((await request(server, 'POST', '/chat/@users/ada', { body: 'to ada' })).json, { delivered: 1, dropped: 0, gone: 0 })
  assert.equal(await ada.text(), 'to ada')
  for (const who of ['long', 'empty', 'number', 'control', 'groups', 'many', 'context']) assert.equal((await refused(`${server.ws}/chat?as=${who}`)).status, 502, who)
  assert.equal((await refused(`${server.ws}/chat?as=denied`)).status, 403)
  for (const client of [ada, plain, nobody]) await client.close(1000)
  await until('each has been told to go', () => back.events.filter(({ event }) => event.requestContext.eventType === 'DISCONNECT').length === 3)
  await quiet(server)
  // One handler for all routes: each event says which one it is.
  const kinds = new Set(back.events.map(({ event, headers }) => `${event.requestContext.eventType} ${event.requestContext.routeKey} ${headers['x-weir-route']}`))
  for (const kind of ['CONNECT $connect $connect', 'MESSAGE $default $default', 'DISCONNECT $disconnect $disconnect']) assert.ok(kinds.has(kind), [...kinds].join(', '))
})

test('a token says who it is, whatever the endpoint answers; its groups are in the events', async (t) => {
  const back = await team(t)
  const server = await start(t, { config: `apis:\n  chat:\n    auth: jwt\n    jwt: { secret: "${secret}" }\n    routes: { $connect: ${back.url}/all, $default: ${back.url}/all }\n` })
  const exp = seconds(await server.now(), 3600)
  const eve = await connect(`${server.ws}/chat?as=ada&token=${token({ sub: 'eve', name: 'Eve', groups: ['green', 'red'], exp })}`)
  eve.send('who am I')
  assert.deepEqual(JSON.parse(await eve.text()), { principalId: 'eve', userId: 'eve', userName: 'Eve', userEmail: '', userRole: 'user', groups: ['green', 'red'], proven: true })
  await eve.close(1000)
  await quiet(server)
})
