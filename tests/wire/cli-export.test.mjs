// weir export and weir import: a round trip of every type, AWS's own layout, plain files, interruptions, damage, other people's mistakes.
// OP-6
import test from 'node:test'
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createHash, randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { spawn } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { atEnd, program, quiet, run, start, temporaryFolder, until } from './lib/weir.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const FAILED = 1
const USAGE = 2
const DAMAGED = 6
const SERVER = 10

const KEYS = { AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }], KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], BillingMode: 'PAY_PER_REQUEST' }
const simple = (server, TableName) => dynamodb(server, 'CreateTable', { TableName, ...KEYS })

async function all(server, TableName) {
  const items = new Map()
  let ExclusiveStartKey
  do {
    const page = await dynamodb(server, 'Scan', { TableName, ConsistentRead: true, ExclusiveStartKey })
    for (const item of page.Items) items.set(JSON.stringify([item.id, item.range]), item)
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return items
}

/** The members in one order, and sets, which have none, sorted. */
function settled(value) {
  if (Array.isArray(value)) return value.map(settled)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, ['SS', 'NS', 'BS'].includes(name) && Array.isArray(value[name]) ? [...value[name]].sort() : settled(value[name])]))
}

const rows = (items) => [...items.values()].map((item) => JSON.stringify(settled(item))).sort()

async function exported(server, words, to) {
  const answer = await run(['export', ...words, '--to', to, '--endpoint', server.http])
  assert.equal(answer.code, 0, answer.stderr)
  return readdirSync(path.join(to, 'AWSDynamoDB')).map((id) => path.join(to, 'AWSDynamoDB', id))
}

const imported = (server, from, more = [], options) => run(['import', '--from', from, '--endpoint', server.http, ...more], options)

function everyType(n) {
  return {
    id: { S: `k"\\\u0007\u2028é😀-${n % 7}` },
    range: { N: String(n) },
    text: { S: n % 3 ? `line\nand "quotes" \\ \u0000 ü ${n}` : '' },
    number: { N: '12345678901234567890123456789012345678' },
    tiny: { N: '-1.2345678901234567890123456789012345678E-128' },
    bytes: { B: randomBytes(n % 40).toString('base64') },
    yes: { BOOL: n % 2 === 0 },
    nothing: { NULL: true },
    words: { SS: ['a', `b${n}`, 'ä'] },
    numbers: { NS: ['1', '2.5', `${n}.125`] },
    blobs: { BS: [randomBytes(5).toString('base64'), randomBytes(6).toString('base64')] },
    list: { L: [{ S: 'x' }, { M: { deep: { L: [{ N: '0' }, { NULL: true }, { M: {} }, { L: [] }] } } }] },
    map: { M: { Item: { S: 'the name that lines have' }, S: { S: 's' }, M: { M: {} } } },
    mass: { N: String(n % 5) },
    ends: { N: String(4102444800 + n) },
  }
}

