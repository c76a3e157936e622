// Encryption at rest: nothing readable in the data folder, the same data after restarts and kills, the wrong key is a clear error, the master key changes.
// TB-14, SE-2
import test from 'node:test'
import assert from 'node:assert/strict'
import { chmodSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { quiet, run, start, temporaryFolder } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const MARKER = 'Zanzibar-4711'
const WRONG_KEY = 9
const DAMAGED = 6

function keyFile(t, name = 'master') {
  const file = path.join(temporaryFolder(t), name)
  writeFileSync(file, randomBytes(32).toString('hex') + '\n', { mode: 0o600 })
  return file
}

/** The files below a folder that hold the words, in latin1, UTF-16 or hex. */
function holding(folder, words) {
  const needles = [Buffer.from(words), Buffer.from(words, 'utf16le'), Buffer.from(Buffer.from(words).toString('hex'))]
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => needles.some((needle) => readFileSync(file).includes(needle)))
}

async function makeTable(server) {
  await dynamodb(server, 'CreateTable', {
    TableName: `${MARKER}-table`,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }, { AttributeName: 'word', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [{ IndexName: 'by-word', KeySchema: [{ AttributeName: 'word', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }],
    BillingMode: 'PAY_PER_REQUEST',
  })
}

const put = (server, n) =>
  dynamodb(server, 'PutItem', { TableName: `${MARKER}-table`, Item: { id: { S: `${MARKER}-${n}` }, word: { S: `${MARKER}-w${n % 7}` }, text: { S: `value ${n} of ${MARKER}` } } })

async function holds(server, count) {
  for (let n = 0; n < count; n++) {
    const { Item } = await dynamodb(server, 'GetItem', { TableName: `${MARKER}-table`, Key: { id: { S: `${MARKER}-${n}` } }, ConsistentRead: true })
    assert.equal(Item?.text.S, `value ${n} of ${MARKER}`)
  }
}

test('nothing readable, through restarts, kills and a change of the key', { timeout: 600000 }, async (t) => {
  const first = keyFile(t, 'first')
  const second = keyFile(t, 'second')
  const server = await start(t, { env: { WEIR_ENCRYPTION_KEY_FILE: first } })
  const data = path.join(server.folder, 'data')
  await makeTable(server)
  let count = 0
  for (let round = 0; round < 4; round++) {
    for (let n = 0; n < 40; n++) await put(server, count++)
    assert.deepEqual(holding(data, 'Zanzibar'), [], 'while it runs')
    if (round % 2) await server.stop()
    else await server.kill9()
    assert.deepEqual(holding(data, 'Zanzibar'), [], 'behind it')
    await server.restart()
    await holds(server, count)
  }
  await server.stop()

  const copy = path.join(temporaryFolder(t), 'backup')
  cpSync(data, copy, { recursive: true })
  const sound = await run(['verify', copy, '--key-file', first])
  assert.equal(sound.code, 0, sound.stdout + sound.stderr)
  assert.match(sound.stdout, /sound/)

  const changed = await run(['rekey', '--data', data, '--old-key-file', first, '--new-key-file', second])
  assert.equal(changed.code, 0, changed.stderr)
  const old = await run(['verify', data, '--key-file', first])
  assert.equal(old.code, WRONG_KEY)
  assert.match(old.stderr, /is not the one/)
  await server.restart({ env: { WEIR_ENCRYPTION_KEY_FILE: second } })
  await holds(server, count)
  await put(server, count++)

  // The key may change under a running server, which holds the data key; its next start takes the new one.
  assert.equal((await run(['rekey', '--data', data, '--old-key-file', second, '--new-key-file', first])).code, 0)
  await put(server, count++)
  await server.kill9()
  await server.restart({ env: { WEIR_ENCRYPTION_KEY_FILE: first } })
  await holds(server, count)
  await quiet(server)
})

test('the test can fail: a plain folder holds the words', async (t) => {
  const server = await start(t)
  await makeTable(server)
  await put(server, 0)
  await server.stop()
  assert.ok(holding(path.join(server.folder, 'data'), 'Zanzibar').length > 0)
})

test('sockets and the development secret', async (t) => {
  const key = keyFile(t)
  const config = `encryption: {keyFile: ${key}}\n`
  const server = await start(t, { config })
  const data = path.join(server.folder, 'data')
  const client = await connect(`${server.ws}/riddle-rush?userId=${MARKER}`)
  const ack = await client.ask({ action: 'logPerformance', data: { userId: MARKER, metricName: `${MARKER}-m`, duration: 5, timestamp: Date.now() } })
  assert.equal(ack.type, 'ack')
  const words = ['token', '--api', 'landing-hub', '--user', 'grace', '--data', data]
  const made = await run([...words, '--config', path.join(server.folder, 'weir.yaml')])
  assert.equal(made.code, 0, made.stderr)
  const member = await connect(`${server.ws}/landing-hub?token=${made.stdout.trim()}`)
  await member.close(1000)
  await client.close(1000)
  assert.equal((await run(words)).code, WRONG_KEY, 'the secret takes the key')
  assert.match(readFileSync(path.join(data, 'dev-jwt-secret'), 'utf8'), /^sealed:/)
  await quiet(server)
  await server.stop()
  assert.deepEqual(holding(data, 'Zanzibar'), [])
  const again = await run(['verify', data, '--config', path.join(server.folder, 'weir.yaml')])
  assert.equal(again.code, 0, again.stdout + again.stderr)
})

test('wrong keys, no key, a key too many, a lost key file', async (t) => {
  const key = keyFile(t)
  const other = keyFile(t)
  const server = await start(t, { env: { WEIR_ENCRYPTION_KEY_FILE: key } })
  const data = path.join(server.folder, 'data')
  await server.stop()
  const serve = (folder, env) => run(['serve', '--data', folder, '--listen', '127.0.0.1:0'], { env })
  for (const [env, said] of [[{}, /is encrypted: give its key/], [{ WEIR_ENCRYPTION_KEY_FILE: other }, /is not the one that/]]) {
    const { code, stderr } = await serve(data, env)
    assert.equal(code, WRONG_KEY, stderr)
    assert.match(stderr, said)
    assert.equal((await run(['verify', data], { env })).code, WRONG_KEY)
  }
  const missing = await serve(data, { WEIR_ENCRYPTION_KEY_FILE: '/nowhere/at/all' })
  assert.equal(missing.code, 1)
  const nonsense = await serve(data, { WEIR_ENCRYPTION_KEY: 'secret' })
  assert.equal(nonsense.code, 3)
  assert.match(nonsense.stderr, /openssl rand -hex 32/)
  assert.ok(!nonsense.stderr.includes("'secret'"))
  rmSync(path.join(data, 'key'))
  for (const env of [{}, { WEIR_ENCRYPTION_KEY_FILE: key }]) {
    const { code, stderr } = await serve(data, env)
    assert.equal(code, DAMAGED)
    assert.match(stderr, /key is missing/)
  }
  const plain = await start(t)
  await plain.stop()
  const late = await serve(path.join(plain.folder, 'data'), { WEIR_ENCRYPTION_KEY_FILE: key })
  assert.equal(late.code, WRONG_KEY)
  assert.match(late.stderr, /begins with an empty folder/)
  assert.equal((await run(['verify', path.join(plain.folder, 'data')])).code, 0)
})

test('damage in an encrypted folder is found', async (t) => {
  const key = keyFile(t)
  const server = await start(t, { env: { WEIR_ENCRYPTION_KEY_FILE: key } })
  const data = path.join(server.folder, 'data')
  await makeTable(server)
  for (let n = 0; n < 20; n++) await put(server, n)
  await server.stop()
  for (const part of ['journal', 'tables']) {
    const copy = path.join(temporaryFolder(t), 'copy')
    cpSync(data, copy, { recursive: true })
    const names = readdirSync(path.join(copy, part)).filter((name) => (part === 'journal' ? name.endsWith('.log') : name.endsWith('.sst'))).sort()
    assert.ok(names.length > 0)
    const file = path.join(copy, part, names[0])
    chmodSync(file, 0o600)
    const bytes = readFileSync(file)
    bytes[part === 'journal' ? 4096 + 40 : 200] ^= 16
    writeFileSync(file, bytes)
    const { code, stdout, stderr } = await run(['verify', copy, '--key-file', key])
    assert.equal(code, DAMAGED, stdout + stderr)
  }
})
