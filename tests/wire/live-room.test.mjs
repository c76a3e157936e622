// Rooms with a history: what was missed, in order and once, also over a crash; what is not kept any more is said.
// FO-15, SE-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { request, until } from './lib/weir.mjs'
import { notes } from './lib/live.mjs'

const number = (position) => Number(position.split('.')[1])
const say = async (client, board, text) => assert.equal((await client.ask({ action: 'say', board, text })).type, 'ack')

/** Resumes until there is no more: {texts, positions, complete}. */
async function resume(client, room, after) {
  const got = { texts: [], complete: true, rounds: 0 }
  for (;;) {
    client.send({ action: 'resume', room, after })
    for (;;) {
      const message = await client.json()
      if (message.type === 'resumed') {
        got.complete &&= message.complete
        got.rounds++
        if (!message.more) return { ...got, after }
        break
      }
      got.texts.push(message.text)
      after = message.position
    }
  }
}

test('what was missed, then what comes', async (t) => {
  const { server, as } = await notes(t)
  const speaker = await as('ada'), listener = await as('bob')
  const { history, ...resumed } = await listener.ask({ action: 'resume', room: 'tea', requestId: 'q' })
  assert.deepEqual(resumed, { type: 'resumed', room: 'tea', messages: 0, complete: true, more: false, requestId: 'q' })
  assert.match(history, /^[0-9a-f]{16}$/)
  await say(speaker, 'tea', 'one')
  const first = await listener.json()
  assert.deepEqual(first, { type: 'said', board: 'tea', by: 'ada', text: 'one', position: first.position })
  assert.equal(number(first.position), 1)
  await listener.close(1000)
  for (const text of ['two', 'three']) await say(speaker, 'tea', text)
  await say(speaker, 'coffee', 'elsewhere')
  await server.kill9()
  await server.restart()
  const again = await as('bob'), other = await as('ada')
  await say(other, 'tea', 'four')
  const got = await resume(again, 'tea', first.position)
  assert.deepEqual(got.texts, ['two', 'three', 'four'])
  assert.equal(got.complete, true)
  await say(other, 'tea', 'five')
  assert.equal((await again.json()).text, 'five')
})

test('many messages come in rounds; too many and too old ones are not kept', async (t) => {
  const { server, as } = await notes(t)
  const speaker = await as('ada')
  for (let i = 1; i <= 300; i++) speaker.send({ action: 'say', board: 'tea', text: `${i}` })
  await until('acknowledgements', () => speaker.queue.length === 300)
  speaker.queue.length = 0
  const all = await resume(await as('bob'), 'tea')
  assert.deepEqual(all.texts, Array.from({ length: 250 }, (_, i) => `${i + 51}`))
  assert.deepEqual([all.complete, all.rounds], [true, 3])
  const gap = await resume(await as('bob'), 'tea', '1.20')
  assert.deepEqual([gap.complete, gap.texts.length], [false, 250])
  const edge = await resume(await as('bob'), 'tea', '1.50')
  assert.deepEqual([edge.complete, edge.texts.length], [true, 250])
  const ahead = await resume(await as('bob'), 'tea', '1.301')
  assert.deepEqual([ahead.complete, ahead.texts.length], [false, 0])
  await server.advance(3600 * 1000 + 1)
  const late = await as('ada')
  await say(late, 'tea', 'an hour later')
  const fresh = await resume(await as('bob'), 'tea', all.after)
  assert.deepEqual([fresh.texts, fresh.complete], [['an hour later'], true])
  assert.deepEqual((await resume(await as('bob'), 'tea', '1.250')).complete, false)
})

test('nothing falls between what was missed and what is new, while others go on speaking', async (t) => {
  const { as } = await notes(t, { threads: 2 })
  const speakers = await Promise.all(['a', 'b'].map((name) => as(name)))
  let said = 0, on = true
  const talk = speakers.map(async (speaker) => {
    while (on) await say(speaker, 'tea', `${said++}`)
  })
  for (let round = 0; round < 20; round++) {
    const listener = await as('bob')
    const seen = []
    listener.socket.removeAllListeners('message')
    listener.socket.on('message', (data) => seen.push(JSON.parse(data.toString())))
    // The middle of what is kept: the oldest may be forgotten meanwhile.
    const start = number((await peek(as)).position) + Math.min(100, Math.floor(said / 2))
    let more = true, asked = 0
    const last = () => seen.findLast((m) => m.position)?.position ?? `1.${start}`
    while (more) {
      listener.send({ action: 'resume', room: 'tea', after: last() })
      asked++
      await until('it is answered', () => seen.filter((m) => m.type === 'resumed').length === asked, { every: 1 })
      ;({ more } = seen.findLast((m) => m.type === 'resumed'))
    }
    assert.ok(seen.filter((m) => m.type === 'resumed').every((m) => m.complete))
    const heard = seen.length
    await until('it goes on', () => seen.length > heard + 20)
    listener.socket.terminate()
    const numbers = seen.filter((m) => m.type === 'said').map((m) => number(m.position))
    assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, i) => start + 1 + i))
  }
  on = false
  await Promise.all(talk)
})

/** Some message of the room. */
async function peek(as) {
  const client = await as('peek')
  client.send({ action: 'resume', room: 'tea' })
  const message = await client.json()
  client.socket.terminate()
  return message.type === 'said' ? message : peek(as)
}

test('over HTTP too; and what is wrong is said', async (t) => {
  const { server, as } = await notes(t)
  const listener = await as('bob')
  assert.equal((await listener.ask({ action: 'resume', room: 'tea' })).type, 'resumed')
  assert.deepEqual((await request(server, 'POST', '/notes/@rooms/tea', { body: '{"type":"notice" }' })).json, { delivered: 1, dropped: 0, gone: 0 })
  const notice = await listener.json()
  assert.deepEqual(notice, { type: 'notice', position: notice.position })
  assert.deepEqual((await request(server, 'POST', '/notes/@rooms/tea', { body: '{}' })).json, { delivered: 1, dropped: 0, gone: 0 })
  assert.deepEqual(Object.keys(await listener.json()), ['position'])
  assert.deepEqual((await request(server, 'POST', '/notes/@rooms/tea', { body: 'no JSON' })).json, { delivered: 1, dropped: 0, gone: 0 })
  assert.equal(await listener.text(), 'no JSON')
  const late = await as('cyd')
  late.send({ action: 'resume', room: 'tea' })
  assert.equal((await late.json()).type, 'notice')
  assert.equal(number((await late.json()).position), 2)
  assert.equal((await late.json()).messages, 2)
  for (const [wrong, field] of [[{}, 'room'], [{ room: '' }, 'room'], [{ room: 'r'.repeat(257) }, 'room'], [{ room: 'tea', after: 7 }, 'after'], [{ room: 'tea', after: '7' }, 'after'], [{ room: 'tea', after: 'x.1' }, 'after']]) {
    const answer = await late.ask({ action: 'resume', ...wrong })
    assert.deepEqual([answer.type, answer.field], ['error', field])
  }
})
