// Rooms of /echo: what is published reaches each member once, in one order for all, whichever io thread it lives on.
// FO-7, FO-15, SE-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

for (const threads of [1, 2]) {
  test(`join and publish with ${threads} io thread(s)`, async (t) => {
    const server = await start(t, { threads })
    const members = await Promise.all(Array.from({ length: 12 }, () => connect(`${server.ws}/echo`)))
    const stranger = await connect(`${server.ws}/echo`)
    for (const member of members) {
      const ack = await member.ask({ action: 'join', room: 'tea' })
      assert.equal(ack.type, 'ack')
      assert.equal(ack.action, 'join')
    }
    await stranger.ask({ action: 'join', room: 'coffee' })
    const { json } = await request(server, 'GET', '/echo/@rooms/tea')
    assert.equal(json.count, 12)
    const publisher = await connect(`${server.ws}/echo`)
    for (let i = 0; i < 200; i++) publisher.send({ action: 'publish', room: 'tea', data: { i, text: 'Milch? 🥛', deep: [1.50, null, true] } })
    for (let i = 0; i < 200; i++) assert.equal((await publisher.json()).type, 'ack')
    for (const member of members)
      for (let i = 0; i < 200; i++)
        assert.deepEqual(await member.json(), { type: 'message', room: 'tea', data: { i, text: 'Milch? 🥛', deep: [1.5, null, true] } })
    stranger.send('nothing came before this')
    assert.equal(await stranger.text(), 'nothing came before this')
    for (const client of [...members, stranger, publisher]) await client.close(1000)
    await quiet(server)
  })
}

test('a publisher who is a member hears itself, before or after its acknowledgement, once', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  await client.ask({ action: 'join', room: 'tea' })
  await client.ask({ action: 'join', room: 'tea' })
  client.send({ action: 'publish', room: 'tea', data: 1 })
  const types = [(await client.json()).type, (await client.json()).type].sort()
  assert.deepEqual(types, ['ack', 'message'])
  client.send('end')
  assert.equal(await client.text(), 'end')
  await client.close(1000)
  await quiet(server)
})

test('a command without its field is answered by name and the connection stays', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const wrong = [
    [{ action: 'join' }, 'MISSING', 'room'],
    [{ action: 'join', room: 7 }, 'TYPE', 'room'],
    [{ action: 'join', room: '' }, 'INVALID', 'room'],
    [{ action: 'join', room: 'x'.repeat(257) }, 'TOO_LARGE', 'room'],
    [{ action: 'join', room: 'a\u0007b' }, 'INVALID', 'room'],
    [{ action: 'publish', room: 'tea' }, 'MISSING', 'data'],
  ]
  for (const [message, error, field] of wrong) {
    const answer = await client.ask({ ...message, requestId: 'r1' })
    assert.equal(answer.type, 'error')
    assert.equal(answer.error, error, JSON.stringify(message))
    assert.equal(answer.field, field)
    assert.equal(answer.requestId, 'r1')
    assert.equal(typeof answer.message, 'string')
  }
  client.send('still here')
  assert.equal(await client.text(), 'still here')
  await client.close(1000)
  await quiet(server)
})
