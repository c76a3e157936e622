// Groups and streams: made, listed in pages, described, tagged, kept for a while, deleted; and what is refused. LG-2, LG-3.
import test from 'node:test'
import assert from 'node:assert/strict'
import { DescribeLogGroupsCommand, DescribeLogStreamsCommand, ListTagsForResourceCommand, PutRetentionPolicyCommand, TagResourceCommand } from '@aws-sdk/client-cloudwatch-logs'
import { quiet, start, until } from '../lib/weir.mjs'
import { advance, client, EXISTS, fails, filter, INVALID, messages, NOT_FOUND, now, ok, put, sdk, stream } from './lib.mjs'

const arn = (name) => `arn:aws:logs:us-east-1:123456789012:log-group:${name}`

test('groups', async (t) => {
  const server = await start(t)
  const logs = client(server)
  await sdk.createGroup(logs, { logGroupName: '/aws/lambda/riddle-rush', tags: { team: 'games' } })
  await fails(server, 'CreateLogGroup', { logGroupName: '/aws/lambda/riddle-rush' }, EXISTS, 'The specified log group already exists')
  for (let i = 0; i < 60; i++) await ok(server, 'CreateLogGroup', { logGroupName: `many/${String(i).padStart(2, '0')}` })
  const [group] = (await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda' }))).logGroups
  assert.equal(group.logGroupName, '/aws/lambda/riddle-rush')
  assert.equal(group.arn, `${arn(group.logGroupName)}:*`)
  assert.equal(group.logGroupArn, arn(group.logGroupName))
  assert.equal(group.retentionInDays, undefined)
  assert.equal(group.storedBytes, 0)
  assert.equal(group.metricFilterCount, 0)
  assert.equal(group.logGroupClass, 'STANDARD')
  assert.ok(Math.abs(group.creationTime - Date.now()) < 60000)

  const names = []
  for (let nextToken; ;) {
    const page = await ok(server, 'DescribeLogGroups', { logGroupNamePrefix: 'many/', limit: 7, nextToken })
    assert.ok(page.logGroups.length <= 7)
    names.push(...page.logGroups.map((g) => g.logGroupName))
    if (!page.nextToken) break
    nextToken = page.nextToken
  }
  assert.deepEqual(names, Array.from({ length: 60 }, (_, i) => `many/${String(i).padStart(2, '0')}`))
  assert.equal((await ok(server, 'DescribeLogGroups', { logGroupNamePrefix: 'many/' })).logGroups.length, 50)
  assert.deepEqual((await ok(server, 'DescribeLogGroups', { logGroupNamePattern: 'lambda/riddle' })).logGroups.map((g) => g.logGroupName), ['/aws/lambda/riddle-rush'])
  assert.deepEqual((await ok(server, 'DescribeLogGroups', { logGroupNamePattern: 'RIDDLE' })).logGroups, []) // case matters
  await fails(server, 'CreateLogGroup', { logGroupName: 'aws/mine' }, INVALID, 'Log groups starting with AWS/ are reserved for AWS.')
  assert.deepEqual((await ok(server, 'DescribeLogGroups', { logGroupIdentifiers: [arn('many/03'), 'many/04'] })).logGroups.map((g) => g.logGroupName), ['many/03', 'many/04'])
  await fails(server, 'DescribeLogGroups', { logGroupNamePrefix: 'a', logGroupNamePattern: 'b' }, INVALID, /mutually exclusive/)
  await fails(server, 'DescribeLogGroups', { nextToken: 'nonsense' }, INVALID, 'The specified nextToken is invalid.')
  await fails(server, 'DescribeLogGroups', { limit: 51 }, INVALID, /Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50/)

  await logs.send(new PutRetentionPolicyCommand({ logGroupName: group.logGroupName, retentionInDays: 7 }))
  assert.equal((await ok(server, 'DescribeLogGroups', { logGroupNamePrefix: '/aws' })).logGroups[0].retentionInDays, 7)
  await fails(server, 'PutRetentionPolicy', { logGroupName: group.logGroupName, retentionInDays: 8 }, INVALID, /retentionInDays/)
  await ok(server, 'DeleteRetentionPolicy', { logGroupName: group.logGroupName })
  assert.equal((await ok(server, 'DescribeLogGroups', { logGroupNamePrefix: '/aws' })).logGroups[0].retentionInDays, undefined)

  await ok(server, 'TagLogGroup', { logGroupName: group.logGroupName, tags: { stage: 'dev', team: 'fun' } })
  await logs.send(new TagResourceCommand({ resourceArn: arn(group.logGroupName), tags: { owner: 'me' } }))
  assert.deepEqual((await logs.send(new ListTagsForResourceCommand({ resourceArn: `${arn(group.logGroupName)}:*` }))).tags, { team: 'fun', stage: 'dev', owner: 'me' })
  await ok(server, 'UntagLogGroup', { logGroupName: group.logGroupName, tags: ['team', 'unknown'] })
  await ok(server, 'UntagResource', { resourceArn: arn(group.logGroupName), tagKeys: ['owner'] })
  assert.deepEqual((await ok(server, 'ListTagsLogGroup', { logGroupName: group.logGroupName })).tags, { stage: 'dev' })
  await fails(server, 'TagLogGroup', { logGroupName: group.logGroupName, tags: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`t${i}`, 'x'])) }, 'TooManyTagsException')

  for (const name of ['', 'a b', 'a:b', 'ü', 'n'.repeat(513)]) await fails(server, 'CreateLogGroup', { logGroupName: name }, INVALID, /'logGroupName' failed to satisfy constraint/)
  await fails(server, 'CreateLogGroup', {}, INVALID, /Value null at 'logGroupName' failed to satisfy constraint: Member must not be null/)
  for (const [operation, more] of [['DeleteLogGroup'], ['PutRetentionPolicy', { retentionInDays: 1 }], ['CreateLogStream', { logStreamName: 's' }], ['DescribeLogStreams'],
    ['GetLogEvents', { logStreamName: 's' }], ['FilterLogEvents'], ['PutLogEvents', { logStreamName: 's', logEvents: [{ timestamp: 1, message: 'm' }] }], ['ListTagsLogGroup']])
    await fails(server, operation, { logGroupName: 'nothing', ...more }, NOT_FOUND, 'The specified log group does not exist.')
  logs.destroy()
  await quiet(server)
})

