// A real Prometheus scrapes /metrics and answers queries over it. ME-4
import test from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { atEnd, start, temporaryFolder, until, within } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const script = fileURLToPath(new URL('../../scripts/prometheus.sh', import.meta.url))
const fetched = spawnSync(script, { encoding: 'utf8', timeout: 300000 })
const program = fetched.status === 0 ? fetched.stdout.trim() : undefined

const freePort = () => new Promise((resolve, reject) => {
  const probe = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = probe.address()
    probe.close(() => resolve(port))
  })
})

async function prometheus(t, server) {
  const folder = temporaryFolder(t), file = path.join(folder, 'prometheus.yml'), port = await freePort()
  writeFileSync(file, `global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n  - job_name: weir\n    static_configs: [{ targets: ["${server.listening}"] }]\n`)
  const child = spawn(program, [`--config.file=${file}`, `--storage.tsdb.path=${path.join(folder, 'tsdb')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (piece) => (stderr += piece))
  const ended = new Promise((resolve) => child.on('close', resolve))
  atEnd(t, async () => {
    child.kill('SIGTERM')
    await within('the end of Prometheus', ended, 30000)
  })
  const query = async (expression) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`)
    const { status, data, error } = await answer.json()
    assert.equal(status, 'success', error)
    return data.result
  }
  const targets = async () => (await (await fetch(`http://127.0.0.1:${port}/api/v1/targets`)).json()).data.activeTargets
  return { query, targets, stderr: () => stderr }
}

test('Prometheus scrapes and understands it', { skip: program ? false : `Debian's prometheus cannot be fetched here: ${fetched.stderr}` }, async (t) => {
  const server = await start(t)
  const clients = await Promise.all([1, 2, 3].map(() => connect(`${server.ws}/echo`)))
  for (let i = 0; i < 20; i++) {
    clients[0].send('hello')
    await clients[0].text()
  }
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (let i = 0; i < 5; i++) await player.ask({ action: 'logPerformance', data: { metricName: 'm', duration: i, timestamp: 1 } })
  const { query, targets, stderr } = await prometheus(t, server)
  const value = async (expression) => Number((await query(expression))[0]?.value[1])
  await until('the target is up', async () => (await value('up{job="weir"}')) === 1, { every: 200 })
  assert.deepEqual((await targets()).map(({ health, lastError }) => [health, lastError]), [['up', '']])
  await until('connections by API', async () => (await value('weir_api_connections{api="echo"}')) === 3, { every: 200 })
  assert.equal(await value('weir_ws_connections'), 4)
  await until('messages', async () => (await value('weir_api_messages_in_total{api="echo"}')) === 20, { every: 200 })
  await until('latency', async () => (await value('weir_integration_latency_seconds_count{api="riddle-rush"}')) >= 5, { every: 200 })
  const p99 = await value('histogram_quantile(0.99, sum by (le) (weir_integration_latency_seconds_bucket{api="riddle-rush"}))')
  assert.ok(p99 > 0 && p99 < 10, `${p99} s`)
  assert.ok((await value('histogram_quantile(0.5, weir_journal_sync_duration_seconds_bucket)')) > 0)
  assert.ok((await value('weir_tick_duration_seconds_sum / weir_tick_duration_seconds_count')) > 0)
  assert.equal(await value('weir_table_items{table="riddle-rush-ws-connections-dev"}'), 1)
  assert.equal((await query('weir_build_info')).length, 1)
  assert.ok((await value('weir_resident_memory_bytes')) > 1e6)
  assert.ok(!/error|invalid/i.test(stderr()), stderr())
  for (const client of [...clients, player]) await client.close(1000)
})
