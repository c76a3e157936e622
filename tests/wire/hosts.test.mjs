// Names of an API's own, as AWS's addresses have them: the stage alone stands in the path, for sockets, the management API and REST routes. What is reached without them stays as it is.
// GW-1, OP-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { atEnd, quiet, request, run, start, temporaryFolder } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect, refused } from './lib/client.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const HOST = 'abc123.execute-api.eu-west-1.example'

test('a socket, its stage and its management at a host of its own', async (t) => {
  const back = await backend(t, (event) => ({ body: JSON.stringify({ domain: event.requestContext.domainName, stage: event.requestContext.stage, path: event.rawPath ?? event.path ?? null }) }))
  const server = await start(t, { config: `apps: [echo]
apis:
  shop:
    stages: [prod, echo]
    hosts: [${HOST.toUpperCase()}, localhost]
    routes:
      $default: ${back.url}/
      GET /items: ${back.url}/items
  other:
    hosts: other.example
    routes: { $default: "${back.url}/other" }
` })
  const at = (host, target) => connect(`${server.ws}${target}`, { headers: { host } })
  const told = async (client) => {
    client.send('hello')
    return JSON.parse(await client.text())
  }
  for (const [host, target, stage] of [[HOST, '/prod', 'prod'], [`${HOST}:443`, '/prod', 'prod'], [HOST, '/', 'prod'], [HOST, '/echo', 'echo'], ['localhost:3001', '/', 'prod'], ['127.0.0.1', '/shop/echo', 'echo']]) {
    const client = await at(host, target)
    const seen = await told(client)
    assert.equal(seen.stage, stage, `${host}${target}`)
    await client.close(1000)
  }
  // Other APIs are where they were, also at that host; a stage of its own stands before an API of the same name.
  const echo = await at('127.0.0.1', '/echo')
  echo.send('as it is')
  assert.equal(await echo.text(), 'as it is')
  await echo.close(1000)
  const other = await at('other.example', '/')
  assert.equal((await told(other)).domain, 'other.example')
  await other.close(1000)
  assert.equal((await refused(`${server.ws}/nothing`, { headers: { host: HOST } })).status, 403)
  assert.equal((await refused(`${server.ws}/`, { headers: { host: '127.0.0.1' } })).status, 403)
  assert.equal((await refused(`${server.ws}/prod`, { headers: { host: '127.0.0.1' } })).status, 403)

  // REST routes and the management API, by the SDK: its endpoint is the host with the stage.
  assert.equal((await request(server, 'GET', '/items', { headers: { host: HOST } })).json.stage, 'prod')
  assert.equal((await request(server, 'GET', '/echo/items', { headers: { host: HOST } })).json.stage, 'echo')
  assert.equal((await request(server, 'GET', '/items')).status, 403)
  const client = await at(HOST, '/prod')
  const listed = (await request(server, 'GET', '/prod/@connections', { headers: { host: HOST } })).json
  assert.equal(listed.connections.length, 1)
  const sdk = new ApiGatewayManagementApiClient({ endpoint: `${server.http.replace('127.0.0.1', 'localhost')}/prod`, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })
  atEnd(t, () => sdk.destroy())
  await sdk.send(new PostToConnectionCommand({ ConnectionId: listed.connections[0].connectionId, Data: 'by the SDK' }))
  assert.equal(await client.text(), 'by the SDK')
  await client.close(1000)

  // The wires, health and the refusal of foreign names are not touched by any of this.
  await dynamodb({ ...server, http: server.http }, 'ListTables', {})
  assert.equal((await request(server, 'GET', '/healthz', { headers: { host: HOST } })).status, 200)
  assert.equal((await request(server, 'GET', '/metrics', { headers: { host: 'rebound.example' } })).status, 403)
  sdk.destroy()
  await quiet(server)
})

test('weir check says what is wrong with hosts', async (t) => {
  const file = path.join(temporaryFolder(t), 'weir.yaml')
  const check = async (hosts, more = '') => {
    writeFileSync(file, `apis:\n  shop:\n    hosts: ${hosts}\n    routes: { $default: "http://127.0.0.1:9/" }\n${more}`)
    const { code, stdout, stderr } = await run(['check', file])
    return [code, stdout + stderr]
  }
  assert.equal((await check('[a.example, b.example]'))[0], 0)
  for (const [hosts, words] of [['"a.example:80"', /without a port/], ['"http://a.example"', /a host is a name/], ['[A.example, a.EXAMPLE]', /given twice/], ['{a: b}', /'hosts' takes/]]) {
    const [code, said] = await check(hosts)
    assert.notEqual(code, 0, hosts)
    assert.match(said, words)
  }
  assert.match((await check('a.example', '  two:\n    hosts: a.example\n    routes: { $default: "http://127.0.0.1:9/" }\n'))[1], /given twice/)
})
