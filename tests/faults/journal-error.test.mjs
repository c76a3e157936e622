// An I/O error on the journal ends the process with its own exit code; nothing that is not durable is announced, and the next start serves everything that was.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, until } from '../wire/lib/weir.mjs'
import { EXIT_JOURNAL, Load, ROOM, administrator, endedWith, log, logged, player, publish, retained, startFaulty } from './lib/faults.mjs'

for (const rule of ['fdatasync EIO', 'pwrite EIO', 'fdatasync ENOSPC']) {
  test(`${rule}: the write is not announced, the process ends, the next one serves`, async (t) => {
    const { server, faults } = await startFaulty(t)
    const ada = await player(server, 'ada')
    const admin = await administrator(server)
    assert.equal((await admin.ask({ action: 'dashboard:join' })).data.room, ROOM)
    assert.equal((await log(ada, 'ada')).type, 'ack')
    assert.equal((await publish(server, 1)).status, 200)
    assert.equal((await admin.json()).data.n, 1)
    faults.set(rule)
    const answer = publish(server, 2).then(({ status }) => status, () => 'none')
    ada.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
    await endedWith(server, EXIT_JOURNAL)
    assert.match(server.stderr, /the journal cannot be trusted any more/)
    assert.equal(await answer, 'none')
    for (const client of [ada, admin]) assert.equal((await client.closed()).code, 1006)
    assert.deepEqual([ada.queue, admin.queue], [[], []], 'nothing was announced')
    assert.ok(faults.seen().some((line) => line.startsWith(rule)))

    faults.clear()
    await server.restart()
    const reader = await player(server, 'reader')
    const found = await logged(reader, 'ada')
    assert.ok(found === 1 || (found === 2 && rule.startsWith('fdatasync')), `${found} found`)
    assert.equal((await log(reader, 'ada')).type, 'ack')
    assert.equal(await logged(reader, 'ada'), found + 1)
    const boss = await administrator(server)
    assert.ok((await retained(boss)).n >= 1)
    for (const client of [reader, boss]) await client.close(1000)
    await quiet(server)
  })

  test(`${rule} under load`, async (t) => {
    const { server, faults } = await startFaulty(t)
    const load = new Load(server, 0)
    await load.begin()
    await load.reached(400)
    faults.set(rule)
    await endedWith(server, EXIT_JOURNAL)
    await load.over()
    assert.deepEqual(load.answers, [])
    faults.clear()
    await server.restart()
    await load.verify()
    await quiet(server)
  })
}

test('the folder of the journal, when a segment is full', async (t) => {
  const { server, faults } = await startFaulty(t)
  const ada = await player(server, 'ada')
  faults.set('fsync EIO')
  let kept = 0
  ada.socket.removeAllListeners('message')
  const metadata = { filling: 'x'.repeat(30000) }
  const more = () => ada.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1, metadata } })
  ada.socket.on('message', (text) => {
    assert.equal(JSON.parse(text).type, 'ack', text.toString().slice(0, 300))
    kept++
    if (ada.socket.readyState === 1) more()
  })
  for (let n = 0; n < 8; n++) more()
  await endedWith(server, EXIT_JOURNAL)
  await ada.closed()
  assert.ok(kept > 50, `${kept} until the segment was full`)
  faults.clear()
  await server.restart()
  const reader = await player(server, 'reader')
  const found = await logged(reader, 'ada')
  assert.ok(found >= kept && found <= kept + 8, `${found} found of ${kept}`)
  await reader.close(1000)
  await quiet(server)
})

test('an error while the journal is opened has the same exit code', async (t) => {
  const { server, faults } = await startFaulty(t)
  const ada = await player(server, 'ada')
  await log(ada, 'ada')
  await ada.close(1000)
  await server.stop()
  for (const rule of ['fsync EIO', 'fdatasync EIO', 'pwrite EIO']) {
    faults.set(rule)
    await assert.rejects(server.restart())
    await endedWith(server, EXIT_JOURNAL)
  }
  faults.clear()
  await server.restart()
  const reader = await player(server, 'reader')
  assert.equal(await logged(reader, 'ada'), 1)
  await reader.close(1000)
  await quiet(server)
})

test('nothing is announced before the disk has answered', async (t) => {
  const { server, faults } = await startFaulty(t)
  const ada = await player(server, 'ada')
  const reader = await player(server, 'reader')
  const admin = await administrator(server)
  await admin.ask({ action: 'dashboard:join' })
  await log(ada, 'ada')
  faults.set('fdatasync hold')
  ada.send({ action: 'logPerformance', data: { metricName: 'm', duration: 1, timestamp: 1 } })
  const answer = publish(server, 7)
  let answered = false
  answer.then(() => (answered = true))
  await faults.injected('fdatasync hold')
  // Reads go on meanwhile, and show what is durable.
  for (let n = 0; n < 50; n++) assert.equal(await logged(reader, 'ada'), 1)
  assert.deepEqual([ada.queue.length, admin.queue.length, answered], [0, 0, false])
  faults.clear()
  assert.equal((await ada.json()).type, 'ack')
  assert.equal((await answer).status, 200)
  assert.equal((await admin.json()).data.n, 7)
  await until('the write is read', async () => (await logged(reader, 'ada')) === 2)
  for (const client of [ada, reader, admin]) await client.close(1000)
  await quiet(server)
})
