// A team's own backend decides $connect by its status, gets the event in API Gateway's shape, and names the subprotocol.
// GW-2, GW-3, GW-6 … GW-10, GW-13, GW-17, AU-12, AU-15, OP-8, OP-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'

const config = (url) => `
apis:
  chat:
    stages: [prod, dev]
    routes:
      $connect: ${url}/connect
      $disconnect: ${url}/disconnect
      $default: ${url}/default
`
const ID = /^[\w-]{15}=$/

test('the event of $connect, the answer, and the event of $disconnect', async (t) => {
  const team = await backend(t, (event, { path }) => {
    const asked = event.queryStringParameters?.as
    if (path !== '/connect' || !asked) return ''
    if (asked === 'lambda') return { body: { statusCode: 200, headers: { 'Sec-WebSocket-Protocol': 'second' } } }
    if (asked === 'lambda-no') return { body: { statusCode: 401, body: 'who are you' } }
    return { status: Number(asked), body: 'said no' }
  })
  const server = await start(t, { config: config(team.url) })
  const url = `${server.ws}/chat`

  const client = await connect(`${url}/dev?a=1&a=2&b=%C3%BC`, { headers: { 'user-agent': 'wire/1.0', 'x-twice': ['one', 'two'] } })
  const { event, headers, method } = await team.event('/connect')
  assert.equal(method, 'POST')
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(headers['x-weir-route'], '$connect')
  const context = event.requestContext
  assert.deepEqual(event.queryStringParameters, { a: '2', b: 'ü' })
  assert.deepEqual(event.multiValueQueryStringParameters, { a: ['1', '2'], b: ['ü'] })
  const header = (name) => Object.entries(event.headers).find(([key]) => key.toLowerCase() === name)?.[1]
  assert.equal(header('user-agent'), 'wire/1.0')
  assert.equal(event.isBase64Encoded, false)
  assert.equal('body' in event, false)
  assert.equal(context.routeKey, '$connect')
  assert.equal(context.eventType, 'CONNECT')
  assert.equal(context.messageDirection, 'IN')
  assert.equal(context.stage, 'dev')
  assert.equal(context.apiId, 'chat')
  assert.match(context.connectionId, ID)
  assert.match(context.requestId, ID)
  assert.equal(context.extendedRequestId, context.requestId)
  assert.match(context.requestTime, /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
  assert.equal(context.identity.sourceIp, '127.0.0.1')
  assert.equal(context.identity.userAgent, 'wire/1.0')
  assert.equal(context.domainName, server.listening)
  assert.ok(Math.abs(context.connectedAt - context.requestTimeEpoch) < 5000)
  assert.equal('messageId' in context, false)
  // The address that handlers build from the event can be dialled.
  const posted = await request(server, 'POST', `/chat/${context.stage}/@connections/${encodeURIComponent(context.connectionId)}`, { body: 'from the backend' })
  assert.equal(posted.status, 200)
  assert.equal(await client.text(), 'from the backend')

  await client.close(4001, 'enough')
  const gone = (await team.event('/disconnect')).event
  assert.equal(gone.requestContext.eventType, 'DISCONNECT')
  assert.equal(gone.requestContext.disconnectStatusCode, 4001)
  assert.equal(gone.requestContext.disconnectReason, 'enough')
  assert.equal(gone.requestContext.connectionId, context.connectionId)
  assert.deepEqual(gone.headers, { Host: server.listening, 'x-api-key': '', 'X-Forwarded-For': '', 'x-restapi': '' })
  assert.equal('body' in gone, false)

  for (const [as, status] of [['401', 401], ['403', 403], ['404', 404], ['500', 500], ['lambda-no', 401]]) {
    const answer = await refused(`${url}?as=${as}`)
    assert.equal(answer.status, status, as)
    assert.equal(typeof answer.body.error, 'string')
  }
  const protocol = await connect(`${url}?as=lambda`, { protocols: ['first', 'second'] })
  assert.equal(protocol.socket.protocol, 'second')
  await protocol.close(1000)
  await quiet(server)
})

test('how a connection ended is told', async (t) => {
  const team = await backend(t, () => '')
  const server = await start(t, { config: config(team.url) })
  const end = async (count, how) => {
    const client = await connect(`${server.ws}/chat`)
    await how(client)
    const { requestContext } = (await team.event('/disconnect', count)).event
    return [requestContext.disconnectStatusCode, requestContext.disconnectReason]
  }
  assert.deepEqual(await end(1, (client) => client.close()), [1005, 'Client-side close frame status not set'])
  assert.deepEqual(await end(2, (client) => client.close(1000, 'bye')), [1000, 'bye'])
  assert.equal((await end(3, (client) => client.socket.terminate()))[0], 1006)
  const [code] = await end(4, async (client) => {
    const { connections } = (await request(server, 'GET', '/chat/@connections')).json
    await request(server, 'DELETE', `/chat/@connections/${encodeURIComponent(connections[0].connectionId)}`)
    await client.closed()
  })
  assert.equal(code, 1000)
  await quiet(server)
})