test('a round trip: every type, indexes, expiry, stream, another server', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const other = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await dynamodb(server, 'CreateTable', {
    TableName: 'rich',
    AttributeDefinitions: [['id', 'S'], ['range', 'N'], ['mass', 'N']].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }, { AttributeName: 'range', KeyType: 'RANGE' }],
    ProvisionedThroughput: { ReadCapacityUnits: 7, WriteCapacityUnits: 9 },
    GlobalSecondaryIndexes: [{
      IndexName: 'by-mass', KeySchema: [{ AttributeName: 'mass', KeyType: 'HASH' }], Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['text'] },
      ProvisionedThroughput: { ReadCapacityUnits: 3, WriteCapacityUnits: 4 },
    }],
    LocalSecondaryIndexes: [{ IndexName: 'local', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }, { AttributeName: 'mass', KeyType: 'RANGE' }], Projection: { ProjectionType: 'KEYS_ONLY' } }],
  })
  await dynamodb(server, 'UpdateTimeToLive', { TableName: 'rich', TimeToLiveSpecification: { Enabled: true, AttributeName: 'ends' } })
  for (let n = 0; n < 300; n++) await dynamodb(server, 'PutItem', { TableName: 'rich', Item: everyType(n) })
  await dynamodb(server, 'PutItem', { TableName: 'rich', Item: { ...everyType(1000), text: { S: 'x'.repeat(390000) } } })

  const [one] = await exported(server, ['--table', 'rich'], path.join(folder, 'out'))
  const summary = JSON.parse(readFileSync(path.join(one, 'manifest-summary.json')))
  assert.equal(summary.version, '2020-06-30')
  assert.equal(summary.outputFormat, 'DYNAMODB_JSON')
  assert.equal(summary.exportType, 'FULL_EXPORT')
  assert.equal(summary.itemCount, 301)
  assert.match(summary.tableArn, /:table\/rich$/)
  assert.equal(summary.exportArn, `${summary.tableArn}/export/${path.basename(one)}`)
  assert.equal(summary.manifestFilesS3Key, `AWSDynamoDB/${path.basename(one)}/manifest-files.json`)
  assert.match(path.basename(one), /^\d{14}-[0-9a-f]{8}$/)
  for (const name of ['manifest-summary', 'manifest-files'])
    assert.equal(readFileSync(path.join(one, `${name}.checksum`), 'utf8'), createHash('md5').update(readFileSync(path.join(one, `${name}.json`))).digest('base64'))
  let count = 0
  const files = readFileSync(path.join(one, 'manifest-files.json'), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  for (const file of files) {
    const bytes = readFileSync(path.join(folder, 'out', file.dataFileS3Key))
    assert.equal(file.md5Checksum, createHash('md5').update(bytes).digest('base64'))
    const lines = gunzipSync(bytes).toString().trim().split('\n').map((line) => JSON.parse(line))
    assert.equal(lines.length, file.itemCount)
    for (const line of lines) assert.deepEqual(Object.keys(line), ['Item'])
    count += lines.length
  }
  assert.equal(count, 301)
  assert.equal(readdirSync(path.join(one, 'data')).length, files.length)

  for (const [target, name] of [[server, 'copied'], [other, 'rich']]) {
    const answer = await imported(target, path.join(folder, 'out'), name === 'rich' ? [] : ['--table', name])
    assert.equal(answer.code, 0, answer.stderr)
    assert.match(answer.stdout, new RegExp(`^${name}: 301 items`))
    assert.ok(!existsSync(path.join(folder, 'out', '.weir-import.json')))
    assert.deepEqual(rows(await all(target, name)), rows(await all(server, 'rich')))
    const was = (await dynamodb(server, 'DescribeTable', { TableName: 'rich' })).Table
    const is = (await dynamodb(target, 'DescribeTable', { TableName: name })).Table
    assert.deepEqual(is.KeySchema, was.KeySchema)
    assert.equal(is.ProvisionedThroughput.WriteCapacityUnits, 9)
    const shape = (indexes) => indexes.map(({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }))
    assert.deepEqual(shape(is.GlobalSecondaryIndexes), shape(was.GlobalSecondaryIndexes))
    assert.deepEqual(shape(is.LocalSecondaryIndexes), shape(was.LocalSecondaryIndexes))
    assert.equal(is.GlobalSecondaryIndexes[0].ProvisionedThroughput.WriteCapacityUnits, 4)
    assert.equal(is.ItemCount, 301)
    const ttl = await dynamodb(target, 'DescribeTimeToLive', { TableName: name })
    assert.equal(ttl.TimeToLiveDescription.AttributeName, 'ends')
  }
  await quiet(server)
  await quiet(other)
})

test('all tables, an empty one among them; the newest export of each counts', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const other = await start(t, { driven: false })
  const to = path.join(temporaryFolder(t), 'out')
  await simple(server, 'one')
  await simple(server, 'two')
  await simple(server, 'empty')
  await dynamodb(server, 'PutItem', { TableName: 'one', Item: { id: { S: 'a' }, n: { N: '1' } } })
  await dynamodb(server, 'PutItem', { TableName: 'two', Item: { id: { S: 'b' } } })
  await exported(server, ['--table', 'one,two'], to)
  await dynamodb(server, 'PutItem', { TableName: 'one', Item: { id: { S: 'a' }, n: { N: '2' } } })
  const folders = await exported(server, ['--all'], to)
  assert.ok(folders.length >= 5)
  const mine = ['one', 'two', 'empty']
  for (const TableName of mine) {
    const answer = await imported(other, to, ['--table', TableName])
    assert.equal(answer.code, 0, answer.stderr)
    assert.match(answer.stderr, /2 exports are left out: there is a newer one/)
    assert.deepEqual(rows(await all(other, TableName)), rows(await all(server, TableName)))
  }
  assert.equal((await imported(other, to, ['--table', 'nobody'])).code, FAILED)
  assert.equal((await imported(other, to)).code, 0, 'all of them, over what is there')
})

