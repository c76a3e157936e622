// Chromium runs the component code of the LandingHub document as printed, on a utils/socket as it describes one.
// FO-11, CL-1, CL-4, CL-6
import test from 'node:test'
import { readFileSync } from 'node:fs'
import { quiet, request, start, until } from './lib/weir.mjs'
import { browserPage } from './lib/browser.mjs'
import { seconds, secret, token } from './lib/token.mjs'

const read = (name) => readFileSync(new URL(`documents/${name}`, import.meta.url), 'utf8')

test('joinDashboard and onDashboardUpdate in Chromium', { timeout: 600000 }, async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret } })
  const page = await browserPage(t)
  const lines = []
  page.on('console', async (message) => lines.push(JSON.stringify(await Promise.all(message.args().map((a) => a.jsonValue())))))
  const given = token({ sub: 'ada', exp: seconds(await server.now(), 3600) })
  const utilities = read('socket.js').replaceAll('export const', 'const')
  const component = read('landinghub-component.js').replace(/^import .*\n/, '').replace('const socket', 'globalThis.socket')
  await page.evaluate(`{
    const url = '${server.ws}/landing-hub/prod', token = '${given}'
    ${utilities}
    globalThis.cleanup = (() => { ${component} })()
  }`)
  await until('the room has its member', async () => (await request(server, 'GET', '/landing-hub/@rooms/dashboard_ada')).json.count === 1)
  await request(server, 'POST', '/landing-hub/@rooms/dashboard_ada?event=dashboard:update', { body: '{"type":"new_order","orderId":"123"}' })
  await until('the update on the console', () => {
    if (lines.includes('["Dashboard update:",{"type":"new_order","orderId":"123"}]')) return true
    throw new Error(lines.join('\n'))
  })
  await page.evaluate('cleanup(); socket.close()')
  await quiet(server)
})
