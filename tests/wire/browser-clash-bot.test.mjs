// Chromium runs the client of the ClashBot document as printed, with our address in the place of its own.
// CL-1, CL-7
import test from 'node:test'
import { readFileSync } from 'node:fs'
import { quiet, request, start, until } from './lib/weir.mjs'
import { browserPage } from './lib/browser.mjs'

const printed = readFileSync(new URL('documents/clashbot-client.js', import.meta.url), 'utf8')

test("the ClashBot document's client in Chromium", { timeout: 600000 }, async (t) => {
  const server = await start(t)
  const page = await browserPage(t)
  const lines = []
  page.on('console', async (message) => lines.push((await Promise.all(message.args().map((a) => a.jsonValue()))).map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(' ')))
  const seen = (pattern) => until(`${pattern} on the console`, () => {
    if (lines.some((line) => pattern.test(line))) return true
    throw new Error(lines.join('\n'))
  })
  await page.evaluate(printed.replace('wss://{api-id}.execute-api.{region}.amazonaws.com/prod', `${server.ws}/clash-bot/prod`).replace('const ws', 'globalThis.ws'))
  await seen(/^Connected to WebSocket$/)
  await page.evaluate(`ws.send(JSON.stringify({ type: 'ping' }))`)
  await seen(/^Received event: .*"type":"pong"/)
  await request(server, 'POST', '/clash-bot/@broadcast?event=teams.locked', { body: JSON.stringify({ tournamentId: 't1', teamId: 'team-t1', status: 'locked' }) })
  await seen(/^Received event: .*"type":"teams.locked"/)
  await page.evaluate('ws.close()')
  await seen(/^WebSocket disconnected$/)
  await quiet(server)
})
