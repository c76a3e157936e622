// StartLiveTail: an answer of events that goes on while they come, by the SDK and by boto3's rules of the stream.
import test from 'node:test'
import assert from 'node:assert/strict'
import { StartLiveTailCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, start, until, within } from '../lib/weir.mjs'
import { advance, client, fails, INVALID, NOT_FOUND, ok, put, stream } from './lib.mjs'

const arn = (name) => `arn:aws:logs:us-east-1:123456789012:log-group:${name}`

/** A session that gathers what comes. */
async function tail(logs, input) {
  const abort = new AbortController()
  const { responseStream } = await logs.send(new StartLiveTailCommand(input), { abortSignal: abort.signal })
  const seen = { starts: [], updates: 0, events: [], error: undefined }
  seen.done = (async () => {
    try {
      for await (const event of responseStream) {
        if (event.sessionStart) seen.starts.push(event.sessionStart)
        if (event.sessionUpdate) {
          seen.updates++
          seen.events.push(...event.sessionUpdate.sessionResults)
        }
      }
    } catch (error) {
      seen.error = error
    }
  })()
  seen.stop = () => abort.abort()
  return seen
}

test('what comes is told', async (t) => {
  const server = await start(t)
  const logs = client(server, { disableHostPrefix: true })
  await stream(server, 'a', 's1')
  await ok(server, 'CreateLogStream', { logGroupName: 'a', logStreamName: 's2' })
  await stream(server, 'b', 's')
  await put(server, 'a', 's1', ['ERROR before'])
  const all = await tail(logs, { logGroupIdentifiers: [arn('a'), arn('b')], logEventFilterPattern: 'ERROR' })
  const one = await tail(logs, { logGroupIdentifiers: [arn('a')], logStreamNamePrefixes: ['s2'] })
  await until('the start', () => all.starts.length && one.starts.length)
  assert.deepEqual(all.starts[0].logGroupIdentifiers, [arn('a'), arn('b')])
  assert.equal(all.starts[0].logEventFilterPattern, 'ERROR')
  assert.match(all.starts[0].sessionId, /^[0-9a-f-]{36}$/)
  await put(server, 'a', 's1', ['ERROR 1', 'fine'])
  await put(server, 'a', 's2', ['fine too'])
  await put(server, 'b', 's', ['ERROR 2'])
  await until('two events', () => all.events.length === 2)
  assert.deepEqual(all.events.map((e) => [e.message, e.logGroupIdentifier, e.logStreamName]).sort(), [['ERROR 1', arn('a'), 's1'], ['ERROR 2', arn('b'), 's']])
  await until('the other stream', () => one.events.length === 1)
  assert.equal(one.events[0].message, 'fine too')
  const { updates } = all
  await until('empty updates', () => all.updates > updates + 1)
  assert.equal(all.events.length, 2)
  one.stop()
  await within('the end', one.done)
  await advance(server, 3 * 3600000)
  await within('the time-out', all.done)
  assert.equal(all.error?.name, 'SessionTimeoutException')
  logs.destroy()
  await quiet(server)
})

test('what is refused', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  const refused = (body, name, message) => fails(server, 'StartLiveTail', body, name, message)
  await refused({ logGroupIdentifiers: [arn('none')] }, NOT_FOUND, 'The specified log group does not exist.')
  await refused({ logGroupIdentifiers: [] }, INVALID)
  await refused({ logGroupIdentifiers: [arn('g')], logStreamNames: ['a'], logStreamNamePrefixes: ['b'] }, INVALID)
  await refused({ logGroupIdentifiers: [arn('g'), arn('h')], logStreamNames: ['a'] }, INVALID)
  await refused({ logGroupIdentifiers: [arn('g')], logEventFilterPattern: '{' }, INVALID)
  await ok(server, 'CreateLogGroup', { logGroupName: 'rare', logGroupClass: 'INFREQUENT_ACCESS' })
  await refused({ logGroupIdentifiers: [arn('rare')] }, 'InvalidOperationException')
  await quiet(server)
})