test('streams', async (t) => {
  const server = await start(t)
  const logs = client(server)
  const logGroupName = 'g'
  for (let i = 0; i < 12; i++) await stream(server, logGroupName, `2024/[$LATEST]${String(i).padStart(2, '0')}`)
  await stream(server, logGroupName, 'other')
  await fails(server, 'CreateLogStream', { logGroupName, logStreamName: 'other' }, EXISTS, 'The specified log stream already exists')
  await fails(server, 'CreateLogStream', { logGroupName, logStreamName: 'a:b' }, INVALID, /'logStreamName' failed to satisfy constraint/)
  const at = now(server)
  for (const [i, ms] of [[3, 0], [7, 5000], [1, 9000]]) await put(server, logGroupName, `2024/[$LATEST]${String(i).padStart(2, '0')}`, [['x', at - ms], ['y', at - ms + 1]])
  const pages = async (more) => {
    const found = []
    for (let nextToken; ;) {
      const page = await logs.send(new DescribeLogStreamsCommand({ logGroupName, limit: 5, nextToken, ...more }))
      found.push(...page.logStreams)
      if (!page.nextToken) return found
      nextToken = page.nextToken
    }
  }
  const all = await pages({})
  assert.deepEqual(all.map((s) => s.logStreamName), [...Array.from({ length: 12 }, (_, i) => `2024/[$LATEST]${String(i).padStart(2, '0')}`), 'other'])
  assert.deepEqual((await pages({ descending: true })).map((s) => s.logStreamName), all.map((s) => s.logStreamName).reverse())
  assert.equal((await pages({ logStreamNamePrefix: '2024' })).length, 12)
  const byTime = await pages({ orderBy: 'LastEventTime', descending: true })
  assert.deepEqual(byTime.slice(0, 3).map((s) => s.logStreamName.slice(-2)), ['03', '07', '01'])
  assert.equal(byTime.length, 13)
  assert.equal(byTime[0].firstEventTimestamp, at)
  assert.equal(byTime[0].lastEventTimestamp, at + 1)
  assert.ok(Math.abs(byTime[0].lastIngestionTime - at) < 60000)
  assert.equal(byTime[0].arn, `${arn(logGroupName)}:log-stream:${byTime[0].logStreamName}`)
  assert.equal(byTime[12].firstEventTimestamp, undefined)
  assert.equal((await ok(server, 'DescribeLogStreams', { logGroupIdentifier: arn(logGroupName), limit: 1 })).logStreams.length, 1)
  await fails(server, 'DescribeLogStreams', { logGroupName, logGroupIdentifier: 'g' }, INVALID, /mutually exclusive/)
  await fails(server, 'DescribeLogStreams', { logGroupName, orderBy: 'LastEventTime', logStreamNamePrefix: '2' }, INVALID, 'Cannot order by LastEventTime with a logStreamNamePrefix.')

  await ok(server, 'DeleteLogStream', { logGroupName, logStreamName: '2024/[$LATEST]07' })
  await fails(server, 'DeleteLogStream', { logGroupName, logStreamName: '2024/[$LATEST]07' }, NOT_FOUND, 'The specified log stream does not exist.')
  assert.deepEqual(await messages(server, logGroupName), ['x', 'y', 'x', 'y'])
  await ok(server, 'DeleteLogGroup', { logGroupName })
  // Its successor has nothing of it.
  await stream(server, logGroupName, 'other')
  assert.deepEqual(await filter(server, logGroupName), [])
  assert.equal((await pages({})).length, 1)
  logs.destroy()
  await quiet(server)
})

test('retention', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  const at = now(server)
  await put(server, 'g', 's', [['old', at - 60000], ['new', at]])
  await ok(server, 'PutRetentionPolicy', { logGroupName: 'g', retentionInDays: 1 })
  await advance(server, 86400000 - 30000)
  assert.deepEqual(await messages(server, 'g'), ['new'])
  const put2 = await ok(server, 'PutLogEvents', { logGroupName: 'g', logStreamName: 's', logEvents: [{ timestamp: at - 60000, message: 'gone' }, { timestamp: at + 60000, message: 'kept' }] })
  assert.deepEqual(put2.rejectedLogEventsInfo, { expiredLogEventEndIndex: 1 })
  await advance(server, 86400000 * 2)
  assert.deepEqual(await messages(server, 'g'), [])
  await until('what retention has passed over is deleted', async () => {
    await advance(server, 3600000)
    return (await ok(server, 'DescribeLogGroups', {})).logGroups.find((g) => g.logGroupName === 'g').storedBytes === 0 && (await server.counters()).logs_events_expired >= 3
  })
  await quiet(server)
})
