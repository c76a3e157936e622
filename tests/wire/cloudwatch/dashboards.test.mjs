// PutDashboard, GetDashboard, ListDashboards, DeleteDashboards with the clients of all three protocols.
import test from 'node:test'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DeleteDashboardsCommand, GetDashboardCommand, ListDashboardsCommand, PutDashboardCommand } from '@aws-sdk/client-cloudwatch'
import { atEnd, quiet, start } from '../lib/weir.mjs'
import { cborProtocol, cli, client, form, json } from './lib.mjs'
import * as dynamodb from '../dynamodb/lib.mjs'

const text = (markdown, more = {}) => JSON.stringify({ widgets: [{ type: 'text', x: 0, y: 0, width: 6, height: 3, properties: { markdown, ...more } }] })
const config = 'apis: {}\n'

async function refused(promise, name, message) {
  const error = await promise.then(() => assert.fail('it was taken'), (thrown) => thrown)
  assert.equal(error.name, name)
  if (message) assert.match(error.message, message)
  return error
}

for (const [protocol, options] of [['JSON', {}], ['CBOR', cborProtocol]]) {
  test(`put, get, list, delete: the SDK, ${protocol}`, async (t) => {
    const server = await start(t, { config })
    const sdk = client(server, options)
    const body = text('# Hello, wörld')
    const { DashboardValidationMessages } = await sdk.send(new PutDashboardCommand({ DashboardName: 'one', DashboardBody: body }))
    assert.deepEqual(DashboardValidationMessages, [])
    const got = await sdk.send(new GetDashboardCommand({ DashboardName: 'one' }))
    assert.deepEqual([got.DashboardName, got.DashboardArn, got.DashboardBody], ['one', 'arn:aws:cloudwatch::123456789012:dashboard/one', body])

    await server.advance(60000)
    const now = await server.now()
    await sdk.send(new PutDashboardCommand({ DashboardName: 'one', DashboardBody: text('changed') }))
    await sdk.send(new PutDashboardCommand({ DashboardName: 'another', DashboardBody: '{"widgets":[]}' }))
    const { DashboardEntries } = await sdk.send(new ListDashboardsCommand({}))
    assert.deepEqual(DashboardEntries.map((entry) => [entry.DashboardName, entry.DashboardArn, entry.Size]), [
      ['another', 'arn:aws:cloudwatch::123456789012:dashboard/another', 14], ['one', 'arn:aws:cloudwatch::123456789012:dashboard/one', Buffer.byteLength(text('changed'))],
    ])
    for (const entry of DashboardEntries) assert.ok(Math.abs(entry.LastModified - now) < 5000, `${entry.LastModified}`)
    assert.deepEqual((await sdk.send(new ListDashboardsCommand({ DashboardNamePrefix: 'on' }))).DashboardEntries.map((entry) => entry.DashboardName), ['one'])

    await refused(sdk.send(new GetDashboardCommand({ DashboardName: 'none' })), 'ResourceNotFound', /Dashboard none does not exist/)
    await refused(sdk.send(new DeleteDashboardsCommand({ DashboardNames: ['one', 'none'] })), 'ResourceNotFound', /Dashboard none does not exist/)
    assert.equal((await sdk.send(new ListDashboardsCommand({}))).DashboardEntries.length, 2, 'all or none')
    await sdk.send(new DeleteDashboardsCommand({ DashboardNames: ['one', 'another'] }))
    assert.deepEqual((await sdk.send(new ListDashboardsCommand({}))).DashboardEntries ?? [], [])
    sdk.destroy()
    await quiet(server)
  })
}

