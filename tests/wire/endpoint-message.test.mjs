// Messages go to the backend as events and its answer comes back, in order for each connection; a slow one holds only its own lane.
// GW-4, GW-7, GW-14, GW-17, OP-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { backend } from './lib/backend.mjs'

const config = (url) => `
apis:
  chat:
    routeSelection: "\${request.body.kind}/\${request.body.deep.name}"
    routes:
      talk/loud: ${url}/loud
      $default: ${url}/default
      talk/silent: {url: "${url}/silent", response: false}
`

test('the event, the answer, the order', async (t) => {
  const team = await backend(t, async (event, { path }) => {
    const { n } = JSON.parse(event.isBase64Encoded ? '{}' : event.body.startsWith('{') ? event.body : '{}')
    if (n !== undefined) await new Promise((resolve) => setTimeout(resolve, 30 - 3 * (n % 10)))
    if (event.body === 'lambda') return { body: { statusCode: 200, body: 'the body alone' } }
    if (event.body === 'nothing') return ''
    return `${path} heard ${event.body}`
  })
  const server = await start(t, { config: config(team.url), threads: 2 })
  const client = await connect(`${server.ws}/chat`)
  client.send('{"kind":"talk","deep":{"name":"loud"},"text":"hello"}')
  assert.match(await client.text(), /^\/loud heard /)
  const { event } = await team.event('/loud')
  assert.deepEqual(Object.keys(event).sort(), ['body', 'isBase64Encoded', 'requestContext'])
  assert.equal(event.requestContext.eventType, 'MESSAGE')
  assert.equal(event.requestContext.routeKey, 'talk/loud')
  assert.match(event.requestContext.messageId, /^[\w-]{15}=$/)
  assert.ok(Math.abs(event.requestContext.connectedAt - event.requestContext.requestTimeEpoch) < 60000)
  client.send('not JSON')
  assert.equal(await client.text(), '/default heard not JSON')
  assert.equal((await team.event('/default')).event.requestContext.routeKey, '$default')
  client.send('lambda')
  assert.equal(await client.text(), 'the body alone')
  client.send(Buffer.from([1, 2, 0xff]))
  assert.equal(await client.text(), `/default heard ${Buffer.from([1, 2, 0xff]).toString('base64')}`)
  client.send('nothing')
  client.send('{"kind":"talk","deep":{"name":"silent"}}')
  for (let n = 0; n < 20; n++) client.send({ n })
  const other = await connect(`${server.ws}/chat`)
  other.send('I do not wait')
  assert.equal(await other.text(), '/default heard I do not wait')
  for (let n = 0; n < 20; n++) assert.equal(await client.text(), `/default heard {"n":${n}}`)
  assert.equal(team.events.filter((e) => e.path === '/silent').length, 1)
  for (const each of [client, other]) await each.close(1000)
  await quiet(server)
})
