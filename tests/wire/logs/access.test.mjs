// What a key may do with logs: policies name a group by its ARN with ":*" behind it, and streams below it, as those of AWS do.
import test from 'node:test'
import assert from 'node:assert/strict'
import { start } from '../lib/weir.mjs'
import { call, now } from './lib.mjs'

const config = `
keys:
  - {id: owner, secret: the owner's secret}
  - id: reader
    secret: the reader's secret
    policy:
      - {actions: ["logs:FilterLogEvents", "logs:GetLogEvents"], resources: "arn:aws:logs:us-east-1:123456789012:log-group:/open:*"}
      - {actions: "logs:PutLogEvents", resources: "arn:aws:logs:us-east-1:123456789012:log-group:/open:log-stream:mine"}
`
const owner = { accessKeyId: 'owner', secretAccessKey: "the owner's secret" }
const reader = { accessKeyId: 'reader', secretAccessKey: "the reader's secret" }

test('a reader of one group', async (t) => {
  const server = await start(t, { config })
  const as = async (keys, operation, body) => {
    const answer = await call(server, operation, body, { keys })
    return answer.status === 200 ? answer.body && answer.json : answer.json.__type
  }
  for (const logGroupName of ['/open', '/shut']) {
    assert.equal(await as(owner, 'CreateLogGroup', { logGroupName }), '')
    for (const logStreamName of ['mine', 'other']) assert.equal(await as(owner, 'CreateLogStream', { logGroupName, logStreamName }), '')
  }
  const events = (logGroupName, logStreamName) => ({ logGroupName, logStreamName, logEvents: [{ timestamp: now(server), message: 'hello' }] })
  assert.ok((await as(reader, 'PutLogEvents', events('/open', 'mine'))).nextSequenceToken)
  assert.equal((await as(reader, 'FilterLogEvents', { logGroupName: '/open' })).events.length, 1)
  assert.equal((await as(reader, 'GetLogEvents', { logGroupIdentifier: 'arn:aws:logs:us-east-1:123456789012:log-group:/open', logStreamName: 'mine' })).events.length, 1)
  for (const [operation, body] of [
    ['FilterLogEvents', { logGroupName: '/shut' }], ['FilterLogEvents', { logGroupIdentifier: 'arn:aws:logs:us-east-1:123456789012:log-group:/shut' }],
    ['FilterLogEvents', { logGroupName: '/none' }], ['PutLogEvents', events('/open', 'other')], ['PutLogEvents', events('/shut', 'mine')], ['DeleteLogGroup', { logGroupName: '/open' }],
    ['DescribeLogGroups', {}], ['ListTagsForResource', { resourceArn: 'arn:aws:logs:us-east-1:123456789012:log-group:/open' }], ['CreateLogGroup', { logGroupName: '/mine' }],
  ]) assert.equal(await as(reader, operation, body), 'AccessDeniedException', `${operation} ${JSON.stringify(body)}`)
})