test('what is wrong with a body is told with its places, and what merely does not draw is stored', async (t) => {
  const server = await start(t, { config })
  const sdk = client(server)
  const put = (body) => sdk.send(new PutDashboardCommand({ DashboardName: 'd', DashboardBody: typeof body === 'string' ? body : JSON.stringify(body) }))
  const error = await refused(put({ widgets: [{ type: 'alarm', x: 30, y: 0, properties: { alarms: [] } }] }), 'DashboardInvalidInputError')
  assert.match(error.message, /^The dashboard body is invalid, there are 2 validation errors:\n\[/)
  assert.deepEqual(JSON.parse(error.message.slice(error.message.indexOf('['))), [
    { dataPath: '/widgets/0/x', message: 'Should be <= 23' }, { dataPath: '/widgets/0/properties/alarms', message: 'Should NOT have less than 1 items' }])
  await refused(put('{"widgets":'), 'DashboardInvalidInputError', /must be a valid JSON object/)
  await refused(put('[]'), 'DashboardInvalidInputError', /must be a valid JSON object/)
  await refused(put(' '.repeat((512 << 10) + 1)), 'DashboardInvalidInputError', /larger than/)
  await refused(sdk.send(new PutDashboardCommand({ DashboardName: 'a b', DashboardBody: text('x') })), 'DashboardInvalidInputError', /invalid characters/)
  await refused(sdk.send(new GetDashboardCommand({ DashboardName: 'd' })), 'ResourceNotFound')

  const { DashboardValidationMessages } = await put({ widgets: [{ type: 'metric', properties: { metrics: [['A', 'B']], colour: 1 } }] })
  assert.deepEqual(DashboardValidationMessages, [
    { DataPath: '/widgets/0/properties/colour', Message: 'Should NOT have additional properties' }, { DataPath: '/widgets/0/properties', Message: "Should have required property 'region'" }])
  assert.ok((await sdk.send(new GetDashboardCommand({ DashboardName: 'd' }))).DashboardBody.includes('colour'))
  sdk.destroy()
  await quiet(server)
})

test('the query protocol: awscli, and the XML of a failure', async (t) => {
  const server = await start(t, { config })
  const folder = mkdtempSync(path.join(tmpdir(), 'weir-dash-'))
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(path.join(folder, 'body.json'), text('by the command line'))
  assert.deepEqual(await cli(server, `put-dashboard --dashboard-name cli --dashboard-body file://${folder}/body.json`), { DashboardValidationMessages: [] })
  const got = await cli(server, 'get-dashboard --dashboard-name cli')
  assert.equal(got.DashboardBody, text('by the command line'))
  const { DashboardEntries } = await cli(server, 'list-dashboards --dashboard-name-prefix c')
  assert.deepEqual([DashboardEntries.length, DashboardEntries[0].DashboardName, DashboardEntries[0].Size], [1, 'cli', Buffer.byteLength(text('by the command line'))])
  await assert.rejects(cli(server, `put-dashboard --dashboard-name cli --dashboard-body '{"widgets":[{"type":"text"}]}'`), /InvalidParameterInput.*there are 1 validation errors/s)
  await assert.rejects(cli(server, 'delete-dashboards --dashboard-names cli none'), /ResourceNotFound/)
  await cli(server, 'delete-dashboards --dashboard-names cli')
  const missing = await form(server, 'GetDashboard', { DashboardName: 'cli' })
  assert.equal(missing.status, 404)
  assert.match(missing.body, /<Code>ResourceNotFound<\/Code>/)
  const asked = await json(server, 'GetDashboard', { DashboardName: 'cli' }, { 'x-amzn-query-mode': 'true' })
  assert.equal(asked.headers['x-amzn-query-error'], 'ResourceNotFound;Sender')
  assert.equal(asked.json.__type, 'com.amazonaws.cloudwatch.v2010_08_01#DashboardNotFoundError')
  await quiet(server)
})

test('a listing goes on where its page ended', async (t) => {
  const server = await start(t, { config })
  const sdk = client(server)
  const names = Array.from({ length: 230 }, (_, n) => `d-${String(n).padStart(3, '0')}`)
  for (const DashboardName of names) await sdk.send(new PutDashboardCommand({ DashboardName, DashboardBody: '{"widgets":[]}' }))
  const seen = []
  let NextToken
  let pages = 0
  do {
    const page = await sdk.send(new ListDashboardsCommand({ NextToken }))
    seen.push(...page.DashboardEntries.map((entry) => entry.DashboardName))
    NextToken = page.NextToken
    pages++
  } while (NextToken)
  assert.deepEqual(seen, names)
  assert.equal(pages, 3)
  sdk.destroy()
  await quiet(server)
})

test('dashboards survive a restart, and their table is nobody else’s', async (t) => {
  const server = await start(t, { config })
  const sdk = client(server)
  await sdk.send(new PutDashboardCommand({ DashboardName: 'kept', DashboardBody: text('kept') }))
  sdk.destroy()
  await server.kill9()
  await server.restart()
  const again = client(server)
  assert.equal((await again.send(new GetDashboardCommand({ DashboardName: 'kept' }))).DashboardBody, text('kept'))
  assert.deepEqual((await dynamodb.ok(server, 'ListTables', {})).TableNames, [])
  await dynamodb.fails(server, 'Scan', { TableName: 'weir.dashboards' }, 'ResourceNotFoundException')
  again.destroy()
  await quiet(server)
})

test('declared dashboards: put at start, changed by their declaration alone, refused when they are wrong', async (t) => {
  const declared = (markdown) => `apis: {}\nregion: eu-west-1\ndashboards:\n  - {name: "shop-{env}", body: '${text(markdown)}'}\n`
  const server = await start(t, { config: declared('one in {region}'), args: ['--env', 'test'] })
  assert.deepEqual(server.first.dashboards, { 'shop-test': `${server.http}/#dashboards/shop-test` })
  const get = async () => {
    const sdk = client(server, { region: 'eu-west-1' })
    const { DashboardBody } = await sdk.send(new GetDashboardCommand({ DashboardName: 'shop-test' }))
    sdk.destroy()
    return DashboardBody
  }
  assert.equal(await get(), text('one in eu-west-1'))
  const sdk = client(server, { region: 'eu-west-1' })
  await sdk.send(new PutDashboardCommand({ DashboardName: 'shop-test', DashboardBody: text('mine') }))
  sdk.destroy()
  await server.stop()
  await server.restart()
  assert.equal(await get(), text('mine'), 'the declaration is the old one')
  await server.stop()
  await server.restart({ config: declared('two') })
  assert.equal(await get(), text('two'))
  await quiet(server)
})