/** What the export to S3 leaves in a bucket, as its documentation shows it. */
function awsExport(folder, prefix, files, table = 'ProductCatalog') {
  const id = '01693685827463-2d8752fd'
  const at = path.join(folder, 'AWSDynamoDB', id)
  mkdirSync(path.join(at, 'data'), { recursive: true })
  writeFileSync(path.join(at, '_started'), '')
  const lines = files.map((lines, n) => {
    const bytes = gzipSync(lines.map((line) => JSON.stringify(line) + '\n').join(''))
    const name = `asdl12${n}dasas.json.gz`
    writeFileSync(path.join(at, 'data', name), bytes)
    return JSON.stringify({ itemCount: lines.length, md5Checksum: createHash('md5').update(bytes).digest('base64'), etag: 'af83d6f217c19b8b0fff8023d8ca4716-1', dataFileS3Key: `${prefix}AWSDynamoDB/${id}/data/${name}` })
  })
  writeFileSync(path.join(at, 'manifest-files.json'), lines.join('\n') + '\n')
  const summary = {
    version: '2020-06-30', exportArn: `arn:aws:dynamodb:us-east-1:123456789012:table/${table}/export/${id}`, startTime: '2020-11-04T07:28:34.028Z', endTime: '2020-11-04T07:33:43.897Z',
    tableArn: `arn:aws:dynamodb:us-east-1:123456789012:table/${table}`, tableId: '12345a12-abcd-123a-ab12-1234abc12345', exportTime: '2020-11-04T07:28:34.028Z', s3Bucket: 'ddb-productcatalog-export',
    s3Prefix: '2020-Nov', s3SseAlgorithm: 'AES256', s3SseKmsKeyId: null, manifestFilesS3Key: `${prefix}AWSDynamoDB/${id}/manifest-files.json`, billedSizeBytes: 0, itemCount: files.flat().length,
    outputFormat: 'DYNAMODB_JSON', exportType: 'FULL_EXPORT',
  }
  const write = (more = {}) => writeFileSync(path.join(at, 'manifest-summary.json'), JSON.stringify({ ...summary, ...more }))
  write()
  return { at, write }
}

const products = (from, count) => Array.from({ length: count }, (_, n) => ({ Item: { id: { S: `p${from + n}` }, Authors: { SS: ['Author1', 'Author2'] }, Price: { N: '20' }, Dimensions: { S: '8.5 x 11.0 x 1.5' }, InPublication: { BOOL: true } } }))

