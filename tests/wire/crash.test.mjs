// kill -9 under load: every write that was acknowledged is there afterwards, every time.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'


test('acknowledged is kept', async (t) => {
  const server = await start(t, { threads: 2 })
  const sent = Array.from({ length: 8 }, () => 0)
  const acknowledged = Array.from({ length: 8 }, () => 0)
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.all(acknowledged.map((_, i) => connect(`${server.ws}/riddle-rush?userId=user${i}`)))
    let alive = true
    const work = clients.map(async (client, i) => {
      client.socket.on('close', () => (alive = false))
      const more = () => {
        sent[i]++
        client.send({ action: 'logPerformance', data: { userId: `user${i}`, metricName: 'crash', duration: round, timestamp: Date.now() } })
      }
      client.socket.removeAllListeners('message')
      client.socket.on('message', (text) => {
        assert.equal(JSON.parse(text).type, 'ack')
        acknowledged[i]++
        if (alive) more()
      })
      for (let n = 0; n < 16; n++) more()
    })
    await Promise.all(work)
    const goal = acknowledged.reduce((a, b) => a + b, 0) + 300 + round * 171
    await until('enough acknowledgements', () => acknowledged.reduce((a, b) => a + b, 0) >= goal, { every: 1 })
    await server.kill9()
    await Promise.all(clients.map((client) => client.closed()))
    await server.restart()
    const reader = await connect(`${server.ws}/riddle-rush?userId=reader`)
    for (let i = 0; i < 8; i++) {
      const { data } = await reader.ask({ action: 'getUserStats', data: { userId: `user${i}` } })
      const kept = data.metrics.crash?.count ?? 0
      assert.ok(kept >= acknowledged[i], `round ${round}: ${kept} kept of ${acknowledged[i]} acknowledged`)
      assert.ok(kept <= sent[i], `round ${round}: ${kept} kept of ${sent[i]} sent`)
      // What was in the journal but not yet acknowledged is kept too, and counts from here on.
      acknowledged[i] = kept
    }
    await reader.close(1000)
  }
  await quiet(server)
})
