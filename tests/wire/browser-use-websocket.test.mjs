// Chromium runs the composable of the Riddle Rush document: its text as printed, without the types, on a ref() of one line.
// IN-1, IN-4, CL-1, CL-2
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { quiet, start, until } from './lib/weir.mjs'
import { browserPage } from './lib/browser.mjs'
import { connect } from './lib/client.mjs'

const printed = readFileSync(new URL('documents/useWebSocket.ts', import.meta.url), 'utf8')
const javascript = printed
  .replace("import { ref } from 'vue'", 'const ref = (value) => ({ value })')
  .replace('<WebSocket | null>', '')
  .replaceAll(/(\w+): (string|number|any)(?=[,)])/g, '$1')
  .replace('export const useWebSocket', 'globalThis.useWebSocket')

test('useWebSocket in Chromium', { timeout: 600000 }, async (t) => {
  const server = await start(t)
  const page = await browserPage(t)
  const lines = []
  page.on('console', async (message) => lines.push((await Promise.all(message.args().map((a) => a.jsonValue()))).map((v) => (typeof v === 'string' ? v : JSON.stringify(v))).join(' ')))
  await page.evaluate(`globalThis.process = { env: { WEBSOCKET_URL: '${server.ws}/riddle-rush/prod' } }; ${javascript}`)
  const seen = (pattern, count = 1) => until(`${pattern} on the console`, () => {
    if (lines.filter((line) => pattern.test(line)).length >= count) return true
    throw new Error(lines.join('\n'))
  })
  await page.evaluate(`globalThis.socket = useWebSocket(); socket.connect('current-user-id')`)
  await seen(/^WebSocket connected$/)
  assert.equal(await page.evaluate('socket.connected.value'), true)
  await page.evaluate(`socket.logPerformance('page-load', performance.now(), { path: '/' })`)
  await seen(/Message received: .*"action":"logPerformance"/)
  await page.evaluate(`socket.updateLeaderboard('classic', 5000, 'Player Name')`)
  await seen(/Message received: .*"action":"updateLeaderboard"/)
  await page.evaluate(`socket.getUserStats('current-user-id')`)
  await seen(/Message received: .*"type":"userStats".*page-load/)
  await page.evaluate('socket.disconnect()')
  await seen(/^WebSocket disconnected$/)
  const reader = await connect(`${server.ws}/riddle-rush?userId=reader`)
  const board = await reader.ask({ action: 'getLeaderboard', data: { gameMode: 'classic' } })
  assert.match(JSON.stringify(board), /Player Name/)
  await reader.close(1000)
  await quiet(server)
})
