// Little disk left: writes are refused with a clear error, reads go on, /healthz tells; when space returns it heals by itself. Nothing acknowledged is lost.
import test from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { atEnd, quiet, request, start, temporaryFolder, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('a full disk', async (t) => {
  const folder = temporaryFolder(t)
  const disk = path.join(folder, 'data')
  mkdirSync(disk)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'weir-test', disk]).status !== 0) return t.skip('a small disk cannot be mounted here')
  atEnd(t, () => spawnSync('umount', ['-l', disk]))
  const ballast = path.join(disk, 'ballast')
  const server = await start(t, { folder })
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const log = () => client.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
  let acknowledged = 0
  for (; acknowledged < 10; acknowledged++) assert.equal((await log()).type, 'ack')

  const { avail } = JSON.parse(`{"avail":${spawnSync('df', ['--output=avail', '-k', disk]).stdout.toString().split('\n')[1].trim()}}`)
  spawnSync('fallocate', ['-l', `${avail - 20 * 1024}k`, ballast])
  const refused = await until('writes are refused', async () => {
    const answer = await log()
    if (answer.type === 'ack') acknowledged++
    return answer.type === 'error' && answer
  })
  assert.equal(refused.error, 'DISK_FULL')
  const health = await request(server, 'GET', '/healthz')
  assert.deepEqual([health.status, health.json.status], [503, 'read-only'])
  assert.equal(typeof health.json.reason, 'string')
  const stats = await client.ask({ action: 'getUserStats', data: {} })
  assert.equal(stats.data.metricsLogged, acknowledged, 'reads go on')
  client.send({ action: 'logPerformance', data: {} })
  assert.equal((await client.json()).type, 'error')
  assert.ok((await server.counters()).tick_writes_refused > 0)

  rmSync(ballast)
  await until('it heals', async () => {
    const answer = await log()
    if (answer.type === 'ack') acknowledged++
    return answer.type === 'ack'
  })
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  await client.close(1000)
  await quiet(server)
  await server.kill9()
  await server.restart()
  const reader = await connect(`${server.ws}/riddle-rush?userId=ada`)
  assert.equal((await reader.ask({ action: 'getUserStats', data: {} })).data.metricsLogged, acknowledged)
  await reader.close(1000)
  await quiet(server)
  await server.stop()
})
