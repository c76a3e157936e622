// /healthz says whether weir lives and may write; /metrics is Prometheus' text, each counter with its help and type.
// ME-4 … ME-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('health and counters', async (t) => {
  const server = await start(t)
  const clients = await Promise.all([1, 2, 3].map(() => connect(`${server.ws}/echo`)))
  const health = await request(server, 'GET', '/healthz')
  assert.equal(health.status, 200)
  assert.equal(health.headers['content-type'], 'application/json')
  assert.equal(health.json.status, 'ok')
  assert.equal(health.json.connections, 3)
  assert.match(health.json.version, /^\d+\.\d+\.\d+$/)
  assert.equal(typeof health.json.sequence, 'number')
  const metrics = await request(server, 'GET', '/metrics')
  assert.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const seen = new Set()
  for (const line of metrics.body.trimEnd().split('\n')) {
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line)
    if (type) seen.add(type[1])
    else if (!line.startsWith('# HELP ')) {
      const sample = /^(\w+)(\{[^}]*\})? -?[\d.]+(e-?\d+)?$/.exec(line)
      assert.ok(sample, line)
      assert.ok(seen.has(sample[1]) || seen.has(sample[1].replace(/_(bucket|sum|count)$/, '')), `${sample[1]} has its type before it`)
    }
  }
  const counters = await server.counters()
  assert.equal(counters.ws_connections, 3)
  assert.equal(counters.ws_connects, 3)
  for (const client of clients) await client.close(1000)
  await quiet(server)
})

test('a write is counted all along its way', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const before = await server.counters()
  for (let i = 0; i < 10; i++) await client.ask({ action: 'logPerformance', data: { metricName: 'm', duration: i, timestamp: 1 } })
  await client.ask({ action: 'logPerformance', data: { metricName: 7 } })
  const after = await server.counters()
  const more = (name) => after[name] - before[name]
  assert.equal(more('ws_messages_in'), 11)
  assert.equal(more('ws_messages_out'), 11)
  assert.equal(more('gw_errors'), 1)
  assert.ok(more('tick_calls') >= 11) /* figures and log lines travel by calls of their own */
  assert.equal(more('tick_calls_failed'), 1)
  for (const name of ['tick_writes', 'tick_ticks', 'journal_records', 'journal_syncs']) assert.ok(more(name) >= (name === 'tick_writes' ? 10 : 1), name)
  assert.ok(after.journal_sequence > before.journal_sequence)
  await client.close(1000)
  await quiet(server)
})
