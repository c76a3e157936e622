// The page's modules without a browser: the types hold, and what needs no document does what it says. CL-8
//
// They are compiled by the page's own TypeScript, in the folder where the build made the page (<build>/page).
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { SignatureV4 } from '@smithy/signature-v4'
import { Sha256 } from '@aws-crypto/sha256-js'
import { program } from './lib/weir.mjs'

const page = path.join(path.dirname(program), 'page')
const out = mkdtempSync(path.join(tmpdir(), 'weir-page-'))
process.on('exit', () => rmSync(out, { recursive: true, force: true }))

let compiled
function modules(...names) {
  if (!compiled) {
    try {
      execFileSync(process.execPath, [path.join(page, 'node_modules/typescript/bin/tsc'), '-p', page, '--outDir', out], { encoding: 'utf8' })
    } catch (error) {
      throw new Error(`the types do not hold:\n${error.stdout || error.message}`)
    }
    writeFileSync(path.join(out, 'package.json'), '{"type":"module"}')
    compiled = true
  }
  return Promise.all(names.map((name) => import(pathToFileURL(path.join(out, `${name}.js`)))))
}

test('the types hold', async () => {
  await modules()
})

test('numbers, units and times read well', async () => {
  const [f] = await modules('format')
  const plain = (text) => text.replaceAll('\u202f', ' ')
  const cases = [
    [[0.25, 'Seconds'], '250 ms'], [[0.00042, 'Seconds'], '420 µs'], [[1234, 'Milliseconds'], '1.23 s'], [[0, 'Milliseconds'], '0 ms'], [[7_500_000, 'Milliseconds'], '2.08 h'],
    [[83886080, 'Bytes'], '80 MiB'], [[1536, 'Bytes/Second'], '1.5 KiB/s'], [[12.345, 'Percent'], '12.3 %'], [[9999, 'Count'], '9999'], [[12345, 'Count'], '12.3k'], [[2.5e6, 'Count/Second'], '2.5M/s'],
    [[0.000123, 'None'], '0.000123'], [[null, 'Count'], '–'], [[Number.NaN, 'Count'], '–'], [[-1500, 'Milliseconds'], '-1.5 s'], [[2, 'Kilobytes'], '2 KiB'], [[3e6, 'Bits/Second'], '3 Mbit/s'],
  ]
  for (const [[value, unit], text] of cases) assert.equal(plain(f.formatValue(value, unit)), text, `${value} ${unit}`)
  assert.equal(f.formatDuration(93_784_000), '1 d 2 h')
  assert.equal(f.formatDuration(125_000), '2 min 5 s')
  assert.equal(f.formatDuration(3_600_000), '1 h')
  assert.equal(f.formatAge(125_000), '2 min ago')
  assert.equal(f.formatInteger(1234567), '1,234,567')
  assert.equal(f.parseDuration('-PT3H'), 10_800_000)
  assert.equal(f.parseDuration('P1DT12H'), 129_600_000)
  for (const not of ['', 'P', 'PT', '3h', 'PT3X', '2025-01-17']) assert.equal(f.parseDuration(not), null, not)
  const day = new Date(2026, 0, 17).getTime()
  assert.deepEqual(f.axisTimes([day - 60_000, day, day + 60_000], 60_000), ['23:59', '17 Jan', '00:01'])
})

