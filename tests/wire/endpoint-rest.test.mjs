// REST routes stand in the same table: path parameters, query, body, the status of the answer; a wrong method is 405, an unknown path 403.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'

const config = (url) => `
apis:
  shop:
    routes:
      POST /orders/{id}/lines/{line}: ${url}/lines
      ANY /anything: ${url}/anything
      GET /slow: {url: "${url}/slow", timeout: 200ms}
`

test('a request becomes an event and the answer a response', async (t) => {
  const team = await backend(t, (event, { path }) => {
    if (path === '/slow') return undefined
    if (path === '/anything') return { status: 418, body: '{"short":"stout"}' }
    return { body: { statusCode: 201, body: JSON.stringify({ order: event.pathParameters.id }) } }
  })
  const server = await start(t, { config: config(team.url) })
  const made = await request(server, 'POST', '/shop/prod/orders/a%20b%2Fc/lines/7?note=%C3%BC&note=two', { headers: { 'x-mine': 'yes' }, body: '{"n":1}' })
  assert.equal(made.status, 201)
  assert.deepEqual(made.json, { order: 'a b/c' })
  const { event } = await team.event('/lines')
  assert.equal(event.version, '2.0')
  assert.equal(event.routeKey, 'POST /orders/{id}/lines/{line}')
  assert.deepEqual(event.pathParameters, { id: 'a b/c', line: '7' })
  assert.deepEqual(event.multiValueQueryStringParameters, { note: ['ü', 'two'] })
  assert.equal(event.body, '{"n":1}')
  assert.equal(event.isBase64Encoded, false)
  assert.equal(event.headers['x-mine'], 'yes')
  assert.equal(event.requestContext.http.method, 'POST')
  assert.equal(event.requestContext.http.sourceIp, '127.0.0.1')
  assert.equal(event.requestContext.stage, 'prod')
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const any = await request(server, method, '/shop/anything')
    assert.equal(any.status, 418)
    assert.deepEqual(any.json, { short: 'stout' })
  }
  assert.equal((await request(server, 'POST', '/shop/anything', { body: Buffer.from([0xff, 0]) })).status, 418)
  const last = team.events.at(-1).event
  assert.deepEqual([last.body, last.isBase64Encoded], [Buffer.from([0xff, 0]).toString('base64'), true])
  assert.equal((await request(server, 'GET', '/shop/orders/1/lines/2')).status, 405)
  assert.equal((await request(server, 'POST', '/shop/orders/1/lines')).status, 403)
  assert.equal((await request(server, 'POST', '/shop/orders//lines/2')).status, 403)
  assert.equal((await request(server, 'GET', '/shop/slow')).status, 504)
  await quiet(server)
})

test('a backend that is away is 502', async (t) => {
  const server = await start(t, { config: config('http://127.0.0.1:1') })
  const { status, json } = await request(server, 'GET', '/shop/anything')
  assert.equal(status, 502)
  assert.equal(json.error, 'BAD_GATEWAY')
  await quiet(server)
})
