// Who does not read is bounded: closed with 1013, or served the newest, by the API's policy. Nobody else waits.
// GW-12, FO-12
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

const config = (policy) => `
apps:
  echo:
    limits: {messageMax: 64KB}
    slowReaders: ${policy}
    queueBytes: 256KB
`
// Who reads again within the two seconds that a close may take sees why; a slow machine needs longer.
const told = [1013, 1006]
const piece = (n) => JSON.stringify({ n, filling: 'x'.repeat(32000) })

const flood = async (t, policy, query = '') => {
  const server = await start(t, { config: config(policy) })
  const slow = await connect(`${server.ws}/echo`)
  const quick = await connect(`${server.ws}/echo`)
  for (const client of [slow, quick]) await client.ask({ action: 'join', room: 'prices' })
  slow.socket.pause()
  let dropped = 0
  let sent = 0
  // What the kernel buffers is not ours to bound: it is filled until the policy acts.
  await until('the policy acts', async () => {
    const answer = (await request(server, 'POST', `/echo/@rooms/prices${query}`, { body: piece(sent++) })).json
    dropped += answer.dropped
    const counters = await server.counters()
    assert.ok(counters.net_queue_bytes <= 600000, `${counters.net_queue_bytes} bytes queued`)
    return counters.ws_slow_closed + counters.ws_slow_dropped + counters.ws_slow_replaced > 20 || counters.ws_slow_closed > 0
  }, { every: 0 })
  for (let n = 0; n < sent; n++) assert.equal((await quick.json()).n, n)
  return { server, slow, quick, sent }
}

test('disconnect: closed with 1013', async (t) => {
  const { server, slow, quick } = await flood(t, 'disconnect')
  slow.socket.resume()
  assert.ok(told.includes((await slow.closed()).code))
  assert.equal((await server.counters()).ws_slow_closed, 1)
  await quick.close(1000)
  await quiet(server)
})

test('drop-oldest: the socket stays, a gap in the middle, the newest at the end', async (t) => {
  const { server, slow, quick, sent } = await flood(t, 'drop-oldest')
  slow.socket.resume()
  const got = []
  while (got.at(-1) !== sent - 1) got.push((await slow.json()).n)
  assert.ok(got.length < sent)
  assert.deepEqual(got, [...got].sort((a, b) => a - b), 'in order')
  assert.equal(got.length + (await server.counters()).ws_slow_dropped, sent)
  for (const client of [slow, quick]) await client.close(1000)
  await quiet(server)
})

test('latest: of each key the newest stands', async (t) => {
  const { server, slow, quick, sent } = await flood(t, 'latest', '?key=price')
  slow.socket.resume()
  const got = []
  while (got.at(-1) !== sent - 1) got.push((await slow.json()).n)
  assert.ok(got.length < sent)
  assert.deepEqual(got, [...got].sort((a, b) => a - b), 'in order')
  const { ws_slow_replaced, ws_slow_dropped } = await server.counters()
  assert.ok(ws_slow_replaced > 0)
  assert.equal(got.length + ws_slow_replaced + ws_slow_dropped, sent)
  for (const client of [slow, quick]) await client.close(1000)
  await quiet(server)
})

test('a post to who does not read is LimitExceededException, then GoneException', async (t) => {
  const server = await start(t, { config: config('disconnect') })
  const slow = await connect(`${server.ws}/echo`)
  const { connectionId } = (await request(server, 'GET', '/echo/@connections')).json.connections[0]
  const post = () => request(server, 'POST', `/echo/@connections/${connectionId}`, { body: piece(0) })
  slow.socket.pause()
  const full = await until('a refusal', async () => {
    const answer = await post()
    return answer.status !== 200 && answer
  }, { every: 0 })
  assert.deepEqual([full.status, full.headers['x-amzn-errortype']], [429, 'LimitExceededException'])
  assert.equal(typeof full.json.message, 'string')
  const gone = await post()
  assert.deepEqual([gone.status, gone.headers['x-amzn-errortype'], gone.body], [410, 'GoneException', ''])
  slow.socket.resume()
  assert.ok(told.includes((await slow.closed()).code))
  await quiet(server)
})