test('an export as AWS lays it out, and what is wrong with others', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = path.join(temporaryFolder(t), 'bucket')
  const { at, write } = awsExport(folder, '2020-Nov/', [products(0, 60), [], products(100, 30)])
  const schema = path.join(path.dirname(folder), 'schema.json')
  writeFileSync(schema, JSON.stringify({ Table: { ...KEYS, TableName: 'whatever', BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' } } }))
  const refused = async (code, said, more = [], from = folder) => {
    const answer = await imported(server, from, more)
    assert.equal(answer.code, code, answer.stderr)
    assert.match(answer.stderr, said)
  }
  await refused(FAILED, /there is no table ProductCatalog.*--schema/)
  for (const from of [folder, path.join(folder, 'AWSDynamoDB'), at]) {
    const answer = await imported(server, from, ['--schema', schema])
    assert.equal(answer.code, 0, answer.stderr)
    assert.match(answer.stdout, /ProductCatalog: 90 items/)
  }
  assert.equal((await all(server, 'ProductCatalog')).size, 90)

  write({ outputFormat: 'ION' })
  await refused(DAMAGED, /manifest-summary\.json: the export's format is not DYNAMODB_JSON/)
  write({ exportType: 'INCREMENTAL_EXPORT' })
  await refused(DAMAGED, /incremental/)
  write()
  const name = 'asdl122dasas.json.gz'
  const bytes = readFileSync(path.join(at, 'data', name))
  writeFileSync(path.join(at, 'data', name), bytes.subarray(0, bytes.length - 9))
  await refused(DAMAGED, new RegExp(`${name} does not have the checksum`))
  rmSync(path.join(at, 'data', name))
  await refused(DAMAGED, new RegExp(`${name}, which the manifest names`))
  writeFileSync(path.join(at, 'data', name), bytes)
  const manifest = readFileSync(path.join(at, 'manifest-files.json'), 'utf8')
  writeFileSync(path.join(at, 'manifest-files.json'), manifest.replace('"itemCount":30', '"itemCount":31'))
  rmSync(path.join(folder, '.weir-import.json'), { force: true })
  await refused(DAMAGED, /holds 30 items, the manifest says 31/)
  writeFileSync(path.join(at, 'manifest-files.json'), manifest.replaceAll('dataFileS3Key', 'key'))
  await refused(DAMAGED, /does not name a data file/)
  writeFileSync(path.join(at, 'manifest-files.json'), manifest.replace(/data\/asdl120dasas/, 'data/../../../escape'))
  await refused(DAMAGED, /data\/escape\.json\.gz, which the manifest names/) // looked for in data/ alone
  rmSync(path.join(at, 'manifest-summary.json'))
  await refused(FAILED, /no finished export/)
  await refused(DAMAGED, /was never finished/, [], at)
})

test('plain files: folders of lines, one file, packed or not, wrapped or bare', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await simple(server, 'plain')
  writeFileSync(path.join(folder, 'b.json'), products(0, 10).map((line) => JSON.stringify(line.Item)).join('\r\n'))
  writeFileSync(path.join(folder, 'a.json.gz'), gzipSync('\n\n' + products(10, 10).map((line) => JSON.stringify(line)).join('\n\n')))
  writeFileSync(path.join(folder, 'notes.txt'), 'not data')
  assert.equal((await imported(server, folder)).code, USAGE, 'which table?')
  const both = await imported(server, folder, ['--table', 'plain'])
  assert.equal(both.code, 0, both.stderr)
  assert.equal((await all(server, 'plain')).size, 20)
  // An item may have an attribute named Item; in one batch the last of equal keys counts.
  writeFileSync(path.join(folder, 'one.json'), ['{"id":{"S":"i"},"Item":{"S":"x"}}', '{"id":{"S":"twice"},"n":{"N":"1"}}', '{"Item":{"id":{"S":"twice"},"n":{"N":"2"}}}', '{"Item":{"id":{"S":"S"},"S":{"M":{"S":{"S":"s"}}}}}'].join('\n'))
  const one = await imported(server, path.join(folder, 'one.json'), ['--table', 'plain'])
  assert.equal(one.code, 0, one.stderr)
  const found = await all(server, 'plain')
  assert.equal(found.size, 23)
  assert.equal(found.get('[{"S":"twice"},null]').n.N, '2')
  assert.equal(found.get('[{"S":"i"},null]').Item.S, 'x')

  for (const [text, code, said] of [
    ['{"Item":{"id":{"S":"ok"}}}\n{"Item":{"id":"plain JSON"}}', DAMAGED, /bad\.json, line 2: it is neither/],
    ['{"id":{"S":"ok"}}\n\n{broken', DAMAGED, /bad\.json, line 2: it is not JSON/],
    ['{"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"}}}', DAMAGED, /incremental/],
    ['{"id":{"S":"ok2"}}\n{"other":{"S":"no key"}}', SERVER, /bad\.json, line 2: .*ValidationException/],
    ['{"id":{"S":"big"},"x":{"S":"' + 'x'.repeat(500000) + '"}}', SERVER, /bad\.json, line 1: .*Item size/],
    ['x'.repeat(17 << 20), FAILED, /longer than 16 MiB/],
    ['', 0, /^$/],
  ]) {
    writeFileSync(path.join(folder, 'bad.json'), text)
    const answer = await imported(server, path.join(folder, 'bad.json'), ['--table', 'plain'])
    rmSync(path.join(folder, 'bad.json.weir-import.json'), { force: true })
    assert.equal(answer.code, code, answer.stderr)
    assert.match(answer.stderr, said)
  }
  assert.ok((await all(server, 'plain')).has('[{"S":"ok"},null]'), 'what came before the bad line is written')
  writeFileSync(path.join(folder, 'cut.json.gz'), gzipSync(products(500, 500).map((line) => JSON.stringify(line)).join('\n')).subarray(0, 900))
  const cut = await imported(server, path.join(folder, 'cut.json.gz'), ['--table', 'plain'])
  assert.equal(cut.code, DAMAGED, cut.stderr)
  assert.match(cut.stderr, /cut\.json\.gz is damaged or cut off/)
})

test('interrupted imports and exports', { timeout: 1800000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  const source = path.join(folder, 'source')
  mkdirSync(source)
  const COUNT = 120000
  for (let file = 0; file < 3; file++)
    writeFileSync(path.join(source, `${file}.json`), Array.from({ length: COUNT / 3 }, (_, n) => `{"Item":{"id":{"S":"i${file * 1000000 + n}"},"n":{"N":"${n}"}}}`).join('\n'))
  await simple(server, 'large')
  const state = path.join(source, '.weir-import.json')
  const words = ['import', '--from', source, '--table', 'large', '--endpoint', server.http, '--in-flight', '2']
  const child = spawn(program, words, { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.on('close', resolve))
  await until('the state', () => existsSync(state), { every: 5 })
  child.kill('SIGKILL')
  await ended
  const { imports: [place] } = JSON.parse(readFileSync(state))
  assert.ok(place.items > 0 && !place.done, JSON.stringify(place))
  const again = await run(words)
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stderr, /items are there from an earlier run/)
  assert.match(again.stdout, /^large: 120,000 items/)
  assert.ok(!existsSync(state))
  assert.equal((await dynamodb(server, 'DescribeTable', { TableName: 'large' })).Table.ItemCount, COUNT)

  // The server goes away under an import, and comes back: no item is lost, none is counted that is not there.
  await simple(server, 'second')
  const asked = run(['import', '--from', source, '--table', 'second', '--endpoint', server.http, '--state', path.join(folder, 'state')])
  await until('some items', async () => (await dynamodb(server, 'DescribeTable', { TableName: 'second' })).Table.ItemCount > 1000, { every: 5 })
  await server.kill9()
  assert.equal((await asked).code, SERVER)
  await server.restart()
  const next = await run(['import', '--from', source, '--table', 'second', '--endpoint', server.http, '--state', path.join(folder, 'state')])
  assert.equal(next.code, 0, next.stderr) // the port is another one: a beginning, and the same table in the end
  assert.equal((await dynamodb(server, 'DescribeTable', { TableName: 'second' })).Table.ItemCount, COUNT)

  const out = path.join(folder, 'out')
  const exporting = spawn(program, ['export', '--table', 'large', '--to', out, '--endpoint', server.http, '--segments', '1'], { stdio: 'ignore' })
  const gone = new Promise((resolve) => exporting.on('close', resolve))
  const at = () => existsSync(path.join(out, 'AWSDynamoDB')) && readdirSync(path.join(out, 'AWSDynamoDB'))[0]
  await until('a data file', () => at() && existsSync(path.join(out, 'AWSDynamoDB', at(), 'data')) && readdirSync(path.join(out, 'AWSDynamoDB', at(), 'data')).length, { every: 1 })
  exporting.kill('SIGKILL')
  await gone
  const left = path.join(out, 'AWSDynamoDB', at())
  if (!existsSync(path.join(left, 'manifest-summary.json'))) {
    assert.ok(readdirSync(path.join(left, 'data')).every((name) => name.endsWith('.partial')), 'no half file has a whole name')
    assert.equal((await imported(server, out, ['--table', 'third'])).code, FAILED)
  }
  const folders = await exported(server, ['--table', 'large'], out)
  assert.equal(folders.length, 2)
  const answer = await imported(server, out, ['--table', 'third'])
  assert.equal(answer.code, 0, answer.stderr)
  assert.equal((await dynamodb(server, 'DescribeTable', { TableName: 'third' })).Table.ItemCount, COUNT)
  await quiet(server)
})

/** A server that throttles, leaves items undone, fails, and counts. */
async function grudging(t, behave) {
  const seen = []
  const server = http.createServer((request, response) => {
    const pieces = []
    request.on('data', (piece) => pieces.push(piece))
    request.on('end', () => {
      const operation = request.headers['x-amz-target'].split('.')[1]
      const body = JSON.parse(Buffer.concat(pieces))
      seen.push({ operation, body, headers: request.headers })
      const [status, answer] = operation === 'DescribeTable' ? [200, { Table: { TableStatus: 'ACTIVE', TableId: 'x', TableArn: 'arn:aws:dynamodb:eu-west-1:1:table/grudge', ...KEYS } }] : behave(operation, body, seen.length)
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify(answer))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => new Promise((resolve) => server.close(resolve)))
  return { http: `http://127.0.0.1:${server.address().port}`, seen }
}

test('unprocessed items, throttling, 500; session tokens and regions in the signature', { timeout: 600000 }, async (t) => {
  const written = new Map()
  let calls = 0
  const server = await grudging(t, (operation, body) => {
    calls++
    const requests = body.RequestItems.grudge
    if (calls % 5 === 1) return [400, { __type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException', message: 'slower' }]
    if (calls % 5 === 2) return [500, { __type: 'InternalServerError' }]
    const kept = requests.slice(0, Math.ceil(requests.length / 2))
    for (const { PutRequest } of kept) written.set(PutRequest.Item.id.S, (written.get(PutRequest.Item.id.S) ?? 0) + 1)
    const left = requests.slice(kept.length)
    return [200, { UnprocessedItems: left.length ? { grudge: left } : {} }]
  })
  const file = path.join(temporaryFolder(t), 'items.json')
  writeFileSync(file, products(0, 80).map((line) => JSON.stringify(line)).join('\n'))
  const env = { AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'a+session/token==', AWS_REGION: 'eu-central-1' }
  const answer = await imported(server, file, ['--table', 'grudge', '--in-flight', '1'], { env })
  assert.equal(answer.code, 0, answer.stderr)
  assert.equal(written.size, 80)
  for (const [id, times] of written) assert.equal(times, 1, `${id} was written ${times} times`)
  for (const { headers } of server.seen) {
    assert.equal(headers['x-amz-security-token'], env.AWS_SESSION_TOKEN)
    assert.match(headers.authorization, /Credential=ASIAEXAMPLE\/\d{8}\/eu-central-1\/dynamodb\/aws4_request/)
    assert.match(headers.authorization, /SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target/)
  }
})

test('what is refused, and what it says', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  const refused = async (words, code, said, env) => {
    const answer = await run(words, { env })
    assert.equal(answer.code, code, answer.stderr)
    assert.match(answer.stderr, said)
  }
  const to = path.join(folder, 'out')
  await refused(['export', '--to', to], USAGE, /either --table NAME or --all/)
  await refused(['export', '--table', 'a', '--all', '--to', to], USAGE, /either/)
  await refused(['export', '--table', 'nobody', '--to', to, '--endpoint', server.http], SERVER, /ResourceNotFoundException/)
  assert.ok(!existsSync(to))
  await refused(['export', '--all', '--to', to, '--endpoint', 'ftp://x'], USAGE, /the endpoint is an address/)
  await refused(['export', '--all', '--to', to, '--endpoint', 'https://dynamodb.eu-west-1.amazonaws.com'], FAILED, /AWS_ACCESS_KEY_ID/)
  await refused(['export', '--all', '--to', to, '--endpoint', server.http], SERVER, /UnrecognizedClientException|InvalidSignature/, { AWS_ACCESS_KEY_ID: 'wrong', AWS_SECRET_ACCESS_KEY: 'wrong' })
  await refused(['export', '--all', '--to', to, '--segments', '65', '--endpoint', server.http], USAGE, /--segments is a number from 1 to 64/)
  await refused(['import'], USAGE, /--from PATH is needed/)
  await refused(['import', '--from', path.join(folder, 'nothing')], FAILED, /cannot be read/)
  await refused(['import', '--from', folder, '--table', 'x'], FAILED, /has neither the folder AWSDynamoDB/)
  writeFileSync(path.join(folder, 'x.json'), '{"id":{"S":"a"}}')
  writeFileSync(path.join(folder, 'schema'), '{"TableName":"x"}')
  await refused(['import', '--from', path.join(folder, 'x.json'), '--table', 'absent', '--schema', path.join(folder, 'schema'), '--endpoint', server.http], DAMAGED, /KeySchema/)
  writeFileSync(path.join(folder, 'state'), 'not a state')
  await refused(['import', '--from', path.join(folder, 'x.json'), '--table', 'absent', '--state', path.join(folder, 'state'), '--endpoint', server.http], DAMAGED, /is damaged/)
  assert.equal(readFileSync(path.join(folder, 'state'), 'utf8'), 'not a state')
  assert.ok(!existsSync(path.join(folder, 'x.json.weir-import.json')))
})
