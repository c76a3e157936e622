// Events: what goes in comes out, in order, in pages, from either end; limits; what is too old or too new. LG-2.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, fails, filter, INVALID, messages, now, ok, put, sdk, stream, walk } from './lib.mjs'

test('put, get, filter', async (t) => {
  const server = await start(t)
  const logs = client(server)
  await sdk.createGroup(logs, { logGroupName: 'g' })
  await sdk.createStream(logs, { logGroupName: 'g', logStreamName: 's' })
  const at = Date.now()
  const answer = await sdk.put(logs, { logGroupName: 'g', logStreamName: 's', sequenceToken: 'whatever', logEvents: [{ timestamp: at, message: 'one' }, { timestamp: at, message: 'zwei ü \u{1F980}\n' }] })
  assert.match(answer.nextSequenceToken, /^\d{56}$/)
  assert.equal(answer.rejectedLogEventsInfo, undefined)
  const got = await sdk.get(logs, { logGroupName: 'g', logStreamName: 's' })
  assert.deepEqual(got.events.map((e) => [e.timestamp, e.message]), [[at, 'one'], [at, 'zwei ü \u{1F980}\n']])
  assert.ok(Math.abs(got.events[0].ingestionTime - at) < 60000)
  const found = await sdk.filter(logs, { logGroupName: 'g', interleaved: true })
  assert.deepEqual(found.events.map((e) => [e.logStreamName, e.timestamp, e.message]), [['s', at, 'one'], ['s', at, 'zwei ü \u{1F980}\n']])
  assert.equal(new Set(found.events.map((e) => e.eventId)).size, 2)
  assert.equal(found.nextToken, undefined)
  // The forward token at the end is a bookmark: what comes later is found behind it.
  assert.deepEqual((await sdk.get(logs, { logGroupName: 'g', logStreamName: 's', nextToken: got.nextForwardToken })).events, [])
  await put(server, 'g', 's', ['three'])
  const later = await sdk.get(logs, { logGroupName: 'g', logStreamName: 's', nextToken: got.nextForwardToken })
  assert.deepEqual(later.events.map((e) => e.message), ['three'])
  const back = await sdk.get(logs, { logGroupName: 'g', logStreamName: 's', nextToken: later.nextBackwardToken })
  assert.deepEqual(back.events.map((e) => e.message), ['one', 'zwei ü \u{1F980}\n'])
  await fails(server, 'GetLogEvents', { logGroupName: 'g', logStreamName: 's', nextToken: 'f/12' }, INVALID, 'The specified nextToken is invalid.')
  await fails(server, 'GetLogEvents', { logGroupName: 'g', logStreamName: 't' }, 'ResourceNotFoundException', 'The specified log stream does not exist.')
  logs.destroy()
  await quiet(server)
})

test('an empty stream can be followed from its beginning', async (t) => {
  const server = await start(t)
  for (const startFromHead of [true, false]) {
    const logStreamName = `s ${startFromHead}`
    await stream(server, 'g', logStreamName)
    const first = await ok(server, 'GetLogEvents', { logGroupName: 'g', logStreamName, startFromHead })
    assert.deepEqual(first.events, [])
    assert.ok(first.nextForwardToken && first.nextBackwardToken)
    await put(server, 'g', logStreamName, ['line'])
    const next = await ok(server, 'GetLogEvents', { logGroupName: 'g', logStreamName, nextToken: first.nextForwardToken, startFromHead })
    assert.deepEqual(next.events.map((e) => e.message), ['line'])
  }
  await quiet(server)
})

