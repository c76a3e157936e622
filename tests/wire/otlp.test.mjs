// Export by OTLP/HTTP in JSON: a collector gets figures, log events and spans in the shape that the protocol asks for; one that is away holds nobody up. docs/otlp.md
import test from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { atEnd, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { client, minute, put } from './cloudwatch/lib.mjs'

/** A collector that judges what it gets as strictly as the protocol is written, and keeps it. */
async function collector(t, answer = () => 200) {
  const got = { metrics: [], logs: [], traces: [], requests: [], problems: [] }
  const server = http.createServer((asked, reply) => {
    const pieces = []
    asked.on('data', (piece) => pieces.push(piece))
    asked.on('end', () => {
      const status = answer(asked.url, got)
      got.requests.push({ url: asked.url, headers: asked.headers, status, bytes: Buffer.concat(pieces).length })
      try {
        assert.equal(asked.method, 'POST')
        assert.equal(asked.headers['content-type'], 'application/json')
        if (status === 200) take(asked.url, JSON.parse(Buffer.concat(pieces).toString()), got)
      } catch (error) {
        got.problems.push(error)
      }
      reply.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => new Promise((resolve) => {
    server.closeAllConnections?.()
    server.close(resolve)
  }))
  return Object.assign(got, { url: `http://127.0.0.1:${server.address().port}` })
}

const digits = (value, what) => assert.match(value, /^\d+$/, what)
const plain = (attributes) => Object.fromEntries(attributes.map(({ key, value }) => {
  const [[kind, held]] = Object.entries(value)
  assert.ok(['stringValue', 'intValue', 'arrayValue'].includes(kind), kind)
  return [key, kind === 'arrayValue' ? held.values.map((each) => each.stringValue) : held]
}))

function resource(held) {
  const about = plain(held.resource.attributes)
  assert.equal(about['service.name'], 'weir')
  assert.match(about['service.version'], /^\d+\.\d+\.\d+$/)
  assert.equal(about['deployment.environment'], 'dev')
}

function takeMetrics(body, got) {
  for (const held of body.resourceMetrics) {
    resource(held)
    for (const scope of held.scopeMetrics) {
      for (const metric of scope.metrics) {
        const [kind] = Object.keys(metric).filter((key) => !['name', 'unit'].includes(key))
        assert.ok(['sum', 'gauge', 'exponentialHistogram', 'summary'].includes(kind), kind)
        if (kind === 'sum') assert.deepEqual([metric.sum.aggregationTemporality, metric.sum.isMonotonic], [1, true])
        if (kind === 'exponentialHistogram') assert.equal(metric[kind].aggregationTemporality, 1)
        for (const point of metric[kind].dataPoints) {
          digits(point.startTimeUnixNano)
          digits(point.timeUnixNano)
          assert.equal(BigInt(point.timeUnixNano) - BigInt(point.startTimeUnixNano), 60000000000n)
          if (kind === 'exponentialHistogram') {
            const inside = [...(point.positive?.bucketCounts ?? []), ...(point.negative?.bucketCounts ?? [])].reduce((sum, n) => sum + BigInt(n), BigInt(point.zeroCount))
            assert.equal(inside, BigInt(point.count), `${metric.name}: the buckets hold all`)
          }
          got.metrics.push({ space: scope.scope.name, name: metric.name, unit: metric.unit, kind, at: point.startTimeUnixNano, attributes: plain(point.attributes), point })
        }
      }
    }
  }
}

function takeLogs(body, got) {
  for (const held of body.resourceLogs) {
    resource(held)
    for (const scope of held.scopeLogs) {
      for (const record of scope.logRecords) {
        digits(record.timeUnixNano)
        digits(record.observedTimeUnixNano)
        got.logs.push({ text: record.body.stringValue, severity: record.severityNumber, attributes: plain(record.attributes) })
      }
    }
  }
}

function takeTraces(body, got) {
  for (const held of body.resourceSpans) {
    resource(held)
    for (const scope of held.scopeSpans) {
      for (const span of scope.spans) {
        assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/)
        assert.match(span.spanId, /^(?!0{16})[0-9a-f]{16}$/)
        assert.ok([1, 2].includes(span.kind))
        assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano))
        got.traces.push({ ...span, attributes: plain(span.attributes) })
      }
    }
  }
}

function take(url, body, got) {
  if (url.endsWith('/v1/metrics')) takeMetrics(body, got)
  else if (url.endsWith('/v1/logs')) takeLogs(body, got)
  else if (url.endsWith('/v1/traces')) takeTraces(body, got)
  else assert.fail(url)
}

const config = (url, more = '') => `
otlp:
  endpoint: ${url}
  interval: 1s
  headers: { authorization: "env:OTLP_TOKEN", x-team: riddles }
${more}
apps: { echo: {}, riddle-rush: {} }
`
const env = { OTLP_TOKEN: 'Bearer of tests' }

test('figures, events and spans', async (t) => {
  const got = await collector(t)
  const server = await start(t, { config: config(got.url), env })
  const cloudwatch = client(server)
  atEnd(t, () => cloudwatch.destroy())
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736', parent = '00f067aa0ba902b7'
  const player = await connect(`${server.ws}/riddle-rush?userId=ada`, { headers: { traceparent: `00-${trace}-${parent}-01` } })
  await player.ask({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
  await player.ask({ action: 'logPerformance', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', data: { metricName: 'm', duration: 1, timestamp: 1 } })
  assert.equal((await player.ask({ action: 'logPerformance', data: { metricName: 7 } })).type, 'error')
  for (const value of [-1, 0, 3, 1e6]) await put(cloudwatch, 'shop', { MetricName: 'Basket', Unit: 'Count', Dimensions: [{ Name: 'Shop', Value: 'a"b' }], Value: value })
  await put(cloudwatch, 'shop', { MetricName: 'Known', Unit: 'Milliseconds', StatisticValues: { SampleCount: 4, Sum: 20, Minimum: 1, Maximum: 9 } })
  await until('spans', () => got.traces.length >= 4)
  await until('events', () => got.logs.length >= 1)
  const spans = got.traces.filter((span) => span.name === 'logPerformance')
  assert.equal(spans.length, 3)
  assert.ok(spans.every((span) => span.attributes['weir.api'] === 'riddle-rush' && span.attributes['weir.stage'] === 'prod' && span.attributes['faas.name']))
  const followed = spans.find((span) => span.traceId === '0af7651916cd43dd8448eb211c80319c')
  assert.equal(followed.parentSpanId, 'b7ad6b7169203331', 'the traceparent of a message')
  assert.equal(spans.filter((span) => span.status.code === 2).length, 1)
  const opened = got.traces.find((span) => span.name === '$connect')
  if (opened) assert.deepEqual([opened.traceId, opened.parentSpanId], [trace, parent], 'the traceparent of a handshake')
  assert.ok(got.logs.every((record) => record.attributes['aws.log.group.names'][0].startsWith('/')))
  const known = await minute(server)
  await server.advance(61000)
  await until('figures', () => got.metrics.some((each) => each.space === 'shop' && each.name === 'Known'))
  const basket = got.metrics.filter((each) => each.space === 'shop' && each.name === 'Basket')
  assert.ok(basket.every((each) => each.kind === 'exponentialHistogram' && each.unit === '1' && each.attributes.Shop === 'a"b'))
  assert.equal(basket.reduce((sum, each) => sum + Number(each.point.count), 0), 4)
  assert.equal(basket.reduce((sum, each) => sum + each.point.sum, 0), 1000002)
  assert.equal(basket.reduce((sum, each) => sum + Number(each.point.zeroCount), 0), 1)
  const summary = got.metrics.find((each) => each.name === 'Known')
  assert.deepEqual([summary.kind, summary.unit, summary.point.count, summary.point.sum], ['summary', 'ms', '4', 20])
  assert.deepEqual(summary.point.quantileValues, [{ quantile: 0, value: 1 }, { quantile: 1, value: 9 }])
  assert.ok(known)
  const messages = got.metrics.filter((each) => each.name === 'MessageCount' && each.attributes.Route === 'logPerformance')
  assert.ok(messages.every((each) => each.kind === 'sum'))
  assert.equal(messages.reduce((sum, each) => sum + each.point.asDouble, 0), 3, 'a figure of weir itself')
  const seen = new Set()
  for (const each of got.metrics) {
    const key = JSON.stringify([each.space, each.name, each.at, each.attributes, each.unit])
    assert.ok(!seen.has(key), `${key} comes once`)
    seen.add(key)
  }
  assert.ok(got.requests.every(({ headers }) => headers.authorization === 'Bearer of tests' && headers['x-team'] === 'riddles'))
  assert.deepEqual(got.problems, [])
  await player.close(1000)
})

test('a collector that fails is asked again, and nothing is lost or doubled', async (t) => {
  let refusals = 0
  const got = await collector(t, (url) => (url.endsWith('/v1/logs') || refusals++ < 2 ? (url.endsWith('/v1/logs') ? 400 : 503) : 200))
  const server = await start(t, { config: config(got.url, '  metrics: false'), env })
  const player = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 3; i++) {
    player.send(JSON.stringify({ action: 'ping', i }))
    await player.text()
  }
  await until('refusals', () => refusals >= 2)
  await until('the spans after all', () => got.traces.length >= 3)
  assert.equal(new Set(got.traces.map((span) => span.spanId)).size, got.traces.length, 'each once')
  const counters = await server.counters()
  assert.ok(counters.otlp_failures >= 2)
  assert.ok(!got.requests.some(({ url }) => url.endsWith('/v1/metrics')), 'figures are switched off')
  await player.close(1000)
})

test('a collector that is away holds nobody up', async (t) => {
  const server = await start(t, { config: config('http://127.0.0.1:9'), env })
  const player = await connect(`${server.ws}/echo`)
  const before = Date.now()
  for (let i = 0; i < 5000; i++) player.send(JSON.stringify({ action: 'ping', i }))
  for (let i = 0; i < 5000; i++) await player.message()
  assert.ok(Date.now() - before < 60000)
  await until('it gave up', async () => (await server.counters()).otlp_failures > 0)
  assert.ok((await server.counters()).otlp_spans_dropped > 0, 'a full ring drops')
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  await player.close(1000)
})
