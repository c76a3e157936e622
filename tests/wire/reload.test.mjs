// SIGHUP: endpoints of routes, thresholds, secrets and where webhooks may go are taken over while sockets stay open; a configuration that is not right changes nothing.
// GW-5, PM-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { request, start, until } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect } from './lib/client.mjs'
import { open } from './cloudwatch/alarm-lib.mjs'

/** Writes the file anew, and waits until the server has said what it made of it. */
async function reload(server, config, words = /were reloaded; other settings/) {
  const seen = server.stderr.length
  writeFileSync(path.join(server.folder, 'weir.yaml'), config)
  process.kill(server.pid, 'SIGHUP')
  await until('the reload', () => words.test(server.stderr.slice(seen)))
  return server.stderr.slice(seen)
}

test('endpoints: calls under way end where they went, the next ones go to the new address', async (t) => {
  let release
  const held = new Promise((resolve) => (release = resolve))
  const old = await backend(t, async (event, { path }) => (path === '/slow' ? (await held, '"old and slow"') : '"old"'))
  const fresh = await backend(t, () => '"new"')
  const config = (url, more = '') => `apis:
  shop:
    routes:
      buy: ${url}/buy
      slow: { url: "${url}/slow", timeout: 20s }
      GET /list: ${url}/list
${more}`
  const server = await start(t, { config: config(old.url) })
  const buyer = await connect(`${server.ws}/shop`), other = await connect(`${server.ws}/shop`)
  const ask = async (client, action) => {
    client.send({ action })
    return client.text()
  }
  assert.equal(await ask(buyer, 'buy'), '"old"')
  other.send({ action: 'slow' })
  await old.event('/slow')
  await reload(server, config(fresh.url, '      sell: http://127.0.0.1:9/\n'))
  assert.match(server.stderr, /the route sell is new in the configuration; it takes a restart/)
  assert.equal(await ask(buyer, 'buy'), '"new"')
  assert.equal((await request(server, 'GET', '/shop/list')).body, '"new"')
  release()
  assert.equal(await other.text(), '"old and slow"')
  assert.equal(await ask(other, 'slow'), '"new"')
  // What is not right changes nothing, whatever part of it is.
  await reload(server, config(old.url, '      sell: nowhere\n'), /the configuration is not right; all settings stay as they are/)
  assert.equal(await ask(buyer, 'buy'), '"new"')
  await reload(server, config(old.url).replace('    routes:', '    auth: iam\n    routes:'), /the old settings stay in use/)
  assert.equal(await ask(buyer, 'buy'), '"new"')
  // A route that is not there any more goes on where it went.
  await reload(server, `apis:\n  shop:\n    routes:\n      buy: ${old.url}/buy\n`)
  assert.equal(await ask(buyer, 'buy'), '"old"')
  assert.equal(await ask(other, 'slow'), '"new"')
  await buyer.close(1000)
  await other.close(1000)
})

test('thresholds of the performance monitor', async (t) => {
  const back = await backend(t, () => '"fine"')
  const config = (operations) => `apis:
  shop:
    operations: ${operations}
    routes:
      buy: ${back.url}/buy
      sell: ${back.url}/sell
`
  const server = await start(t, { config: config('{ buy: { durationMax: 1h } }') })
  const thresholds = async () => Object.fromEntries((await request(server, 'GET', '/shop/@performance')).json.operations.map((o) => [o.operation, o.thresholds]))
  const buyer = await connect(`${server.ws}/shop`)
  const breaches = async () => (await request(server, 'GET', '/shop/@performance')).json.operations.find((o) => o.operation === 'sell').windows['5m'].count
  assert.deepEqual(await thresholds(), { buy: { duration: 3600000 }, sell: {} })
  await reload(server, config('{ buy: { durationMax: 2s, errorRateMax: 5% }, sell: { memoryMax: 1KB } }'))
  assert.deepEqual(await thresholds(), { buy: { duration: 2000, errorRate: 0.05 }, sell: { memoryUsage: 1024 } })
  buyer.send({ action: 'sell', filler: 'x'.repeat(5000) })
  await buyer.text()
  await until('the completion', async () => (await breaches()) >= 1)
  await reload(server, config('{ nothing: { durationMax: 2s } }'), /the configuration is not right/)
  assert.deepEqual((await thresholds()).sell, { memoryUsage: 1024 })
  await reload(server, config('{}').replace('    operations: {}\n', ''))
  assert.deepEqual(await thresholds(), { buy: {}, sell: {} })
  await buyer.close(1000)
})

