// The page at `/` in Chromium, against the server itself: what it loads, that it draws what there is and follows what changes, and that a break loses nothing. CL-8, DB-1, DB-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import http from 'node:http'
import { PutDashboardCommand, PutMetricAlarmCommand, PutMetricDataCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch'
import { client as cloudwatchClient } from './cloudwatch/lib.mjs'
import { put as putLines, stream as logStream } from './logs/lib.mjs'
import { connect } from './lib/client.mjs'
import { openBrowser } from './lib/browser.mjs'
import { request, start, until } from './lib/weir.mjs'

const html = { accept: 'text/html,application/xhtml+xml' }

/** A page that must neither complain nor ask anybody else. `loose`: a server that is away or refuses is written to the console by the browser itself. */
async function open(t, server, hash = '', { loose = false, ...options } = {}) {
  const page = await openBrowser(t, { viewport: { width: 1280, height: 800 }, colorScheme: 'light', ...options })
  const said = []
  page.on('console', (message) => (message.type() === 'error' || message.type() === 'warning') && said.push(message.text()))
  page.on('pageerror', (error) => said.push(String(error.stack)))
  page.on('request', (asked) => asked.url().startsWith(`${server.http}/`) || said.push(`asked ${asked.url()}`))
  page.complaints = () => said.filter((text) => !loose || !/ERR_CONNECTION|WebSocket connection to|status of 403/.test(text))
  await page.addInitScript(() => {
    globalThis.violations = []
    addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`))
  })
  await page.goto(`${server.http}/${hash}`)
  return page
}

async function calm(page) {
  assert.deepEqual(await page.evaluate('violations'), [])
  assert.deepEqual(page.complaints(), [])
}

const phase = (page, wanted) => page.waitForSelector(`.status[data-phase="${wanted}"]`)
const text = (page, selector) => page.locator(selector).first().innerText()
const shows = (page, selector, wanted) => until(`${selector} shows ${wanted}`, async () => {
  const found = await page.locator(selector).allInnerTexts()
  if (found.some((one) => (wanted instanceof RegExp ? wanted.test(one) : one.includes(wanted)))) return true
  throw new Error(JSON.stringify(found))
})
const sendMetric = (cloudwatch, name, value, more = {}) => cloudwatch.send(new PutMetricDataCommand({ Namespace: 'Page', MetricData: [{ MetricName: name, Value: value, Unit: 'Count', StorageResolution: 1, ...more }] }))

test('what is served at /: the page for browsers, the health line for others; hashed files for ever, tags for the rest', async (t) => {
  const server = await start(t)
  const page = await request(server, 'GET', '/', { headers: html })
  assert.equal(page.status, 200)
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  assert.equal(page.headers['content-security-policy'], "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
  assert.deepEqual(['x-content-type-options', 'referrer-policy', 'cross-origin-opener-policy', 'cache-control'].map((name) => page.headers[name]), ['nosniff', 'no-referrer', 'same-origin', 'no-cache'])
  assert.doesNotMatch(page.body, /<script(?![^>]* src="\/@page\/)|<style| style=|https?:\/\//, 'nothing inline, nothing from elsewhere')
  assert.match((await request(server, 'GET', '/')).body, /^healthy: /)
  assert.match((await request(server, 'GET', '/', { headers: { accept: '*/*' } })).body, /^healthy: /)
  const again = await request(server, 'GET', '/', { headers: { ...html, 'if-none-match': `W/${page.headers.etag}` } })
  assert.deepEqual([again.status, again.body], [304, ''])
  const head = await request(server, 'HEAD', '/', { headers: html })
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', page.headers['content-length']])
  const assets = [...page.body.matchAll(/"(\/@page\/[^"]+)"/g)].map((match) => match[1])
  assert.equal(assets.length, 3)
  let bytes = 0
  for (const asset of assets) {
    const plain = await request(server, 'GET', asset)
    assert.equal(plain.status, 200)
    assert.equal(plain.headers['cache-control'], asset.endsWith('.svg') ? 'no-cache' : 'public, max-age=31536000, immutable')
    const zipped = await new Promise((resolve, reject) => http.get(`${server.http}${asset}`, { headers: { 'accept-encoding': 'gzip' } }, async (answer) => {
      const pieces = []
      for await (const piece of answer) pieces.push(piece)
      resolve({ headers: answer.headers, body: Buffer.concat(pieces) })
    }).on('error', reject))
    assert.equal(zipped.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(zipped.body).toString(), plain.body)
    bytes += zipped.body.length
  }
  assert.ok(bytes < 120 * 1024, `the page's files are ${bytes} bytes compressed`)
  assert.equal((await request(server, 'GET', '/@page/none.js')).status, 404)
  assert.equal((await request(server, 'GET', '/@page/../healthz')).status, 404)
  assert.equal((await request(server, 'POST', '/@page/none.js')).status, 405)
})

test('the overview: it loads without a complaint, asks nobody else, and shows who is connected', async (t) => {
  const server = await start(t, { driven: false })
  const page = await open(t, server)
  await phase(page, 'live')
  await shows(page, '[data-tile="connections"] .figure', /^0$/)
  const client = await connect(`${server.ws}/echo`)
  await shows(page, '[data-tile="connections"] .figure', /^1$/)
  await shows(page, '[data-api="echo"]', /^echo\s+1\s/)
  await shows(page, '.facts', 'us-east-1')
  await client.close(1000)
  await shows(page, '[data-tile="connections"] .figure', /^0$/)
  await calm(page)
})

const body = (markdown) => JSON.stringify({
  start: '-PT1H',
  widgets: [
    { type: 'text', x: 0, y: 0, width: 24, height: 2, properties: { markdown } },
    { type: 'metric', x: 0, y: 2, width: 12, height: 6, properties: { title: 'Lines', view: 'timeSeries', region: 'us-east-1', period: 1, stat: 'Maximum', metrics: [['Page', 'orders', { label: 'Orders' }]], annotations: { horizontal: [{ label: 'many', value: 90 }] } } },
    { type: 'metric', x: 12, y: 2, width: 12, height: 6, properties: { title: 'Stacked', view: 'timeSeries', stacked: true, region: 'us-east-1', period: 60, stat: 'Sum', metrics: [['Page', 'orders'], ['Page', 'refunds']] } },
    { type: 'metric', x: 0, y: 8, width: 6, height: 4, properties: { title: 'Number', view: 'singleValue', region: 'us-east-1', period: 1, stat: 'Maximum', metrics: [['Page', 'level', { label: 'Level' }]] } },
    { type: 'log', x: 6, y: 8, width: 18, height: 6, properties: { title: 'Lines of a log', region: 'us-east-1', view: 'table', query: "SOURCE '/page/log' | fields @timestamp, @message | sort @timestamp desc | limit 20" } },
    { type: 'metric', x: 0, y: 14, width: 24, height: 4, properties: { title: 'Nothing', view: 'timeSeries', region: 'us-east-1', metrics: [['Page', 'nobody']] } },
  ],
})

test('a dashboard: lines, a stack, a number, a log table and text, and each follows what changes', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const cloudwatch = cloudwatchClient(server)
  await logStream(server, '/page/log', 'one')
  await putLines(server, '/page/log', 'one', ['the first line'])
  await sendMetric(cloudwatch, 'orders', 7)
  await sendMetric(cloudwatch, 'refunds', 2)
  await sendMetric(cloudwatch, 'level', 41)
  await cloudwatch.send(new PutDashboardCommand({ DashboardName: 'page', DashboardBody: body('# Hello\n<b>not bold</b> [x](javascript:alert(1))') }))
  const page = await open(t, server, '#dashboards/page')
  await shows(page, '.markdown .md-1', /^Hello$/)
  await shows(page, '.markdown p', '<b>not bold</b> x')
  assert.equal(await page.locator('.markdown a').count(), 0)
  const widget = (title) => `section:has(h2:text-is("${title}"))`
  await page.locator(`${widget('Lines')} .plot[aria-label*="Orders 7"]`).waitFor()
  await page.locator(`${widget('Stacked')} .legend .series`).nth(1).waitFor()
  await shows(page, `${widget('Number')} .figure`, /^41$/)
  await shows(page, `${widget('Lines of a log')} td.message-cell`, 'the first line')
  await shows(page, `${widget('Nothing')} .nothing`, 'No data')
  const drawn = await page.locator(`${widget('Lines')} canvas`).evaluate((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte > 0))
  assert.ok(drawn, 'something is drawn')

  await sendMetric(cloudwatch, 'level', 97)
  await shows(page, `${widget('Number')} .figure`, /^97$/)
  await sendMetric(cloudwatch, 'orders', 12)
  await page.locator(`${widget('Lines')} .plot[aria-label*="Orders 12"]`).waitFor()
  await putLines(server, '/page/log', 'one', ['a second line'])
  await shows(page, `${widget('Lines of a log')} td.message-cell`, 'a second line')
  await cloudwatch.send(new PutDashboardCommand({ DashboardName: 'page', DashboardBody: body('# Changed') }))
  await shows(page, '.markdown .md-1', /^Changed$/)

  const range = page.getByRole('group', { name: 'Time range' })
  assert.equal(await range.locator('[aria-pressed="true"]').innerText(), '1 h', "the dashboard's own start")
  await range.getByRole('button', { name: '15 min' }).click()
  await page.waitForURL('**/#dashboards/page?range=PT15M')
  await page.locator(`${widget('Lines')} .plot[aria-label*="Orders 12"]`).waitFor()
  await page.locator(`${widget('Lines')} .plot`).focus()
  await page.keyboard.press('End')
  await page.locator(`${widget('Lines')} .tooltip:visible`, { hasText: 'Orders' }).waitFor()
  await calm(page)
})

test('the dashboard of riddle-rush: its lines have data after some traffic', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  for (let i = 0; i < 20; i++) {
    await client.ask({ action: 'logPerformance', data: { userId: 'ada', metricName: 'page-load', duration: 10 + i, timestamp: Date.now() } })
    await client.ask({ action: 'updateLeaderboard', data: { userId: 'ada', gameMode: 'classic', score: 100 + i, timestamp: Date.now() } })
  }
  const page = await open(t, server, '#dashboards/riddle-rush-dashboard-dev?range=PT15M')
  await page.locator('.plot[aria-label*="Newest"]').first().waitFor()
  await until('lines with data', async () => {
    const labels = await page.locator('.plot').evaluateAll((plots) => plots.map((plot) => plot.getAttribute('aria-label')))
    if (labels.some((label) => /Newest: .*\d/.test(label ?? ''))) return true
    throw new Error(JSON.stringify(labels))
  })
  assert.equal(await page.locator('.state.failed').count(), 0)
  await client.close(1000)
  await calm(page)
})

