// What clients call JSON: depth, size, duplicates, numbers of 38 digits, escapes. Refused by name or kept as it came, never half read.
// SE-5, SE-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('numbers keep their digits', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/riddle-rush?userId=ada`)
  const exact = '123456789012345678901234567890.12345678'
  for (const duration of ['12345678901234.123456789012345678', '0.1', '1e3']) {
    client.send(`{"action":"logPerformance","data":{"metricName":"m","duration":${duration},"timestamp":1}}`)
    assert.equal((await client.json()).type, 'ack', duration)
  }
  client.send('{"action":"getUserStats","data":{}}')
  const stats = await client.text()
  assert.ok(stats.includes('"max":12345678901234.123456789012345678'), stats)
  assert.ok(stats.includes('"min":0.1'), stats)
  for (const [duration, error] of [[exact, 'INVALID'], ['1234567890123456789012345678901234567890', 'TOO_LARGE'], ['1e200', 'TOO_LARGE'], ['1e400', 'TOO_LARGE'], ['-0.5', 'INVALID']]) {
    client.send(`{"action":"logPerformance","data":{"metricName":"m","duration":${duration},"timestamp":1}}`)
    const answer = await client.json()
    assert.deepEqual([answer.type, answer.field], ['error', 'duration'], duration)
    assert.ok([error, 'INVALID', 'TOO_LARGE'].includes(answer.error), `${duration}: ${answer.error}`)
  }
  await client.close(1000)
  await quiet(server)
})

test('names, escapes and what is not quite JSON', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  const room = async (text) => {
    client.send(text)
    return client.text()
  }
  assert.equal(JSON.parse(await room('{"\\u0061ction":"join","ro\\u006fm":"te\\u0061"}')).type, 'ack')
  assert.equal(JSON.parse(await room(' \n\t{"action" : "join" , "room" : "\\ud83c\\udf0a" } ')).type, 'ack')
  // No JSON by the letter of RFC 8259: then it is text, and comes back as it came.
  for (const text of ['{"action":"join","room":"x",}', "{'action':'join','room':'x'}", '{"action":"join","room":"x"} x', '{"action":"join","room":NaN}', '{"action":"join","room":01}', '{"action":"join" "room":"x"}',
    '{"action":"join","room":"\\ud800"}', '\ufeff{"action":"join","room":"x"}', '{"action":"join","room":"x"', `${'{"a":'.repeat(100000)}1${'}'.repeat(100000)}`, '['.repeat(100000)])
    assert.equal(await room(text), text, text.slice(0, 60))
  const { type, error } = JSON.parse(await room('{"action":"publish","room":"tea","data":"a\\u0000b"}'))
  assert.deepEqual([type, error], ['error', 'INVALID'])
  const answer = await room('{"action":"join","room":"one","room":"two"}')
  assert.ok(answer === '{"action":"join","room":"one","room":"two"}' || JSON.parse(answer).type, 'decided one way')
  await client.close(1000)
  await quiet(server)
})

test('a large document', async (t) => {
  const server = await start(t)
  const client = await connect(`${server.ws}/echo`)
  await client.ask({ action: 'join', room: 'tea' })
  const data = Array.from({ length: 20000 }, (_, i) => ({ i, text: `number ${i} "quoted" \\ ü 🌊` }))
  client.send({ action: 'publish', room: 'tea', data })
  const answers = [await client.json(), await client.json()]
  assert.ok(answers.some((a) => a.type === 'ack'))
  assert.deepEqual(answers.find((a) => a.type === 'message').data, data)
  await client.close(1000)
  await quiet(server)
})
