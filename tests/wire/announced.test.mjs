// Nothing is announced that is not durable: what a subscriber received or a reader read before a kill -9 is there afterwards.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { seconds, secret, token } from './lib/token.mjs'

test('messages of kept rooms', async (t) => {
  const server = await start(t, { env: { JWT_SECRET: secret }, threads: 2 })
  const url = async () => `${server.ws}/landing-hub?token=${token({ sub: 'ada', exp: seconds(await server.now(), 3600) })}`
  const rooms = Array.from({ length: 8 }, (_, i) => `chat_${i}`)
  const sent = Object.fromEntries(rooms.map((room) => [room, 0]))
  for (let round = 0; round < 5; round++) {
    const ada = await connect(await url())
    for (const room of rooms) await ada.ask({ action: 'chat:join_room', room })
    const received = {}
    let count = 0
    ada.socket.on('message', (text) => {
      const { room, n } = JSON.parse(text).data
      received[room] = n
      count++
    })
    let alive = true
    // One publisher a room, who waits for each answer: so the numbers of a room are in the order of its commits.
    const publishing = Promise.all(rooms.map(async (room) => {
      while (alive) await request(server, 'POST', `/landing-hub/@rooms/${room}?event=news`, { body: JSON.stringify({ room, n: ++sent[room] }) }).catch(() => {})
    }))
    await until('enough messages', () => count > 100 + round * 37, { every: 1 })
    await server.kill9()
    alive = false
    await publishing
    await ada.closed()
    await server.restart()
    const again = await connect(await url())
    for (const room of rooms) {
      const { data } = await again.ask({ action: 'dashboard:refresh', room })
      assert.ok(data.sequence > 0)
      assert.ok(data.message.data.n >= received[room], `round ${round}, ${room}: received ${received[room]}, kept ${data.message.data.n}`)
      assert.ok(data.message.data.n <= sent[room])
    }
    await again.close(1000)
  }
  await quiet(server)
})

test('what a reader has read', async (t) => {
  const server = await start(t, { threads: 2 })
  for (let round = 0; round < 4; round++) {
    const writer = await connect(`${server.ws}/riddle-rush?userId=ada`)
    const reader = await connect(`${server.ws}/riddle-rush?userId=ada`)
    let seen = 0
    let alive = true
    writer.socket.on('message', () => alive && writer.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } }))
    writer.socket.emit('message', '')
    for (let i = 0; i < 15; i++) writer.socket.emit('message', '')
    reader.socket.on('message', (text) => {
      const { metricsLogged } = JSON.parse(text).data
      assert.ok(metricsLogged >= seen, 'reads do not go back')
      seen = metricsLogged
      if (alive) reader.send({ action: 'getUserStats', data: {} })
    })
    reader.send({ action: 'getUserStats', data: {} })
    const goal = round * 1000 + 300
    await until('enough writes', () => seen > goal, { every: 1 })
    await server.kill9()
    alive = false
    await Promise.all([writer.closed(), reader.closed()])
    await server.restart()
    const after = await connect(`${server.ws}/riddle-rush?userId=ada`)
    const { data } = await after.ask({ action: 'getUserStats', data: {} })
    assert.ok(data.metricsLogged >= seen, `round ${round}: read ${seen}, kept ${data.metricsLogged}`)
    assert.equal(data.metrics.m.count, data.metricsLogged, 'a call is all or nothing')
    assert.equal(data.metrics.m.sum, data.metricsLogged)
    await after.close(1000)
  }
  await quiet(server)
})