test('markdown: what it knows becomes structure, the rest is text', async () => {
  const [m] = await modules('markdown')
  const blocks = m.parseMarkdown('# A *title*\n\nLine one\nline **two** and `code`.\n\n- a\n- b\n\n1. one\n2) two\n\n> said\n\n```\n<x>\n```\n\n| A | B |\n|---|:-:|\n| 1 | 2 |\n\n---\n')
  assert.deepEqual(blocks.map((block) => block.kind), ['heading', 'paragraph', 'list', 'list', 'quote', 'code', 'table', 'rule'])
  assert.equal(blocks[5].text, '<x>')
  assert.deepEqual(blocks[6].rows, [[[{ kind: 'text', text: '1' }], [{ kind: 'text', text: '2' }]]])
  assert.equal(blocks[3].ordered, true)
  assert.deepEqual(m.parseInline('snake_case_name and 2*3*4 [x](https://a.b/c_(d)) '), [
    { kind: 'text', text: 'snake_case_name and 2' }, { kind: 'em', content: [{ kind: 'text', text: '3' }] }, { kind: 'text', text: '4 ' },
    { kind: 'link', href: 'https://a.b/c_(d)', content: [{ kind: 'text', text: 'x' }] }, { kind: 'text', text: ' ' },
  ])
  assert.deepEqual(m.parseInline('[button:Go](#logs)')[0], { kind: 'button', href: '#logs', content: [{ kind: 'text', text: 'Go' }] })
})

test('markdown: nothing leads to a script, and nothing takes long', async () => {
  const [m] = await modules('markdown')
  for (const href of ['javascript:alert(1)', ' JaVaScRiPt:alert(1)', 'data:text/html,x', '//evil.example', 'vbscript:x', 'file:///etc/passwd', '']) assert.equal(m.safeHref(href), null, href)
  for (const href of ['https://a.b', 'http://a.b', '#logs', '/healthz']) assert.equal(m.safeHref(href), href)
  assert.deepEqual(m.parseInline('[x](javascript:alert(1))'), [{ kind: 'text', text: 'x' }])
  const begun = performance.now()
  for (const hostile of ['*'.repeat(20000), '['.repeat(20000), '`'.repeat(20000), '> '.repeat(20000), '_a'.repeat(10000), '|'.repeat(20000), '**a '.repeat(5000), '![](a'.repeat(4000)]) m.parseMarkdown(hostile)
  assert.ok(performance.now() - begun < 60000, `${performance.now() - begun} ms`)
})

test("SigV4: AWS's published vector, and the same as AWS's own signer", async () => {
  const [s] = await modules('sign')
  const keys = { accessKey: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
  const now = Date.UTC(2015, 7, 30, 12, 36, 0)
  const vanilla = await s.signHeaders('GET', new URL('https://example.amazonaws.com/'), '', keys, { region: 'us-east-1', service: 'service' }, now)
  assert.match(vanilla.Authorization, /Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31$/)
  const signer = new SignatureV4({ service: 'execute-api', region: 'eu-west-1', sha256: Sha256, credentials: { accessKeyId: keys.accessKey, secretAccessKey: keys.secret }, applyChecksum: false })
  const scope = { region: 'eu-west-1', service: 'execute-api' }
  const url = new URL('http://127.0.0.1:8080/@console?b=2 x&a=é')
  const mine = await s.presign(url, keys, scope, now, 60)
  const theirs = await signer.presign({ method: 'GET', protocol: 'http:', hostname: '127.0.0.1', port: 8080, path: '/@console', query: { b: '2 x', a: 'é' }, headers: { host: '127.0.0.1:8080' } }, { signingDate: new Date(now), expiresIn: 60 })
  assert.equal(mine.searchParams.get('X-Amz-Signature'), theirs.query['X-Amz-Signature'])
})

test('the session: keys end with the tab, nonsense in the storage is nobody', async () => {
  const [{ Session }] = await modules('session')
  const kept = new Map()
  const storage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value), removeItem: (name) => kept.delete(name) }
  const session = new Session(storage)
  assert.equal(session.keys, null)
  session.signIn({ accessKey: 'a', secret: 'b' })
  assert.deepEqual(new Session(storage).keys, { accessKey: 'a', secret: 'b' })
  session.signOut()
  assert.equal(new Session(storage).keys, null)
  for (const nonsense of ['{', '[]', '"x"', '{"accessKey":1,"secret":"b"}']) {
    kept.set('weir.keys', nonsense)
    assert.equal(new Session(storage).keys, null, nonsense)
  }
  const later = new Date(Date.now() + 3_600_000).toUTCString()
  session.sawDate(later)
  assert.ok(Math.abs(session.now() - Date.parse(later)) < 1000)
})

