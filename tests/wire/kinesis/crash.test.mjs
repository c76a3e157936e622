// kill -9 under load: every record that was acknowledged is there afterwards, once, in order, with its number; numbers go on growing.
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { run, start, until } from '../lib/weir.mjs'
import { client, create, iterator, ok, put, putMany, readAll, shards } from './lib.mjs'

test('acknowledged is kept', async (t) => {
  const server = await start(t, { threads: 2 })
  const kinesis = client(server)
  await create(kinesis, 's', 2)
  kinesis.destroy()
  const acknowledged = new Map() // text -> sequence number
  const sent = new Set()
  for (let round = 0; round < 3; round++) {
    const own = client(server, { maxAttempts: 1 })
    const before = acknowledged.size
    const work = Array.from({ length: 6 }, async (_, writer) => {
      for (let n = 0; ; n++) {
        const list = Array.from({ length: n % 3 ? 1 : 20 }, (_unused, i) => [`w${writer}`, `${round}.${writer}.${String(n).padStart(5, '0')}.${String(i).padStart(2, '0')}`])
        list.forEach(([, text]) => sent.add(text))
        try {
          const { Records } = list.length > 1 ? await putMany(own, 's', list) : { Records: [await put(own, 's', ...list[0])] }
          Records.forEach((record, i) => acknowledged.set(list[i][1], record.SequenceNumber))
        } catch {
          return // the server is gone
        }
      }
    })
    await until('enough acknowledgements', () => acknowledged.size >= before + 400, { every: 1 })
    await server.kill9()
    await Promise.all(work)
    own.destroy()
    await server.restart()
    const reader = client(server)
    const found = new Map()
    for (const shard of await shards(reader, 's')) {
      const { records } = await readAll(reader, await iterator(reader, 's', shard.ShardId))
      const last = new Map()
      let number = ''
      for (const record of records) {
        const text = Buffer.from(record.Data).toString()
        assert.ok(sent.has(text))
        assert.ok(!found.has(text), `${text} twice`)
        assert.ok(record.SequenceNumber > number)
        assert.ok(text > (last.get(record.PartitionKey) ?? ''), 'in order for its key')
        last.set(record.PartitionKey, text)
        number = record.SequenceNumber
        found.set(text, record.SequenceNumber)
      }
    }
    for (const [text, number] of acknowledged) assert.equal(found.get(text), number, `${text} was acknowledged`)
    // What was kept without an acknowledgement counts from here on.
    for (const [text, number] of found) acknowledged.set(text, number)
    reader.destroy()
  }
  // An iterator outlives a restart.
  const reader = client(server)
  const next = await iterator(reader, 's', 'shardId-000000000000', 'LATEST')
  await server.kill9()
  await server.restart()
  reader.destroy()
  const again = client(server)
  await put(again, 's', 'k', 'after', { ExplicitHashKey: '0' })
  assert.deepEqual((await readAll(again, next)).records.map((record) => Buffer.from(record.Data).toString()), ['after'])
  assert.equal((await ok(server, 'DescribeStreamSummary', { StreamName: 's' })).StreamDescriptionSummary.OpenShardCount, 2)
  again.destroy()
  await server.stop()
  const verified = await run(['verify', path.join(server.folder, 'data')])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
})
