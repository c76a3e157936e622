// weir cost: the documents' worked examples as they are written, and the bill of real traffic, to the message.
// CO-1 … CO-7, X-11
import test from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { request, run, start, temporaryFolder, until } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { ok, table } from './dynamodb/lib.mjs'

const json = async (args, options) => {
  const { code, stdout, stderr } = await run(['cost', '--format', 'json', ...args], options)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}
const near = (a, b) => assert.ok(Math.abs(a - b) <= 1e-9 * (1 + Math.abs(b)), `${a} is ${b}`)
const line = (report, name) => report.services.flatMap((service) => service.lines).find((one) => one.name === name)

test('CO-5 as it is written, with what it omits', async () => {
  const { code, stdout } = await run(['cost', '--example', 'CO-5'])
  assert.equal(code, 0)
  for (const [text, amount, money] of [['write request units', '1000000', '1.25'], ['read request units', '500000', '0.13'], ['messages, in and out', '500000', '0.50'], ['requests', '1000000', '0.20'], ['logs ingested, GB', '5', '1.50']])
    assert.match(stdout, new RegExp(`^  ${text} +${amount}  at .* \\$${money.replace('.', '\\.')}$`, 'm'))
  assert.match(stdout, /^Sum +\$3\.58$/m)
  assert.match(stdout, /^Without connection minutes +\$3\.58$/m)
  assert.match(stdout, /The document says ~\$3\.58\/month\.\nIt omits connection minutes: 43200000 if all 1,000 users stayed connected for the month, \$10\.80; with them the sum is \$14\.38\./)
  const report = await json(['--example', 'co-5'])
  near(report.cost, 3.575)
  near(report.example.omits.cost, 10.8)
  near(report.example.omits.withIt, 14.375)
})

test('CO-7 lies within its range, connection minutes included', async () => {
  const { stdout } = await run(['cost', '--example', 'CO-7'])
  assert.match(stdout, /^ {2}connection minutes +43200000 .* \$10\.80$/m)
  assert.match(stdout, /^Sum +\$19\.44$/m)
  assert.match(stdout, /^Without connection minutes +\$8\.64$/m)
  const report = await json(['--example', 'CO-7'])
  assert.ok(report.cost >= 10 && report.cost <= 20)
  assert.equal(report.example.omits, undefined)
})

test('the prices are the documents\' unless the configuration says otherwise', async (t) => {
  const folder = temporaryFolder(t), usage = path.join(folder, 'usage.json'), config = path.join(folder, 'weir.yaml')
  writeFileSync(usage, JSON.stringify({ messages: 1e6, connectionMinutes: 1e6, invocations: 1e6, gbSeconds: 1e6, writes: 1e6, reads: 1e6, storageGbMonths: 1, logGb: 1, logArchiveGb: 1 }))
  const given = await json(['--usage', usage])
  assert.deepEqual(given.services.map(({ name, lines }) => [name, lines.map((one) => [one.name, one.price, one.source])]), [
    ['API Gateway', [['messages', 1, 'CO-1'], ['connectionMinutes', 0.25, 'CO-1']]],
    ['Lambda', [['invocations', 0.2, 'CO-2'], ['gbSeconds', 0.0000166667, 'CO-2']]],
    ['DynamoDB', [['writes', 1.25, 'CO-3'], ['reads', 0.25, 'CO-3'], ['storageGbMonths', 0.25, 'CO-3']]],
    ['CloudWatch', [['logGb', 0.3, 'CO-4'], ['logArchiveGb', 0.03, 'CO-4']]],
  ])
  near(given.cost, 1 + 0.25 + 0.2 + 16.6667 + 1.25 + 0.25 + 0.25 + 0.3 + 0.03)
  near(given.withoutConnectionMinutes, given.cost - 0.25)
  writeFileSync(config, 'cost: {prices: {writes: 0.625, messages: 0}}\n')
  near((await json(['--usage', usage, '--config', config])).cost, given.cost - 0.625 - 1)
  writeFileSync(config, 'cost: {prices: {writes: -1, masages: 2}, memory: 1MB}\n')
  const bad = await run(['cost', '--usage', usage, '--config', config])
  assert.equal(bad.code, 3)
  for (const what of [/'writes' is a price/, /'masages'.*did you mean/s, /'memory'/]) assert.match(bad.stderr, what)
})

test('what is not understood is said', async (t) => {
  const file = path.join(temporaryFolder(t), 'usage.json')
  for (const [text, what] of [['{"massages":1}', /'massages' is not an amount/], ['{"writes":-1}', /'writes' is a number from 0 on/], ['[', /./]]) {
    writeFileSync(file, text)
    const { code, stderr } = await run(['cost', '--usage', file])
    assert.equal(code, 3, text)
    assert.match(stderr, what)
  }
  for (const args of [['--example', 'CO-9'], ['--example', 'CO-5', '--period', '1d'], ['--format', 'xml'], ['--config', 'x'], ['--period', 'a&b=c']]) assert.equal((await run(['cost', ...args])).code, 2, args.join(' '))
  assert.equal((await run(['cost', '--endpoint', 'http://127.0.0.1:1'])).code, 10)
})