test('pages, late events, several streams, packed or not', async (t) => {
  const server = await start(t)
  const at = now(server) - 3600000
  const all = []
  for (const s of ['a', 'b', 'c']) {
    await stream(server, 'g', s)
    for (let batch = 0; batch < 6; batch++) {
      const list = Array.from({ length: 500 }, (_, i) => [`${s} ${batch} ${i} ${'x'.repeat(40)}`, at + batch * 5000 + i * 20 - (batch === 4 ? 86400000 : 0)])
      await put(server, 'g', s, list)
      all.push(...list.map(([message, time]) => ({ s, message, time })))
    }
  }
  const texts = (list) => list.sort((x, y) => x.time - y.time).map((e) => e.message)
  const check = async () => {
    assert.deepEqual((await messages(server, 'g')).sort(), all.map((e) => e.message).sort())
    const events = await filter(server, 'g', { limit: 777 })
    assert.equal(events.length, 9000)
    assert.equal(new Set(events.map((e) => e.eventId)).size, 9000)
    for (let i = 1; i < events.length; i++) assert.ok(events[i - 1].timestamp <= events[i].timestamp && events[i - 1].eventId < events[i].eventId)
    assert.deepEqual((await walk(server, 'g', 'b', { limit: 1000 })).sort(), all.filter((e) => e.s === 'b').map((e) => e.message).sort())
    assert.deepEqual((await walk(server, 'g', 'b', { limit: 700, startFromHead: false })), await walk(server, 'g', 'b'))
    const some = all.filter((e) => e.s !== 'b' && e.time >= at + 7000 && e.time <= at + 12000)
    assert.deepEqual((await messages(server, 'g', { logStreamNames: ['a', 'c'], startTime: at + 7000, endTime: at + 12000 })).sort(), texts(some).sort())
    assert.deepEqual(await messages(server, 'g', { logStreamNamePrefix: 'b', startTime: at + 7000, endTime: at + 7000 }),
      texts(all.filter((e) => e.s === 'b' && e.time === at + 7000)))
    assert.deepEqual(await messages(server, 'g', { logStreamNamePrefix: 'z' }), [])
    // The end is exclusive in GetLogEvents.
    assert.deepEqual(await walk(server, 'g', 'a', { startTime: at, endTime: at + 21 }), texts(all.filter((e) => e.s === 'a' && e.time >= at && e.time < at + 21)))
    return events.map((e) => e.eventId)
  }
  const ids = await check()
  await advance(server, 600000)
  await until('all is packed', async () => (await ok(server, 'DescribeLogGroups', {})).logGroups.find((g) => g.logGroupName === 'g').storedBytes > 0 &&
    (await server.counters()).logs_chunks_packed > 5)
  assert.deepEqual(await check(), ids) // ids are for ever
  await server.stop()
  server.skew = 0 // the clock begins again
  await server.restart()
  assert.deepEqual(await check(), ids)
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', logStreamNames: ['a'], logStreamNamePrefix: 'b' }, INVALID, /mutually exclusive/)
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', logStreamNames: ['a', 'zz'] }, 'ResourceNotFoundException', 'The specified log stream does not exist.')
  await fails(server, 'FilterLogEvents', { logGroupName: 'g', startTime: 5, endTime: 4 }, INVALID)
  await quiet(server)
})

test('limits of a put', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  const at = now(server)
  const request = (logEvents) => ({ logGroupName: 'g', logStreamName: 's', logEvents })
  await fails(server, 'PutLogEvents', request([{ timestamp: at, message: 'b' }, { timestamp: at - 1, message: 'a' }]), INVALID,
    'Log events in a single PutLogEvents request must be in chronological order.')
  await fails(server, 'PutLogEvents', request([{ timestamp: at - 86400001, message: 'a' }, { timestamp: at, message: 'b' }]), INVALID,
    'The batch of log events in a single PutLogEvents request cannot span more than 24 hours.')
  const most = 1048576 - 26
  await fails(server, 'PutLogEvents', request([{ timestamp: at, message: 'a'.repeat(most + 1) }]), INVALID, 'Log event too large: 1048577 bytes exceeds limit of 1048576')
  await fails(server, 'PutLogEvents', request([{ timestamp: at, message: 'a'.repeat(most - 26) }, { timestamp: at, message: 'b' }]), INVALID, 'Upload too large: 1048577 bytes exceeds limit of 1048576')
  await fails(server, 'PutLogEvents', request(Array.from({ length: 10001 }, () => ({ timestamp: at, message: 'a' }))), INVALID, /less than or equal to 10000/)
  await fails(server, 'PutLogEvents', request([]), INVALID, /'logEvents' failed to satisfy constraint/)
  await fails(server, 'PutLogEvents', request([{ timestamp: at, message: '' }]), INVALID, /message/)
  await fails(server, 'PutLogEvents', request([{ timestamp: -1, message: 'a' }]), INVALID, /timestamp/)
  await fails(server, 'PutLogEvents', { logGroupName: 'g', logStreamName: 'none', logEvents: [{ timestamp: at, message: 'a' }] }, 'ResourceNotFoundException',
    'The specified log stream does not exist.')
  assert.deepEqual(await messages(server, 'g'), [])
  await put(server, 'g', 's', [['a'.repeat(most), at]])
  assert.deepEqual((await messages(server, 'g')).map((m) => m.length), [most])
  await put(server, 'g', 's', Array.from({ length: 10000 }, (_, i) => [`${i}`, at + 1]))
  assert.equal((await filter(server, 'g')).length, 10001)
  await advance(server, 600000)
  await until('it is packed', async () => (await server.counters()).logs_chunks_packed > 1)
  assert.equal((await filter(server, 'g')).length, 10001)
  await quiet(server)
})

test('events out of the window are told, the others are stored', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  const at = now(server), day = 86400000
  const old = await put(server, 'g', 's', [['too old', at - 14 * day - 60000], ['old', at - 14 * day + 60000]])
  assert.deepEqual(old.rejectedLogEventsInfo, { tooOldLogEventEndIndex: 1 })
  const late = await put(server, 'g', 's', [['now', at], ['soon', at + 7100000], ['too new', at + 7300000], ['too new', at + 7300001]])
  assert.deepEqual(late.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 2 })
  const none = await put(server, 'g', 's', [['too new', at + 7300000]])
  assert.deepEqual(none.rejectedLogEventsInfo, { tooNewLogEventStartIndex: 0 })
  assert.deepEqual(await messages(server, 'g'), ['old', 'now', 'soon'])
  await quiet(server)
})
