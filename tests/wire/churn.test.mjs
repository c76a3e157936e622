// Connections that come, join, talk, leave without a word, while rooms are published to: nothing is left behind, nobody who stays misses anything.
// FO-1, FO-12, FO-13, ST-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('two io threads, 600 short lives', { timeout: 600000 }, async (t) => {
  const server = await start(t, { threads: 2 })
  const listener = await connect(`${server.ws}/echo`)
  await listener.ask({ action: 'join', room: 'all' })
  let published = 0
  const life = async (n) => {
    const client = await connect(`${server.ws}/echo`)
    client.send({ action: 'join', room: 'all' })
    client.send({ action: 'join', room: `own${n % 7}` })
    client.send({ action: 'publish', room: 'all', data: n })
    published++
    client.send({ action: 'publish', room: `own${n % 7}`, data: 'x'.repeat(5000) })
    // Its own acknowledgements tell that all four were taken; then it leaves in one of four ways.
    for (let acks = 0; acks < 4; ) if ((await client.json()).type === 'ack') acks++
    if (n % 4 === 0) await client.close(1000)
    else if (n % 4 === 1) client.socket.terminate()
    else if (n % 4 === 2) client.socket._socket.end()
    else client.socket._socket.resetAndDestroy()
  }
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 30 }, (_, i) => life(round * 30 + i)))
  const seen = new Set()
  for (let i = 0; i < published; i++) seen.add((await listener.json()).data)
  assert.equal(seen.size, 600)
  await listener.close(1000)
  await quiet(server)
  assert.equal((await request(server, 'GET', '/echo/@rooms/all')).json.count, 0)
})

test('registry rows under churn', { timeout: 600000 }, async (t) => {
  const server = await start(t, { threads: 2 })
  for (let round = 0; round < 10; round++)
    await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const client = await connect(`${server.ws}/riddle-rush?userId=u${i}`)
      client.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
      if (i % 2) await client.json()
      client.socket.terminate()
    }))
  await quiet(server)
  const reader = await connect(`${server.ws}/riddle-rush?userId=u1`)
  assert.equal((await reader.ask({ action: 'getUserStats', data: {} })).data.metricsLogged, 10)
  await reader.close(1000)
  await quiet(server)
})