/** The report, once it has what `enough` wants. */
const reported = (server, enough, query = '') => until('the figures', async () => {
  const { status, json: report } = await request(server, 'GET', `/@cost${query}`)
  assert.equal(status, 200)
  return enough(report) && report
})

test('the bill of real traffic, to the message', async (t) => {
  const server = await start(t)
  const ada = await connect(`${server.ws}/riddle-rush?userId=ada`), bob = await connect(`${server.ws}/echo`)
  for (let i = 0; i < 7; i++) assert.equal((await ada.ask({ action: 'updateLeaderboard', data: { gameMode: 'classic', score: i, playerName: 'Ada' } })).type, 'ack')
  for (let i = 0; i < 5; i++) {
    bob.send('hello')
    assert.equal(await bob.text(), 'hello')
  }
  await table(server, 'loose')
  for (let i = 0; i < 3; i++) await ok(server, 'PutItem', { TableName: 'loose', Item: { id: { S: `${i}` } } })
  await ok(server, 'GetItem', { TableName: 'loose', Key: { id: { S: '1' } }, ConsistentRead: true })
  const of = (report, name) => report.applications.find((one) => one.name === name)?.usage
  const report = await reported(server, (now) => of(now, 'riddle-rush')?.messages >= 14 && of(now, 'echo')?.messages >= 10 && of(now, '')?.writes >= 3 && of(now, '')?.reads >= 1 && of(now, 'riddle-rush').writes >= 7)
  assert.equal(of(report, 'riddle-rush').messages, 14) // seven in, seven acknowledgements
  assert.equal(of(report, 'echo').messages, 10)
  assert.equal(of(report, '').writes, 3)
  assert.equal(of(report, '').reads, 1)
  assert.ok(of(report, 'riddle-rush').invocations >= 7)
  assert.ok(of(report, 'riddle-rush').gbSeconds >= of(report, 'riddle-rush').invocations / 1000 / 2 * 0.999, 'a millisecond of 512 MB each, at least')
  near(line(report, 'messages').usage, 24)
  near(line(report, 'messages').cost, 24e-6)
  near(report.cost, report.services.reduce((sum, service) => sum + service.cost, 0))
  near(report.cost, report.applications.reduce((sum, application) => sum + application.cost, 0))
  assert.equal(report.complete, true)

  // The command says the same.
  const told = await json(['--endpoint', server.http, '--period', '1d'])
  assert.equal(line(told, 'messages').usage, 24)
  const { stdout } = await run(['cost', '--endpoint', server.http])
  assert.match(stdout, /^ {2}messages, in and out +24 .* \$0\.000024$/m)
  assert.match(stdout, /^ {2}riddle-rush +\$/m)
  assert.match(stdout, /^ {2}\(no application\) +\$/m)

  // Two sockets for an hour: 120 connection minutes.
  await server.advance(3600_000)
  const later = await reported(server, (now) => line(now, 'connectionMinutes').usage >= 120)
  assert.ok(line(later, 'connectionMinutes').usage < 123, `${line(later, 'connectionMinutes').usage}`)
  near(later.cost - later.withoutConnectionMinutes, line(later, 'connectionMinutes').usage * 0.25e-6)
  await ada.close()
  await bob.close()

  // A period that ended before there was anything, and one that begins behind it.
  const now = await server.now()
  near((await reported(server, () => true, `?to=${now - 7200_000}&period=1h`)).cost, 0)
  assert.equal(line(await reported(server, () => true, `?from=${now - 300_000}`), 'messages').usage, 0)
})

test('who may ask, and for what', async (t) => {
  const server = await start(t, { config: 'keys:\n  - {id: AKBILL, secret: s3cret, policy: [{actions: "execute-api:GetCost"}]}\n  - {id: AKNOT, secret: s3cret, policy: [{actions: "dynamodb:*"}]}\ncost: {prices: {messages: 2}}\napps: [echo]\n' })
  assert.equal((await request(server, 'GET', '/@cost')).status, 403)
  const ask = (id, ...args) => run(['cost', '--endpoint', server.http, '--format', 'json', ...args], { env: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: 's3cret' } })
  const may = await ask('AKBILL')
  assert.equal(may.code, 0, may.stderr)
  assert.equal(line(JSON.parse(may.stdout), 'messages').price, 2)
  assert.equal((await ask('AKNOT')).code, 10)
  const open = await start(t, { config: 'apps: [echo]\n' })
  for (const query of ['from=soon', 'to=x', 'period=1w', 'period=0d', 'period=456d', 'from=1&period=1d', `from=${Date.now() + 86400_000}`, 'from=1000000000']) {
    const { status, json: answer } = await request(open, 'GET', `/@cost?${query}`)
    assert.equal(status, 400, query)
    assert.equal(answer.error, 'INVALID', query)
  }
  assert.equal((await request(open, 'POST', '/@cost')).status, 405)
})
