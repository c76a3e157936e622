// kill -9 under load, with packing going on: every event that was acknowledged is there afterwards, once, with its id and its stream.
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { run, start, until } from '../lib/weir.mjs'
import { advance, client, filter, now, sdk, stream } from './lib.mjs'

test('acknowledged is kept', async (t) => {
  const server = await start(t, { threads: 2 })
  for (const s of ['a', 'b', 'c']) await stream(server, 'g', s)
  const acknowledged = new Set()
  const sent = new Set()
  const ids = new Map()
  for (let round = 0; round < 3; round++) {
    const logs = client(server)
    const before = acknowledged.size
    const work = ['a', 'b', 'c', 'a', 'b'].map(async (logStreamName, writer) => {
      for (let n = 0; ; n++) {
        const list = Array.from({ length: n % 3 ? 1 : 200 }, (_, i) => `${logStreamName}.${round}.${writer}.${n}.${i} ${'lorem ipsum '.repeat(n % 7)}`)
        list.forEach((message) => sent.add(message))
        try {
          const timestamp = now(server) - (writer === 4 ? 7200000 : 0)
          await sdk.put(logs, { logGroupName: 'g', logStreamName, logEvents: list.map((message) => ({ timestamp, message })) })
          list.forEach((message) => acknowledged.add(message))
        } catch {
          return // the server is gone
        }
      }
    })
    await until('enough acknowledgements and a packing', async () => acknowledged.size >= before + 8000 && (await server.counters()).logs_chunks_packed > 3, { every: 5 })
    if (round === 1) await advance(server, 600000)
    await server.kill9()
    await Promise.all(work)
    logs.destroy()
    server.skew = 0 // the clock begins again
    await server.restart()
    const found = new Map()
    for (const event of await filter(server, 'g', { startTime: 0 })) {
      assert.ok(sent.has(event.message))
      assert.ok(!found.has(event.message), `${event.message} twice`)
      assert.ok(event.message.startsWith(`${event.logStreamName}.`))
      found.set(event.message, event.eventId)
    }
    for (const message of acknowledged) assert.ok(found.has(message), `${message} was acknowledged`)
    for (const [message, id] of ids) assert.equal(found.get(message), id)
    for (const [message, id] of found) {
      ids.set(message, id)
      acknowledged.add(message)
    }
  }
  await server.stop()
  const verified = await run(['verify', path.join(server.folder, 'data')])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})