test('a followed table: snapshot, changes, resuming, and each way in which it can break', async () => {
  const [{ LiveTable }] = await modules('live-table')
  const table = new LiveTable('weir.alarms', ['name'])
  const names = () => table.all().map((row) => `${row.name}=${row.state}`).sort()
  assert.deepEqual(table.request('r1'), { action: 'subscribe', table: 'weir.alarms', requestId: 'r1' })
  table.take({ type: 'subscribed', requestId: 'r1', subscription: 's' })
  assert.equal(table.subscription, 's')
  assert.equal(table.take({ type: 'snapshot', sequence: 4, items: [{ name: 'a', state: 'OK' }] }), false, 'a page alone is not the table')
  assert.equal(table.ready, false)
  assert.deepEqual(table.request('r2'), { action: 'subscribe', table: 'weir.alarms', requestId: 'r2' }, 'a snapshot that broke off is asked for again')
  table.take({ type: 'snapshot', sequence: 5, items: [{ name: 'b', state: 'OK' }] })
  assert.equal(table.take({ type: 'snapshot', sequence: 5, items: [{ name: 'c', state: 'OK' }], last: true }), true)
  assert.deepEqual(names(), ['b=OK', 'c=OK'], 'nothing of the broken one is left')
  assert.equal(table.request('r3').after, '5')
  table.take({ type: 'change', sequence: 7, number: 1, event: 'MODIFY', key: { name: 'b' }, data: { name: 'b', state: 'ALARM' } })
  table.take({ type: 'change', sequence: 8, number: 0, event: 'REMOVE', key: { name: 'c' }, data: null })
  assert.deepEqual(names(), ['b=ALARM'])
  assert.equal(table.find('b').state, 'ALARM')
  assert.equal(table.request('r4').after, '8.0')
  table.take({ type: 'resnapshot', reason: 'too far behind' })
  assert.deepEqual(names(), ['b=ALARM'], 'the old rows are shown until the new ones are here')
  assert.equal(table.request('r5').after, undefined, 'but their position is void')
  table.take({ type: 'snapshot', sequence: 20, items: [], last: true })
  assert.deepEqual(names(), [])
  table.take({ type: 'error', error: 'FORBIDDEN', message: 'not for you' })
  assert.equal(table.error, 'not for you')
})

