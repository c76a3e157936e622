// Clients of the Logs wire: the SDK as people use it, and signed requests that no SDK would send.
import assert from 'node:assert/strict'
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, FilterLogEventsCommand, GetLogEventsCommand, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { call as signed, credentials } from '../dynamodb/lib.mjs'

export { advance } from '../dynamodb/lib.mjs'

export function client(server, options = {}) {
  const made = new CloudWatchLogsClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1, ...options })
  // Requests are signed with the server's time when a test has moved its clock.
  made.config.systemClockOffset = server.skew ?? 0
  return made
}

/** A signed POST in JSON: {status, headers, body, json}. */
export function call(server, operation, body = {}, { headers = {}, ...options } = {}) {
  return signed(server, operation, body, {
    service: 'logs', headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}`, ...headers }, ...options,
  })
}

/** The answer of a call that must succeed; undefined when its body is empty. */
export async function ok(server, operation, body) {
  const answer = await call(server, operation, body)
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.body ? answer.json : undefined
}

/** The error of a call that must fail. */
export async function fails(server, operation, body, name, message) {
  const answer = await call(server, operation, body)
  const what = `${operation} ${JSON.stringify(body).slice(0, 300)}: ${answer.status} ${answer.body.slice(0, 1000)}`
  assert.equal(answer.status, 400, what)
  assert.equal(answer.json.__type, name, what)
  if (message instanceof RegExp) assert.match(answer.json.message, message, what)
  else if (message !== undefined) assert.equal(answer.json.message, message, what)
  return answer.json
}

export const NOT_FOUND = 'ResourceNotFoundException'
export const INVALID = 'InvalidParameterException'
export const EXISTS = 'ResourceAlreadyExistsException'

export const now = (server) => Date.now() + (server.skew ?? 0)

export async function stream(server, logGroupName, logStreamName) {
  const made = await call(server, 'CreateLogGroup', { logGroupName })
  assert.ok(made.status === 200 || made.json.__type === EXISTS, made.body)
  await ok(server, 'CreateLogStream', { logGroupName, logStreamName })
}

/** messages: texts, or [text, timestamp]. */
export const put = (server, logGroupName, logStreamName, messages) => ok(server, 'PutLogEvents', {
  logGroupName, logStreamName, logEvents: messages.map((m) => (Array.isArray(m) ? { message: m[0], timestamp: m[1] } : { message: m, timestamp: now(server) })),
})

/** Every page of a filter: the events. */
export async function filter(server, logGroupName, more = {}) {
  const events = []
  for (let nextToken, pages = 0; ; pages++) {
    assert.ok(pages < 1000, 'it ends')
    const page = await ok(server, 'FilterLogEvents', { logGroupName, ...more, nextToken })
    events.push(...page.events)
    if (!page.nextToken) return events
    nextToken = page.nextToken
  }
}
export const messages = async (...args) => (await filter(...args)).map((event) => event.message)

/** A stream from its head, or from its end upwards, by GetLogEvents: the messages, in the order in which they came. */
export async function walk(server, logGroupName, logStreamName, { startFromHead = true, ...more } = {}) {
  const texts = []
  for (let nextToken, pages = 0; ; pages++) {
    assert.ok(pages < 1000, 'it ends')
    const page = await ok(server, 'GetLogEvents', { logGroupName, logStreamName, startFromHead, ...more, nextToken })
    const list = page.events.map((event) => event.message)
    if (startFromHead) texts.push(...list)
    else texts.unshift(...list)
    const next = startFromHead ? page.nextForwardToken : page.nextBackwardToken
    assert.match(next, /^[fb]\/\d{56}$/)
    if (next === nextToken) return texts
    nextToken = next
  }
}

export const sdk = {
  createGroup: (logs, input) => logs.send(new CreateLogGroupCommand(input)),
  createStream: (logs, input) => logs.send(new CreateLogStreamCommand(input)),
  put: (logs, input) => logs.send(new PutLogEventsCommand(input)),
  get: (logs, input) => logs.send(new GetLogEventsCommand(input)),
  filter: (logs, input) => logs.send(new FilterLogEventsCommand(input)),
}
