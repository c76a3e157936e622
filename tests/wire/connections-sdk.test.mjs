// @connections as the AWS SDK for JavaScript calls it: post, get, delete, GoneException, BadRequestException; with the path that it builds for any endpoint.
// GW-11, GW-12, FO-13
import test from 'node:test'
import assert from 'node:assert/strict'
import {
  ApiGatewayManagementApiClient, DeleteConnectionCommand, GetConnectionCommand, GoneException, PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

// Without kept-alive connections, so that a test can end on a quiet server.
const sdk = (endpoint, credentials = { accessKeyId: 'test', secretAccessKey: 'test' }) =>
  new ApiGatewayManagementApiClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1, requestHandler: { httpAgent: { keepAlive: false } } })

const onlyConnection = async (server, api = 'echo') => (await request(server, 'GET', `/${api}/@connections`)).json.connections[0].connectionId

test('post, get and delete', async (t) => {
  const server = await start(t, { threads: 2 })
  const socket = await connect(`${server.ws}/echo`, { headers: { 'user-agent': 'wire/1.0' } })
  const ConnectionId = await onlyConnection(server)
  assert.match(ConnectionId, /^[\w-]{15}=$/)
  for (const prefix of ['/echo', '/echo/prod', '']) {
    const api = sdk(server.http + prefix)
    await api.send(new PostToConnectionCommand({ ConnectionId, Data: `hello by ${prefix}` }))
    assert.equal(await socket.text(), `hello by ${prefix}`)
    await api.send(new PostToConnectionCommand({ ConnectionId, Data: Buffer.from(JSON.stringify({ ü: '🌊' })) }))
    assert.deepEqual(await socket.json(), { ü: '🌊' })
    const seen = await api.send(new GetConnectionCommand({ ConnectionId }))
    assert.ok(seen.ConnectedAt instanceof Date)
    assert.ok(seen.LastActiveAt >= seen.ConnectedAt)
    assert.deepEqual(seen.Identity, { SourceIp: '127.0.0.1', UserAgent: 'wire/1.0' })
  }
  const api = sdk(`${server.http}/echo`)
  const deleted = await api.send(new DeleteConnectionCommand({ ConnectionId }))
  assert.equal(deleted.$metadata.httpStatusCode, 204)
  assert.deepEqual(await socket.closed(), { code: 1000, reason: 'Connection Closed Normally' })
  for (const command of [new PostToConnectionCommand({ ConnectionId, Data: 'x' }), new GetConnectionCommand({ ConnectionId }), new DeleteConnectionCommand({ ConnectionId })])
    await assert.rejects(api.send(command), (error) => error instanceof GoneException && error.$metadata.httpStatusCode === 410)
  assert.equal((await server.counters()).gw_posts_gone, 1)
  await quiet(server)
})

test('an id that is none is a BadRequestException, one that never was is gone', async (t) => {
  const server = await start(t)
  const api = sdk(`${server.http}/echo`)
  for (const ConnectionId of ['nonsense', 'AAAAAAAAAAAAAAA', 'AAAAAAAAAAAAAAB=', '../../x', 'a b', 'AAAAAAAAAAAAAA==', 'Ü'])
    await assert.rejects(api.send(new PostToConnectionCommand({ ConnectionId, Data: 'x' })), (error) => {
      assert.equal(error.name, 'BadRequestException', ConnectionId)
      assert.equal(error.$metadata.httpStatusCode, 400)
      assert.match(error.message, /^Invalid connectionId: /)
      return true
    })
  for (const ConnectionId of ['AAAAAAAAAAAAAAA=', '_______________='.replace('_=', '8=')])
    await assert.rejects(api.send(new PostToConnectionCommand({ ConnectionId, Data: 'x' })), GoneException)
  await quiet(server)
})

test('a wrong signature is refused, also on loopback with development keys', async (t) => {
  const server = await start(t)
  const socket = await connect(`${server.ws}/echo`)
  const ConnectionId = await onlyConnection(server)
  for (const [credentials, name] of [
    [{ accessKeyId: 'test', secretAccessKey: 'wrong' }, 'InvalidSignatureException'],
    [{ accessKeyId: 'nobody', secretAccessKey: 'test' }, 'UnrecognizedClientException'],
  ])
    await assert.rejects(sdk(`${server.http}/echo`, credentials).send(new PostToConnectionCommand({ ConnectionId, Data: 'x' })), (error) => {
      assert.equal(error.name, name)
      assert.equal(error.$metadata.httpStatusCode, 403)
      return true
    })
  assert.equal((await server.counters()).gw_auth_failures, 2)
  socket.send('nothing came before')
  assert.equal(await socket.text(), 'nothing came before')
  await socket.close(1000)
  await quiet(server)
})

test('a post of 2 MiB to an API that takes 1 MiB is PayloadTooLargeException', async (t) => {
  const server = await start(t)
  const socket = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const ConnectionId = await onlyConnection(server, 'riddle-rush')
  const api = sdk(`${server.http}/riddle-rush`)
  await assert.rejects(api.send(new PostToConnectionCommand({ ConnectionId, Data: 'x'.repeat(2 << 20) })), (error) => {
    assert.equal(error.name, 'PayloadTooLargeException')
    assert.equal(error.$metadata.httpStatusCode, 413)
    return true
  })
  await socket.close(1000)
  await quiet(server)
})