test('the connection: streams and tables come back after a break, and it says since when it is away', async (t) => {
  const [{ Connection }, { LiveTable }] = await modules('connection', 'live-table')
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  const sockets = []
  let standing = 'away'
  let refuse = false
  const connection = new Connection({
    open: async () => {
      if (refuse) throw new Error('no')
      const socket = { sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.closed = true), hear: (message) => socket.onmessage({ data: JSON.stringify(message) }) }
      sockets.push(socket)
      return socket
    },
    standing: async () => standing,
    now: () => Date.now(),
  })
  const phases = []
  connection.onStatus(({ phase }) => phases.at(-1) !== phase && phases.push(phase))
  const settle = async () => { for (let i = 0; i < 10; i++) await Promise.resolve() }
  const heard = []
  const stream = connection.stream((again) => ({ action: 'tail', again }), (message) => heard.push(message))
  const table = new LiveTable('weir.alarms', ['name'])
  let changes = 0
  connection.onTable(table, () => changes++)
  connection.start()
  await settle()
  sockets[0].onopen()
  const [subscribe, tail] = sockets[0].sent
  assert.deepEqual(subscribe, { action: 'subscribe', table: 'weir.alarms', requestId: subscribe.requestId })
  assert.equal(tail.again, false)
  sockets[0].hear({ type: 'subscribed', requestId: subscribe.requestId, subscription: 'x1', table: 'weir.alarms' })
  sockets[0].hear({ type: 'snapshot', subscription: 'x1', sequence: 3, items: [{ name: 'a' }], last: true })
  sockets[0].hear({ type: 'events', id: tail.id, events: [] })
  sockets[0].onmessage({ data: 'not JSON' })
  sockets[0].onmessage({ data: '[1]' })
  assert.equal(changes, 1)
  assert.equal(heard.length, 1)

  const lost = Date.now()
  sockets[0].onclose()
  assert.deepEqual({ ...connection.status, attempt: 0 }, { phase: 'reconnecting', since: lost, attempt: 0 })
  refuse = true
  for (let i = 0; i < 12; i++) {
    t.mock.timers.tick(8000)
    await settle()
  }
  assert.equal(connection.status.since, lost, 'since when, not since the last attempt')
  assert.ok(connection.status.attempt > 5)
  refuse = false
  t.mock.timers.tick(8000)
  await settle()
  sockets[1].onopen()
  assert.equal(sockets[1].sent.find((request) => request.action === 'subscribe').after, '3', 'the table goes on where it was')
  assert.deepEqual(sockets[1].sent.find((request) => request.action === 'tail'), { action: 'tail', again: true, id: tail.id })

  for (let i = 0; i < 20 && !sockets[1].closed; i++) t.mock.timers.tick(1000)
  assert.ok(sockets[1].sent.some((request) => request.action === 'ping'), 'silence is asked about')
  assert.equal(sockets[1].closed, true, 'and ends the socket')
  standing = 'refused'
  refuse = true
  t.mock.timers.tick(1000)
  await settle()
  assert.equal(connection.status.phase, 'signed-out')
  standing = 'welcome'
  refuse = false
  connection.start()
  await settle()
  sockets[2].onopen()
  stream.stop()
  assert.deepEqual(sockets[2].sent.at(-1), { action: 'stop', id: tail.id })
  connection.leave()
  assert.deepEqual(phases, ['connecting', 'live', 'reconnecting', 'live', 'reconnecting', 'signed-out', 'connecting', 'live', 'signed-out'])
})

test('widget data: appended points replace those of their time, and what is no data draws nothing', async () => {
  const [d] = await modules('data')
  assert.deepEqual(d.mergePoints([[1, 1], [2, 2], [3, 3]], [[3, 30], [4, 40]], 2), [[2, 2], [3, 30], [4, 40]])
  assert.deepEqual(d.mergePoints([[1, 1], [3, 3]], [[2, 2]], 0), [[1, 1], [2, 2], [3, 3]])
  const data = d.readMetric({ view: 'timeSeries', start: 0, end: 10, series: [{ id: 'a', label: 'A', color: 'url(x)', points: [[1, 1], ['x', 2], [2, null], [3, 4]] }, 7], annotations: { horizontal: [{ value: 5, label: 'five', color: '#f00' }, { label: 'none' }, [{ value: 1 }, { value: 2 }]], vertical: [{ value: '2025-01-17T10:30:00Z' }, { value: 'never' }] } })
  assert.deepEqual(data.series[0].points, [[1, 1], [3, 4]])
  assert.equal(data.series[0].color, null)
  assert.deepEqual(data.horizontal.map((mark) => mark.value), [5, 1, 2])
  assert.deepEqual(data.vertical.map((mark) => mark.value), [Date.UTC(2025, 0, 17, 10, 30)])
  d.applyAppend(data, { start: 2, end: 12, series: [{ index: 0, points: [[5, 6]] }, { index: 9, points: [[1, 1]] }] })
  assert.deepEqual(data.series[0].points, [[3, 4], [5, 6]])
  const log = d.readLog({ view: 'timeSeries', fields: ['bin(5m)', 'count'], rows: [['2025-01-17 10:35:00.000', '3'], ['2025-01-17 10:30:00.000', '2'], [null, '1']] })
  assert.deepEqual(d.logSeries(log)[0].points, [[Date.UTC(2025, 0, 17, 10, 30), 2], [Date.UTC(2025, 0, 17, 10, 35), 3]])
  assert.equal(d.logSeries(log)[0].period, 300)
})

