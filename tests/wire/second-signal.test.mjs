// A second signal ends a drain on the spot with an exit code of its own; what was acknowledged is kept all the same.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until, within } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { upgrade } from './lib/raw.mjs'

test('SIGTERM twice', async (t) => {
  const server = await start(t, { args: ['--drain', '60s'] })
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  assert.equal((await client.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })).type, 'ack')
  const stubborn = await upgrade(server, '/echo')
  stubborn.socket.pause()
  server.child.kill('SIGTERM')
  await until('the drain', () => /draining/.test(server.stderr))
  server.child.kill('SIGTERM')
  const { code, signal } = await within('the end', server.ended)
  assert.equal(signal, null)
  assert.ok(code === 8 || code === 0, `exit code ${code}`)
  stubborn.close()
  await server.restart({ args: [] })
  const again = await connect(`${server.ws}/riddle-rush?userId=ada`)
  assert.equal((await again.ask({ action: 'getUserStats', data: {} })).data.metricsLogged, 1)
  await again.close(1000)
  await quiet(server)
})
