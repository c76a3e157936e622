// @connections as awscli calls it, from the shell of somebody who looks for a fault.
// GW-11, GW-12, OP-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const aws = (server, ...args) =>
  new Promise((resolve) => {
    const env = {
      PATH: '/usr/bin:/bin', HOME: server.folder, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true', AWS_MAX_ATTEMPTS: '1', AWS_PAGER: '',
    }
    execFile('/usr/bin/aws', ['apigatewaymanagementapi', ...args, '--endpoint-url', `${server.http}/echo`], { env, timeout: 300000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr }))
  })

test('post-to-connection, get-connection, delete-connection', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  const socket = await connect(`${server.ws}/echo`)
  const id = (await request(server, 'GET', '/echo/@connections')).json.connections[0].connectionId
  const file = path.join(server.folder, 'message')
  writeFileSync(file, '{"from":"the shell"}')
  // An id may begin with a hyphen, which only the form with "=" takes.
  const given = `--connection-id=${id}`

  const posted = await aws(server, 'post-to-connection', given, '--data', `fileb://${file}`)
  assert.equal(posted.code, 0, posted.stderr)
  assert.deepEqual(await socket.json(), { from: 'the shell' })

  const got = await aws(server, 'get-connection', given, '--output', 'json')
  assert.equal(got.code, 0, got.stderr)
  const { ConnectedAt, Identity, LastActiveAt } = JSON.parse(got.stdout)
  assert.ok(Date.parse(ConnectedAt) <= Date.parse(LastActiveAt))
  assert.equal(Identity.SourceIp, '127.0.0.1')

  const deleted = await aws(server, 'delete-connection', given)
  assert.equal(deleted.code, 0, deleted.stderr)
  assert.equal((await socket.closed()).code, 1000)

  const gone = await aws(server, 'post-to-connection', given, '--data', `fileb://${file}`)
  assert.notEqual(gone.code, 0)
  assert.match(gone.stderr, /GoneException|410/)
  const bad = await aws(server, 'get-connection', '--connection-id', 'nonsense')
  assert.match(bad.stderr, /BadRequestException.*Invalid connectionId: nonsense/)
  await quiet(server)
})