test('series with their own times on one axis: gaps stay gaps, stacks add up', async () => {
  const [a] = await modules('charts/align')
  const { times, columns } = a.align([{ period: 1, points: [[1000, 1], [2000, 2], [5000, 5]] }, { period: 5, points: [[0, 10], [5000, 20]] }])
  assert.deepEqual(times, [0, 1000, 2000, 3000, 5000])
  assert.deepEqual(columns, [[undefined, 1, 2, null, 5], [10, undefined, undefined, undefined, 20]])
  assert.deepEqual(a.lonely(columns[0]), [4])
  assert.deepEqual(a.stack([[1, 2], [undefined, null], [undefined, 3]], 2), [[1, 2], [undefined, null], [1, 5]], 'a series without a value has no place in a stack')
})

test("the grid is CloudWatch's", async () => {
  const [{ layout }] = await modules('layout')
  assert.deepEqual(layout([{ x: 0, y: 0, width: 12, height: 6 }, { x: 12, y: 0, width: 24, height: 6 }]), [{ x: 0, y: 0, w: 12, h: 6 }, { x: 0, y: 0, w: 24, h: 6 }])
  assert.deepEqual(layout([{ width: 12, height: 3 }, { width: 12, height: 6 }, { width: 6 }]), [{ x: 0, y: 0, w: 12, h: 3 }, { x: 12, y: 0, w: 12, h: 6 }, { x: 0, y: 6, w: 6, h: 6 }])
})

test('ranges and places', async () => {
  const [{ chooseRange }, { readPlace }] = await modules('time-range', 'place')
  assert.equal(chooseRange(null, '').name, 'PT3H')
  assert.equal(chooseRange(null, '-PT1H').name, 'PT1H')
  assert.equal(chooseRange('P1W', '-PT1H').name, 'P1W')
  assert.equal(chooseRange('x', '-PT6H').label, '6 h')
  assert.equal(chooseRange('P7D', '').name, 'P1W')
  const place = readPlace('#dashboards/a%20b?range=PT1H')
  assert.deepEqual([place.view, place.argument, place.params.get('range')], ['dashboards', 'a b', 'PT1H'])
  assert.equal(readPlace('').view, 'overview')
  assert.equal(readPlace('#dashboards/%E0%A4%A').argument, '%E0%A4%A')
})

test('lines of a tail: none twice after a break, and a hole is said', async () => {
  const [{ LogLines, levelOf, readable }] = await modules('log-lines')
  const event = (n) => ({ eventId: `e${n}`, time: n, group: 'g', stream: 's', message: `m${n}` })
  const lines = new LogLines()
  const take = (events, more = {}) => lines.take({ type: 'events', events, ...more }).map((entry) => entry.message ?? `(${entry.gap})`)
  assert.deepEqual(take([event(1), event(2)], { first: true, sequence: 7 }), ['m1', 'm2'])
  assert.deepEqual(take([event(3)]), ['m3'])
  assert.deepEqual(take([event(2), event(3), event(4)], { first: true }), ['m4'])
  assert.equal(lines.sequence, 7)
  assert.deepEqual(take([event(90), event(91)], { first: true }), ['(The connection was away: lines may be missing here)', 'm90', 'm91'])
  assert.deepEqual(take([], { first: true }), [])
  assert.deepEqual(take([event(92)], { dropped: 12 }), ['(12 lines were left out)', 'm92'])
  assert.deepEqual(['{"level":"ERROR"}', 'WARN x', '2025-01-17 10:30:00 [ERROR] x', 'no ERRORS here', '{"level":"INFO"}'].map(levelOf), ['error', 'warn', 'error', '', ''])
  assert.deepEqual(readable({ timestamp: 't', level: 'INFO', message: 'said', api: 'shop', score: 5, by: 'ada', more: { a: 1 } }), { message: 'said', fields: 'score=5 by=ada more={"a":1} api=shop' })
  assert.equal(readable({ level: 'INFO' }), null)
})
