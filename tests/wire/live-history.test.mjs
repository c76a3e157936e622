// A folder that was restored from a backup is another history under the same sequence numbers: who comes back with a position of the lost one is told so, and gets a snapshot.
// IN-5, OP-6
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect } from './lib/client.mjs'
import { notes } from './lib/live.mjs'
import { seconds, secret, token } from './lib/token.mjs'
import { run, start, temporaryFolder } from './lib/weir.mjs'

const put = async (client, id, text) => assert.equal((await client.ask({ action: 'put', board: 'kitchen', id, text, stars: 1 })).type, 'ack')

/** Subscribes on a socket of its own; every message until the set is whole again, then the socket goes. */
async function come(open, request) {
  const client = await open()
  client.send({ action: 'subscribe', table: 'notes', key: { board: 'kitchen' }, ...request })
  const seen = [await client.json()]
  assert.equal(seen[0].type, 'subscribed', JSON.stringify(seen[0]))
  // What comes at once: a snapshot, or the changes up to this one.
  const writer = await open(), mark = `${Math.random()}`
  await put(writer, 'marker', mark)
  for (;;) {
    const message = await client.json()
    seen.push(message)
    if ((message.type === 'change' && message.data?.text === mark) || (message.type === 'snapshot' && message.last)) break
  }
  await client.close()
  await writer.close()
  const last = seen.at(-1)
  return { history: seen[0].history, after: last.type === 'snapshot' ? `${last.sequence}` : `${last.sequence}.${last.number}`, types: [...new Set(seen.slice(1).map((m) => m.type))], seen }
}

async function opener(server) {
  const exp = seconds(await server.now(), 3600)
  return (sub = 'ada') => connect(`${server.ws}/notes?token=${token({ sub, role: 'user', exp })}`)
}

async function restored(t, from) {
  const folder = temporaryFolder(t)
  const { code, stderr } = await run(['restore', '--from', from, '--data', path.join(folder, 'data')])
  assert.equal(code, 0, stderr)
  return start(t, { folder, env: { JWT_SECRET: secret } })
}

async function backup(t, server) {
  const place = path.join(temporaryFolder(t), 'backup')
  const { code, stderr } = await run(['backup', '--to', place, '--data', path.join(server.folder, 'data'), '--endpoint', server.http])
  assert.equal(code, 0, stderr)
  return place
}

const OTHER = 'the position is of another history'

test('resuming in a restored folder', async (t) => {
  const { server } = await notes(t)
  const open = await opener(server)
  const writer = await open()
  await put(writer, 'one', 'before')
  const before = await come(open, {})
  const place = await backup(t, server)
  for (let i = 0; i < 5; i++) await put(writer, `lost ${i}`, 'after the backup')
  const lost = await come(open, { after: before.after, history: before.history })
  assert.deepEqual(lost.types, ['change'], 'resumed where it was told')
  assert.equal(lost.history, before.history)
  await server.stop()
  await server.restart()
  const again = await come(await opener(server), { after: lost.after, history: lost.history })
  assert.deepEqual(again.types, ['change'], 'a restart begins no history')
  assert.equal(again.history, before.history)

  const other = await restored(t, place)
  const there = await opener(other), elsewhere = await there()
  for (let i = 0; i < 30; i++) await put(elsewhere, `new ${i}`, 'of the other history')
  // The new folder has long passed the number: without the history nobody could tell.
  for (const wish of [{ after: lost.after, history: lost.history }, { after: lost.after }, { after: lost.after, history: 'feedfacefeedface' }]) {
    const told = await come(there, wish)
    assert.deepEqual(told.types, ['resnapshot', 'snapshot'], JSON.stringify(wish))
    assert.equal(told.seen[1].reason, OTHER)
    assert.equal(told.seen.filter((m) => m.type === 'snapshot').flatMap((m) => m.items).filter((item) => item.id.startsWith('lost')).length, 0)
    assert.notEqual(told.history, before.history)
  }
  // What both share is still resumed, change by change; and so is what the new history told.
  const shared = await come(there, { after: before.after, history: before.history })
  assert.deepEqual(shared.types, ['change'])
  assert.equal(shared.seen.filter((m) => m.type === 'change' && m.key.id.startsWith('new')).length, 30)
  assert.deepEqual((await come(there, { after: before.after })).types, ['change'])
  assert.deepEqual((await come(there, { after: shared.after, history: shared.history })).types, ['change'])
  // Ranks and rooms hold positions of the same kind.
  elsewhere.send({ action: 'say', board: 'tea', text: 'one' })
  const room = async (request) => {
    elsewhere.send({ action: 'resume', room: 'tea', ...request })
    for (;;) {
      const message = await elsewhere.json()
      if (message.type === 'resumed') return message
    }
  }
  const { history } = await room({})
  assert.equal((await room({ after: '100.1', history })).complete, true)
  assert.equal((await room({ after: '100.1' })).complete, false)
  assert.equal((await room({ after: '100.1', history: before.history })).complete, false)
})

test('a backup that is served as it is, and two restores of one backup, are histories of their own', async (t) => {
  const { server } = await notes(t)
  const open = await opener(server)
  const writer = await open()
  await put(writer, 'one', 'before')
  const place = await backup(t, server)
  assert.match(readFileSync(path.join(place, 'lineage'), 'utf8'), /^weir lineage 1\n[0-9a-f]{16} 0\n- \d+\n$/)
  const first = await restored(t, place), second = await restored(t, place)
  const told = await come(await opener(first), {})
  const there = await opener(second), elsewhere = await there()
  for (let i = 0; i < 20; i++) await put(elsewhere, `new ${i}`, 'of the second')
  assert.deepEqual((await come(there, { after: told.after, history: told.history })).types, ['resnapshot', 'snapshot'])
  await first.stop()
  await second.stop()
  const folder = temporaryFolder(t)
  renameSync(place, path.join(folder, 'data'))
  const served = await start(t, { folder, env: { JWT_SECRET: secret } })
  const here = await opener(served)
  const fresh = await come(here, {})
  assert.deepEqual((await come(here, { after: told.after, history: told.history })).types, ['resnapshot', 'snapshot'])
  assert.equal(new Set([(await come(open, {})).history, told.history, fresh.history]).size, 3)
})

test('an unreadable note costs snapshots, not the start', async (t) => {
  const { server } = await notes(t)
  const open = await opener(server)
  const told = await come(open, {})
  await server.stop()
  writeFileSync(path.join(server.folder, 'data', 'lineage'), 'something else\n')
  await server.restart()
  assert.match(server.stderr, /lineage cannot be read/)
  const again = await opener(server)
  assert.deepEqual((await come(again, { after: told.after, history: told.history })).types, ['resnapshot', 'snapshot'])
  assert.deepEqual((await come(again, { after: told.after })).types, ['resnapshot', 'snapshot'])
})