/** One that stays in the state that it is set to: it watches what nobody puts, and ignores that. */
const putAlarm = (cloudwatch, AlarmName) => cloudwatch.send(new PutMetricAlarmCommand({
  AlarmName, Namespace: 'Page', MetricName: 'nobody', Statistic: 'Sum', Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: 'GreaterThanThreshold', TreatMissingData: 'ignore',
}))

test('alarms change live, and are found by state and name', async (t) => {
  const server = await start(t, { driven: false })
  const cloudwatch = cloudwatchClient(server)
  const alarm = (name) => putAlarm(cloudwatch, name)
  const set = (StateValue, StateReason) => cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'page-alarm', StateValue, StateReason }))
  await alarm('page-alarm')
  const page = await open(t, server, '#alarms?find=page-')
  await page.locator('tr[data-alarm="page-alarm"] .pill[data-state="INSUFFICIENT_DATA"]').waitFor()
  await set('ALARM', 'because of a test')
  await page.locator('tr[data-alarm="page-alarm"] .pill[data-state="ALARM"]').waitFor()
  await shows(page, 'tr[data-alarm="page-alarm"]', 'because of a test')
  await shows(page, 'nav .badge', /^\d+$/)
  await alarm('page-other')
  await page.locator('tr[data-alarm="page-other"]').waitFor()
  await page.getByRole('button', { name: /^In alarm/ }).click()
  await page.locator('tr[data-alarm="page-other"]').waitFor({ state: 'detached' })
  await calm(page)
})

