// A page of another origin cannot open a socket: Chromium sends its Origin, weir refuses, and no page can leave it out.
// CL-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { browserPage } from './lib/browser.mjs'

test('a foreign page is refused, a local one is not', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  const attempt = `new Promise((resolve) => {
    const ws = new WebSocket('${server.ws}/echo')
    ws.onopen = () => { ws.close(); resolve('open') }
    ws.onerror = () => resolve('refused')
  })`
  assert.equal(await (await browserPage(t)).evaluate(attempt), 'open')
  assert.equal(await (await browserPage(t, 'evil.example')).evaluate(attempt), 'refused')
  assert.equal((await server.counters()).gw_origin_refused, 1)
  await quiet(server)
})
