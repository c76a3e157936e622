// Origins: pages of loopback by default, an allow-list when there is one, and who has none is no browser.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

test('allow-lists', async (t) => {
  const server = await start(t, { config: `
apps:
  echo:
  clash-bot: {origins: ["https://game.example", "http://localhost:3000"]}
  riddle-rush: {origins: "*"}
` })
  const allowed = {
    echo: [undefined, 'http://localhost', 'http://localhost:5173', 'https://127.0.0.1:8443', 'http://[::1]:3000'],
    'clash-bot': [undefined, 'https://game.example', 'https://GAME.example', 'http://localhost:3000'],
    'riddle-rush': [undefined, 'https://anything.example', 'null'],
  }
  const foreign = {
    echo: ['https://evil.example', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://localhost@evil.example', 'null', ''],
    'clash-bot': ['https://evil.example', 'http://game.example', 'https://game.example:8443', 'https://game.example.evil.example', 'http://localhost', 'null'],
  }
  let count = 0
  for (const [api, origins] of Object.entries(allowed))
    for (const origin of origins) await (await connect(`${server.ws}/${api}`, { headers: origin === undefined ? {} : { origin } })).close(1000)
  for (const [api, origins] of Object.entries(foreign))
    for (const origin of origins) {
      const { status, body } = await refused(`${server.ws}/${api}`, { headers: { origin } })
      assert.equal(status, 403, `${api} ${origin}`)
      assert.equal(body.error, 'ORIGIN_REFUSED')
      count++
    }
  assert.equal((await server.counters()).gw_origin_refused, count)
  await quiet(server)
})