test('the log tail: groups by prefix, new lines, a filter, pause', async (t) => {
  const server = await start(t, { driven: false })
  await logStream(server, '/page/tail', 'one')
  await logStream(server, '/page/other', 'one')
  await putLines(server, '/page/tail', 'one', ['line one', '{"level":"ERROR","message":"line two"}'])
  const page = await open(t, server, '#logs')
  await page.getByRole('searchbox', { name: 'Groups that begin with' }).fill('/page/t')
  await page.getByRole('checkbox', { name: '/page/tail', exact: true }).check()
  await shows(page, '.log-line', 'line one')
  await page.locator('.log-line.error', { hasText: 'line two' }).waitFor()
  await putLines(server, '/page/tail', 'one', ['line three'])
  await shows(page, '.log-line', 'line three')
  await page.getByRole('button', { name: 'Pause' }).click()
  await putLines(server, '/page/tail', 'one', ['line four'])
  await shows(page, '.foot', '1 new line waits')
  assert.equal(await page.locator('.log-line', { hasText: 'line four' }).count(), 0)
  await page.getByRole('button', { name: 'Go on' }).click()
  await shows(page, '.log-line', 'line four')
  await page.getByRole('searchbox', { name: 'Filter pattern' }).fill('three')
  await page.locator('.log-line', { hasText: 'line one' }).waitFor({ state: 'detached' })
  await shows(page, '.log-line', 'line three')
  await calm(page)
})