const signed = ({ headers, event }, secret) => {
  const [, at, sum] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-weir-signature'] ?? '') ?? []
  return sum === createHmac('sha256', secret).update(`${at}.${JSON.stringify(event)}`).digest('hex')
}

test('the secret of webhooks, and where they may go', async (t) => {
  const back = await backend(t, () => '{}')
  const config = (webhook, outgoing = '') => `figures: false
alarmWebhook: { secret: "${webhook}" }
${outgoing}alarms:
  - { name: declared, namespace: ns, metric: m, statistic: Sum, threshold: 1, actions: ["${back.url}/declared/{env}"] }
apis:
  web: { routes: { nobody: "http://127.0.0.1:9/" } }
`
  const house = await open(t, { config: config('the first secret of the webhooks') })
  const { server } = house
  let told = 0
  const raise = async (name) => {
    await house.set(name, 'OK', `before ${++told}`)
    await house.set(name, 'ALARM', `told ${told}`)
  }
  const count = (place) => back.events.filter((e) => e.path === place).length
  await house.make('wired', { AlarmActions: [`${back.url}/wired/hook`] })
  await raise('declared')
  assert.ok(signed(await back.event('/declared/dev'), 'the first secret of the webhooks'))
  await raise('wired') // on loopback with the development keys, whoever asks is the developer
  await back.event('/wired/hook')

  await reload(server, config('another secret for the webhooks', 'outgoing: { allow: ["https://elsewhere.example/"] }\n'))
  await raise('declared') // what this file names itself is allowed
  assert.ok(signed(await back.event('/declared/dev', 2), 'another secret for the webhooks'))
  await raise('wired')
  await until('it is told', async () => (await house.history('wired', { HistoryItemType: 'Action' })).some((item) => /no answer: /.test(item.HistoryData ?? '') || /not|fail/i.test(item.HistorySummary)))
  assert.equal(count('/wired/hook'), 1)
  assert.equal((await server.counters()).fetch_forbidden, 1)
  await reload(server, config('another secret for the webhooks', `outgoing: { allow: ["${back.url}/wired/"] }\n`))
  await raise('wired')
  await back.event('/wired/hook', 2)
})

test('with keys of its own, alarms made over the wire send nowhere that the configuration does not name', async (t) => {
  const back = await backend(t, () => '{}')
  const house = await open(t, { config: `figures: false
keys:
  - { id: test, secret: test }
alarms:
  - { name: declared, namespace: ns, metric: m, statistic: Sum, threshold: 1, actions: ["${back.url}/declared"] }
apis:
  web: { routes: { nobody: "http://127.0.0.1:9/" } }
` })
  await house.make('wired', { AlarmActions: [`${back.url}/wired`] })
  await house.make('same', { AlarmActions: [`${back.url}/declared`] })
  for (const name of ['wired', 'same']) {
    await house.set(name, 'OK')
    await house.set(name, 'ALARM')
  }
  await back.event('/declared')
  await until('the refusal', async () => (await house.server.counters()).fetch_forbidden === 1)
  assert.equal(back.events.length, 1)
})

test('link-local addresses are out of reach, whatever names them', async (t) => {
  const server = await start(t, { config: 'apis:\n  shop:\n    routes:\n      meta: { url: "http://169.254.169.254/latest/meta-data", timeout: 5s }\n      mapped: { url: "http://[::ffff:169.254.169.254]/latest", timeout: 5s }\n' })
  const buyer = await connect(`${server.ws}/shop`)
  for (const action of ['meta', 'mapped']) {
    const began = Date.now()
    buyer.send({ action })
    assert.match(await buyer.text(), /Internal server error/)
    assert.ok(Date.now() - began < 5000, 'refused, not timed out')
  }
  await buyer.close(1000)
})
