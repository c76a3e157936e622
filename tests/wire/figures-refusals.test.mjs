// Figures of what goes wrong, each driven by what it counts: a consumer that falls behind, a queue for the disk that is full, bans and the other kinds of abuse; and the alarm on throttled tables,
// from the flood to ALARM and back.
// ME-6, ST-8, SE-8, AL-3; docs/figures.md
import test from 'node:test'
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { atEnd, request, start, until } from './lib/weir.mjs'
import { backend } from './lib/backend.mjs'
import { connect, refused } from './lib/client.mjs'
import { session } from './lib/http2.mjs'
import { seconds, secret, token } from './lib/token.mjs'
import { advance, credentials, ok } from './dynamodb/lib.mjs'
import { client, minute, values } from './cloudwatch/lib.mjs'
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch'

/** A server, and reaches(): until the statistic over the last half hour is as wanted. The clients go with each move of the clock: their signatures are of its time. */
async function open(t, options) {
  const server = await start(t, options)
  let cloudwatch = client(server)
  atEnd(t, () => cloudwatch.destroy())
  const house = {
    server,
    advance: async (ms) => {
      await advance(server, ms)
      cloudwatch.destroy()
      cloudwatch = client(server)
    },
    alarm: async (name) => (await cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames: [name] }))).MetricAlarms[0],
    reaches: (space, name, pairs, wanted, Stat = 'Sum') => until(`${space} ${name} ${JSON.stringify(pairs)} ${Stat}`, async () => {
      const all = await values(cloudwatch, space, name, Stat, await minute(server, -30), await minute(server, 2), { Dimensions: Object.entries(pairs).map(([Name, Value]) => ({ Name, Value })) })
      const value = Stat === 'Maximum' ? Math.max(0, ...all) : all.reduce((sum, each) => sum + each, 0)
      if (typeof wanted === 'function' ? wanted(value) : value === wanted) return value
      throw new Error(`it is ${value}`)
    }, { every: 200, within: 60000 }),
  }
  return house
}

test('IteratorAge: how old the oldest record was when a consumer was done with it', async (t) => {
  let works = false
  const back = await backend(t, () => (works ? '{}' : { status: 500 }))
  const house = await open(t, { config: `
apis:
  shop:
    tables:
      orders: { hash: id S, changes: true }
    streams:
      - { table: orders, url: "${back.url}/hook", name: watch, start: TRIM_HORIZON, retries: 1000 }
    routes:
      $default: ${back.url}/route
` })
  const put = (id) => ok(house.server, 'PutItem', { TableName: 'orders', Item: { id: { S: id } } })
  const function_ = { FunctionName: 'shop-watch' }
  await put('one')
  await back.event('/hook')
  for (let i = 0; i < 4; i++) await house.advance(30000) // it is tried again and again, and the record grows old
  works = true
  await until('the record is taken', async () => {
    await house.advance(1000)
    return (await house.server.counters()).stream_records >= 1
  }, { within: 60000 })
  const old = await house.reaches('AWS/Lambda', 'IteratorAge', function_, (age) => age >= 120000, 'Maximum')
  assert.ok(old < 10 * 60000, `${old} ms`)
  const samples = await house.reaches('AWS/Lambda', 'IteratorAge', function_, (count) => count >= 1, 'SampleCount')
  await put('two')
  await house.reaches('AWS/Lambda', 'IteratorAge', function_, (count) => count > samples, 'SampleCount')
  assert.equal(await house.reaches('AWS/Lambda', 'IteratorAge', function_, (age) => age >= 120000, 'Maximum'), old, 'the young one is not older')
})