test('a server that is killed and comes back: the page says so, and misses nothing', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const port = Number(new URL(server.http).port)
  const cloudwatch = cloudwatchClient(server)
  await putAlarm(cloudwatch, 'page-alarm')
  await logStream(server, '/page/tail', 'one')
  await putLines(server, '/page/tail', 'one', ['before 1', 'before 2'])
  const alarms = await open(t, server, '#alarms?find=page-', { loose: true })
  const logs = await open(t, server, '#logs?groups=/page/tail', { loose: true })
  await alarms.locator('tr[data-alarm="page-alarm"]').waitFor()
  await shows(logs, '.log-line', 'before 2')
  await cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'page-alarm', StateValue: 'OK', StateReason: 'before the end' }))
  await putLines(server, '/page/tail', 'one', ['just before'])
  await server.kill9()
  await phase(alarms, 'reconnecting')
  await phase(logs, 'reconnecting')
  assert.match(await text(alarms, '.status'), /^reconnecting since \d\d:\d\d:\d\d$/)
  await server.restart({ port })
  await cloudwatch.send(new SetAlarmStateCommand({ AlarmName: 'page-alarm', StateValue: 'ALARM', StateReason: 'after the restart' }))
  const meanwhile = Array.from({ length: 80 }, (_, n) => `after ${n}`)
  await putLines(server, '/page/tail', 'one', meanwhile)
  await phase(alarms, 'live')
  await phase(logs, 'live')
  await shows(alarms, 'tr[data-alarm="page-alarm"]', 'after the restart')
  await shows(logs, '.log-line', 'after 79')
  const lines = (await logs.locator('.log-line .text').allInnerTexts()).map((line) => line.trim())
  assert.deepEqual(lines, ['before 1', 'before 2', 'just before', ...meanwhile])
  assert.equal(await logs.locator('.log-gap').count(), 0)
  await calm(alarms)
  await calm(logs)
})

test('light and dark, by the system and by the switch; no view is wider than a phone', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  await cloudwatchClient(server).send(new PutDashboardCommand({ DashboardName: 'page', DashboardBody: body('# A title\n\n| a | b |\n|---|---|\n| 1 | `a-very-long-word-that-does-not-fit-on-a-phone-in-any-way-whatever-one-does` |') }))
  await logStream(server, '/page/tail', 'one')
  await putLines(server, '/page/tail', 'one', ['x'.repeat(400)])
  const page = await open(t, server)
  await phase(page, 'live')
  const lightness = () => page.evaluate(() => /\d+/.exec(getComputedStyle(document.documentElement).backgroundColor)[0])
  assert.ok(Number(await lightness()) > 200)
  await page.emulateMedia({ colorScheme: 'dark' })
  await until('dark', async () => Number(await lightness()) < 60)
  await page.getByRole('button', { name: 'Light colours' }).click()
  await until('light', async () => Number(await lightness()) > 200)
  await page.reload()
  await phase(page, 'live')
  assert.ok(Number(await lightness()) > 200, 'the switch is remembered')
  await page.setViewportSize({ width: 360, height: 740 })
  for (const [hash, ready] of [['overview', '[data-api="echo"]'], ['alarms', 'h1:text-is("Alarms")'], ['logs?groups=/page/tail', '.log-line'], ['dashboards/page', '.markdown table']]) {
    await page.goto(`${server.http}/#${hash}`)
    await page.locator(ready).first().waitFor()
    assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${hash} is wider than the window`)
  }
  await calm(page)
})

test('a server with keys of its own: signing in, wrong keys, a reload, signing out', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false, env: { WEIR_ACCESS_KEY_ID: 'AKIDPAGE', WEIR_SECRET_ACCESS_KEY: 'a secret/with+signs=' } })
  const page = await open(t, server, '#alarms', { loose: true })
  const enter = async (access, secret) => {
    await page.getByLabel('Access key').fill(access)
    await page.getByLabel('Secret key').fill(secret)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await phase(page, 'signed-out')
  await enter('AKIDPAGE', 'wrong')
  await shows(page, '.error', 'refused')
  await enter('AKIDPAGE', 'a secret/with+signs=')
  await phase(page, 'live')
  await page.locator('h1:text-is("Alarms")').waitFor()
  await page.reload()
  await phase(page, 'live')
  assert.deepEqual(await page.evaluate('[localStorage.length, document.cookie]'), [0, ''], 'keys are in the tab alone')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await phase(page, 'signed-out')
  assert.equal(await page.evaluate('sessionStorage.length'), 0)
  await calm(page)
})
