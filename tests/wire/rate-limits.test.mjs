// Rates: what is above them is answered and counted, who goes on is banned for a time. Time is driven.
// What a rate gives back while a slow machine takes its time must not matter: the rates are low.
// SE-4, SE-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

test('messages of a connection and of an action', async (t) => {
  const server = await start(t, { config: `
apps:
  echo:
    rates:
      connection: 6/m burst 20
      actions:
        join: 1/m burst 2
` })
  const client = await connect(`${server.ws}/echo`)
  const other = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 2; i++) assert.equal((await client.ask({ action: 'join', room: `r${i}` })).type, 'ack')
  const refusedJoin = await client.ask({ action: 'join', room: 'r3', requestId: 5 })
  assert.deepEqual([refusedJoin.type, refusedJoin.error, refusedJoin.requestId], ['error', 'RATE_LIMITED', 5])
  assert.ok(refusedJoin.retryAfter > 0 && refusedJoin.retryAfter <= 60001, `${refusedJoin.retryAfter} ms`)
  await server.advance(refusedJoin.retryAfter)
  assert.equal((await client.ask({ action: 'join', room: 'r3' })).type, 'ack', 'after that time it passes')
  await server.advance(10000)
  const answers = []
  for (let i = 0; i < 40; i++) client.send(String(i))
  for (let i = 0; i < 40; i++) answers.push(await client.text())
  const through = answers.filter((text) => /^\d+$/.test(text)).length
  assert.ok(through >= 15 && through <= 35, `${through} of 40`)
  assert.ok(answers.some((text) => text.includes('"RATE_LIMITED"')))
  other.send('I am not limited by others')
  assert.equal(await other.text(), 'I am not limited by others')
  await server.advance(20000)
  client.send('again')
  assert.equal(await client.text(), 'again')
  assert.ok((await server.counters()).gw_rate_limited > 0)
  for (const each of [client, other]) await each.close(1000)
  await quiet(server)
})

test('connects of an address, and a ban', async (t) => {
  const server = await start(t, { config: `
apps:
  echo:
    rates:
      connects: 1/m burst 5
      connection: 1/m burst 3
    ban: {after: 10, for: 5m}
  clash-bot:
` })
  const clients = []
  for (let i = 0; i < 5; i++) clients.push(await connect(`${server.ws}/echo`))
  const tooMany = await refused(`${server.ws}/echo`)
  assert.equal(tooMany.status, 429)
  assert.equal(tooMany.body.error, 'RATE_LIMITED')
  assert.match(tooMany.headers['retry-after'], /^[1-9]\d*$/)
  assert.ok(tooMany.body.retryAfter > 0)
  const [abuser] = clients
  for (let i = 0; i < 40; i++) abuser.send('spam')
  assert.equal((await abuser.closed()).code, 1008)
  assert.equal((await server.counters()).gw_bans, 1)
  await server.advance(60000)
  assert.equal((await refused(`${server.ws}/echo`)).status, 429)
  await (await connect(`${server.ws}/clash-bot`)).close(1000)
  await server.advance(5 * 60000)
  await (await connect(`${server.ws}/echo`)).close(1000)
  for (const client of clients.slice(1)) client.socket.terminate()
  await quiet(server)
})

test('who does not listen is closed, also without a ban', async (t) => {
  const server = await start(t, { config: 'apps:\n  echo: {rates: {connection: 1/m burst 1}}\n' })
  const patient = await connect(`${server.ws}/echo`)
  patient.send('hello')
  assert.equal(await patient.text(), 'hello')
  for (let i = 0; i < 50; i++) assert.equal((await patient.ask('again')).error, 'RATE_LIMITED')
  const deaf = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 300; i++) deaf.send('spam')
  assert.equal((await deaf.closed()).code, 1008)
  await server.advance(61000)
  patient.send('hello again')
  assert.equal(await patient.text(), 'hello again')
  assert.equal((await server.counters()).gw_bans, 0)
  await patient.close(1000)
  await quiet(server)
})