/** More scans at once than may wait for a worker: how many were answered, and how many throttled. One signature does for all of them, since they are the same request. */
async function flood(t, server, TableName, count) {
  const body = JSON.stringify({ TableName, Select: 'COUNT', FilterExpression: 'contains(filler, :no)', ExpressionAttributeValues: { ':no': { S: 'no such text' } } })
  const { host, hostname, port } = new URL(server.http)
  const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'dynamodb', sha256: Sha256 })
  const { headers } = await signer.sign({
    method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', query: {}, body,
    headers: { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.Scan' },
  }, { signingDate: new Date(Date.now() + (server.skew ?? 0)) })
  delete headers.host
  const sessions = await Promise.all(Array.from({ length: Math.ceil(count / 100) }, () => session(server)))
  const asked = Array.from({ length: count }, (_, i) => new Promise((resolve, reject) => {
    const stream = sessions[i % sessions.length].client.request({ ':method': 'POST', ':path': '/', ...headers })
    let status, text = ''
    stream.on('response', (fields) => (status = fields[':status']))
    stream.on('data', (piece) => (text += piece))
    stream.on('error', reject)
    stream.on('close', () => resolve({ status, text }))
    stream.end(body)
  }))
  const answers = await Promise.all(asked)
  for (const each of sessions) await each.close()
  const throttled = answers.filter(({ text }) => /ThrottlingException/.test(text))
  assert.ok(throttled.every(({ status }) => status === 400))
  assert.equal(answers.filter(({ status }) => status === 200).length + throttled.length, count, `${[...new Set(answers.map(({ status, text }) => `${status} ${text.slice(0, 200)}`))]}`)
  return throttled.length
}

test('ThrottledRequests, and the alarm on a throttled table (AL-3)', async (t) => {
  const house = await open(t, { config: 'apps: [riddle_rush]\n' })
  const { server } = house, TableName = 'riddle-rush-users-dev', name = 'riddle-rush-users-throttles-dev'
  for (let i = 0; i < 40; i++)
    await ok(server, 'BatchWriteItem', { RequestItems: { [TableName]: Array.from({ length: 25 }, (_, j) => ({ PutRequest: { Item: { userId: { S: `user${i}-${j}` }, filler: { S: 'x'.repeat(1000) } } } })) } })
  assert.notEqual((await house.alarm(name)).StateValue, 'ALARM')
  let throttled = 0
  for (let round = 0; round < 10 && !throttled; round++) throttled += await flood(t, server, TableName, 1600)
  assert.ok(throttled > 0, 'more requests than may wait')
  await house.reaches('AWS/DynamoDB', 'ThrottledRequests', { TableName }, throttled)
  await house.reaches('AWS/DynamoDB', 'ThrottledRequests', {}, throttled)
  await until('the alarm', async () => {
    await house.advance(60000)
    return (await house.alarm(name)).StateValue === 'ALARM'
  }, { every: 100 })
  assert.notEqual((await house.alarm('riddle-rush-leaderboard-throttles-dev')).StateValue, 'ALARM')
  await until('all is well again', async () => {
    await house.advance(60000)
    return (await house.alarm(name)).StateValue === 'OK'
  }, { every: 100, within: 60000 })
})

test('bans, and the other kinds of abuse', async (t) => {
  const house = await open(t, { env: { JWT_SECRET: secret }, config: `
apps:
  echo:
    origins: ["https://good.example"]
    rates: { connection: 6/m burst 3 }
    ban: { after: 10, for: 5m }
  iops-dashboard:
    auth: jwt
` })
  const { server } = house, api = { ApiId: 'echo' }
  const abuser = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 40; i++) abuser.send('spam')
  assert.equal((await abuser.closed()).code, 1008)
  await house.reaches('Weir', 'Abuse', { ...api, Kind: 'Ban' }, 1)
  assert.equal((await server.counters()).gw_bans, 1)
  await house.advance(5 * 60000)
  assert.equal((await refused(`${server.ws}/echo`, { origin: 'https://evil.example' })).status, 403)
  await house.reaches('Weir', 'Abuse', { ...api, Kind: 'RefusedOrigin' }, 1)
  const hits = await house.reaches('Weir', 'Abuse', { ...api, Kind: 'LimitHit' }, (n) => n >= 10)
  await house.reaches('Weir', 'Abuse', api, hits + 2)
})

test('somebody else\'s name is abuse', async (t) => {
  const house = await open(t, { env: { JWT_SECRET: secret }, config: 'apps:\n  riddle_rush:\n    auth: jwt\n    jwt: { secretEnv: JWT_SECRET }\n' })
  const { server } = house, exp = seconds(await server.now(), 3600)
  const ada = await connect(`${server.ws}/riddle-rush?token=${token({ sub: 'ada', exp })}`)
  assert.equal((await ada.ask({ action: 'logPerformance', data: { userId: 'bob', metricName: 'm', duration: 1, timestamp: 1 } })).type, 'error')
  await house.reaches('Weir', 'Abuse', { ApiId: 'riddle-rush', Kind: 'IdentityMismatch' }, 1)
  assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  await ada.close(1000)
})
