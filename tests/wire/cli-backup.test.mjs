// weir backup and weir restore: of a running server under load, of a folder nobody uses, encrypted, cut off at any moment, damaged.
// OP-6, SE-2
import test from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, rmSync, statSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { program, request, run, start, temporaryFolder, until } from './lib/weir.mjs'
import { dynamodb } from './lib/dynamodb.mjs'

const FAILED = 1
const USAGE = 2
const LOCKED = 5
const DAMAGED = 6
const WRONG_KEY = 9
const SERVER = 10

const table = (server) =>
  dynamodb(server, 'CreateTable', {
    TableName: 'backed',
    AttributeDefinitions: ['id', 'group'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [{ IndexName: 'by-group', KeySchema: [{ AttributeName: 'group', KeyType: 'HASH' }], Projection: { ProjectionType: 'ALL' } }],
    BillingMode: 'PAY_PER_REQUEST',
  })
const put = (server, id, value) => dynamodb(server, 'PutItem', { TableName: 'backed', Item: { id: { S: id }, group: { S: `g${value % 3}` }, value: { N: String(value) } } })

async function all(server) {
  const items = new Map()
  let ExclusiveStartKey
  do {
    const page = await dynamodb(server, 'Scan', { TableName: 'backed', ConsistentRead: true, ExclusiveStartKey })
    for (const item of page.Items) items.set(item.id.S, Number(item.value.N))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  return items
}

/** Many items at once, by the import command. */
async function fill(t, server, count, from = 0) {
  const file = path.join(temporaryFolder(t), 'items.json')
  const lines = []
  for (let n = from; n < from + count; n++) lines.push(JSON.stringify({ Item: { id: { S: `i${n}` }, group: { S: `g${n % 3}` }, value: { N: String(n) }, noise: { B: randomBytes(150).toString('base64') } } }))
  writeFileSync(file, lines.join('\n'))
  const { code, stderr } = await run(['import', '--from', file, '--table', 'backed', '--endpoint', server.http])
  assert.equal(code, 0, stderr)
}

const backup = (server, to, more = []) => run(['backup', '--to', to, '--data', path.join(server.folder, 'data'), '--endpoint', server.http, ...more])
const entries = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => [entry.isDirectory(), path.join(entry.parentPath ?? entry.path, entry.name)])

test('under load: nothing that was acknowledged before the command is missing', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await table(server)
  await fill(t, server, 5000)
  const acknowledged = new Map()
  let going = true
  const writers = Array.from({ length: 4 }, async (_, w) => {
    for (let n = 0; going; n++) {
      await put(server, `w${w}-${n % 50}`, n)
      acknowledged.set(`w${w}-${n % 50}`, n)
    }
  })
  for (let round = 0; round < 3; round++) {
    await until('some writes', () => acknowledged.size === 200 && [...acknowledged.values()].some((n) => n > 100 * (round + 1)))
    const before = new Map(acknowledged)
    const to = path.join(folder, `backup-${round}`)
    const made = await backup(server, to, round === 1 ? ['--copy'] : [])
    assert.equal(made.code, 0, made.stderr)
    const after = new Map(acknowledged)
    assert.match(made.stdout, /backup of everything up to sequence \d+/)
    assert.ok(!existsSync(`${to}.partial`))
    assert.ok(!existsSync(path.join(server.folder, 'data', 'tables.checkpoint')))
    assert.equal(statSync(to).mode & 0o777, 0o700)
    for (const [isFolder, name] of entries(to)) {
      if (isFolder) assert.equal(statSync(name).mode & 0o777, 0o700, name)
      else if (round === 1 || !name.endsWith('.sst')) assert.equal(statSync(name).mode & 0o777, 0o600, name)
      if (round === 1) assert.equal(statSync(name).nlink > 1 && !isFolder, false, `${name} is a link`)
    }

    const checked = await run(['verify', to])
    assert.equal(checked.code, 0, checked.stdout)
    const data = path.join(folder, `restored-${round}`, 'data')
    mkdirSync(path.dirname(data))
    const restored = await run(['restore', '--from', to, '--data', data])
    assert.equal(restored.code, 0, restored.stdout + restored.stderr)
    assert.match(restored.stdout, /tables with 5,2[0-4]\d items, up to sequence \d+ of 20\d\d-/)
    const other = await start(t, { folder: path.dirname(data), driven: false })
    const found = await all(other)
    assert.equal(found.size, 5200)
    for (const [id, n] of before) assert.ok(found.get(id) >= n, `${id} is ${found.get(id)}, ${n} had been acknowledged`)
    for (const [id, n] of after) assert.ok(found.get(id) <= n + 1, `${id} is ${found.get(id)}, ahead of ${n}`)
    // One order of all writes: each writer's items are a prefix of what it wrote.
    for (let w = 0; w < 4; w++) {
      const values = [...found].filter(([id]) => id.startsWith(`w${w}-`)).map(([, n]) => n)
      assert.equal(Math.max(...values) - Math.min(...values), 49, `writer ${w}`)
    }
    await put(other, 'new', 1)
    await other.stop()
  }
  going = false
  await Promise.all(writers)
})

test('a backup is served, and verified, as it is', async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await table(server)
  for (let n = 0; n < 20; n++) await put(server, `i${n}`, n)
  assert.equal((await backup(server, path.join(folder, 'data'))).code, 0)
  const other = await start(t, { folder, driven: false })
  assert.equal((await all(other)).size, 20)
  await put(other, 'another', 1)
  assert.equal((await all(server)).size, 20)
  assert.equal((await run(['restore', '--from', path.join(folder, 'data'), '--data', path.join(folder, 'x')])).code, LOCKED, 'it is in use')
  await other.stop()
})

test('without a server; twice; from an encrypted folder', { timeout: 600000 }, async (t) => {
  const folder = temporaryFolder(t)
  const key = path.join(folder, 'key')
  writeFileSync(key, randomBytes(32).toString('hex'), { mode: 0o600 })
  for (const env of [{}, { WEIR_ENCRYPTION_KEY_FILE: key }]) {
    const name = env.WEIR_ENCRYPTION_KEY_FILE ? 'sealed' : 'plain'
    const server = await start(t, { driven: false, env })
    const data = path.join(server.folder, 'data')
    await table(server)
    for (let n = 0; n < 30; n++) await put(server, `Zanzibar-${n}`, n)
    const online = path.join(folder, `${name}-online`)
    assert.equal((await backup(server, online)).code, 0)
    await put(server, 'Zanzibar-last', 30)
    await server.kill9()
    const offline = path.join(folder, `${name}-offline`)
    const made = await run(['backup', '--to', offline, '--data', data])
    assert.equal(made.code, 0, made.stderr)
    for (const [from, count] of [[online, 30], [offline, 31]]) {
      const words = readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && readFileSync(path.join(entry.parentPath ?? entry.path, entry.name)).includes('Zanzibar'))
      assert.equal(words.length > 0, name === 'plain', 'readable words')
      const place = path.join(temporaryFolder(t), 'data')
      if (name === 'sealed') {
        const without = await run(['restore', '--from', from, '--data', place])
        assert.equal(without.code, WRONG_KEY, without.stderr)
        assert.ok(!existsSync(place) && !existsSync(`${place}.partial`))
      }
      const checked = await run(['verify', from], { env })
      assert.equal(checked.code, 0, checked.stdout + checked.stderr)
      const restored = await run(['restore', '--from', from, '--data', place], { env })
      assert.equal(restored.code, 0, restored.stdout + restored.stderr)
      const other = await start(t, { folder: path.dirname(place), driven: false, env })
      assert.equal((await all(other)).size, count)
      await other.stop()
    }
    await server.restart()
    assert.equal((await all(server)).size, 31, 'the source is as it was')
    await server.stop()
  }
})

test('the command is killed: the server goes on; the server is killed: nothing looks whole', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  const data = path.join(server.folder, 'data')
  await table(server)
  await fill(t, server, 40000)
  const words = (to) => ['backup', '--copy', '--to', to, '--data', data, '--endpoint', server.http]

  const first = path.join(folder, 'first')
  const child = spawn(program, words(first), { stdio: 'ignore' })
  await until('the beginning', () => existsSync(`${first}.partial`) || existsSync(first), { every: 1 })
  child.kill('SIGKILL')
  await until('the end', () => existsSync(first))
  assert.equal((await run(['verify', first])).code, 0)

  for (let round = 0; round < 6; round++) {
    const to = path.join(folder, `round-${round}`)
    const asked = run(words(to))
    await until('the beginning', () => existsSync(`${to}.partial`) || existsSync(to), { every: 1 })
    await new Promise((resolve) => setTimeout(resolve, round * 15)) // another moment of the copy each time; whichever it is, what follows must hold
    await server.kill9()
    const { code } = await asked
    if (existsSync(to)) assert.equal((await run(['verify', to])).code, 0, 'what has its name is whole')
    else {
      assert.equal(code, SERVER)
      const left = await run(['restore', '--from', `${to}.partial`, '--data', path.join(folder, 'never')])
      assert.ok([FAILED, DAMAGED].includes(left.code), left.stderr)
      await server.restart()
      assert.ok(!existsSync(path.join(data, 'tables.checkpoint')), 'tidied at the start')
      const again = await run(words(to))
      assert.equal(again.code, 0, again.stderr)
      assert.ok(!existsSync(`${to}.partial`))
      assert.equal((await run(['verify', to])).code, 0)
    }
    if (server.child.signalCode) await server.restart()
  }
})

test('a stop of the server ends a backup and leaves nothing of it', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await table(server)
  await fill(t, server, 40000)
  const to = path.join(folder, 'b')
  const asked = backup(server, to, ['--copy'])
  await until('the beginning', () => existsSync(`${to}.partial`) || existsSync(to), { every: 1 })
  await server.stop()
  const { code } = await asked
  assert.ok(!existsSync(`${to}.partial`))
  assert.ok(!existsSync(path.join(server.folder, 'data', 'tables.checkpoint')))
  assert.ok(existsSync(to) || code === SERVER || code === FAILED, `exit ${code}`)
})

function flip(file, at) {
  const fd = openSync(file, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  byte[0] ^= 0x10
  writeSync(fd, byte, 0, 1, at)
  closeSync(fd)
}

test('on top of an earlier backup: what is the same is linked, what is damaged or new is copied', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  const place = (name) => path.join(folder, name)
  const tables = (name) => readdirSync(path.join(place(name), 'tables')).filter((file) => file.endsWith('.sst'))
  const inode = (name, file) => statSync(path.join(place(name), 'tables', file)).ino
  await table(server)
  await fill(t, server, 3000)
  let shared = []
  for (let round = 0; round < 6 && !shared.length; round++) { // a compaction in between leaves nothing the same; the next one is many flushes away
    for (const name of ['first', 'second']) rmSync(place(name), { recursive: true, force: true })
    assert.equal((await backup(server, place('first'), ['--copy'])).code, 0)
    await put(server, 'new', round)
    const second = await backup(server, place('second'), ['--copy', '--base', place('first')])
    assert.equal(second.code, 0, second.stderr)
    shared = tables('second').filter((file) => tables('first').includes(file))
    for (const file of shared) assert.equal(inode('second', file), inode('first', file))
    assert.ok(tables('second').length > shared.length, 'something is new')
  }
  assert.ok(shared.length > 0, 'something is the same')

  rmSync(place('second'), { recursive: true })
  flip(path.join(place('first'), 'tables', shared[0]), 100)
  const third = await backup(server, place('third'), ['--copy', '--base', place('first')])
  assert.equal(third.code, 0, third.stderr)
  if (tables('third').includes(shared[0])) assert.notEqual(inode('third', shared[0]), inode('first', shared[0]))
  rmSync(place('first'), { recursive: true })
  assert.equal((await run(['verify', place('third')])).code, 0)
  const restored = await run(['restore', '--from', place('third'), '--data', place('r')])
  assert.match(restored.stdout, /3,0[0-4]\d items/) // declared alarms and dashboards are items, too
  const none = await backup(server, place('fourth'), ['--base', folder])
  assert.equal(none.code, FAILED)
  assert.match(none.stderr, /is no backup to build on/)
})

test('a damaged backup is refused, and the file named', { timeout: 600000 }, async (t) => {
  const server = await start(t, { driven: false })
  const folder = temporaryFolder(t)
  await table(server)
  await fill(t, server, 3000)
  await put(server, 'last', 1)
  const whole = path.join(folder, 'whole')
  assert.equal((await backup(server, whole, ['--copy'])).code, 0)
  const sst = readdirSync(path.join(whole, 'tables')).find((name) => name.endsWith('.sst'))
  const log = readdirSync(path.join(whole, 'journal'))[0]
  const damages = [
    [sst, (copy) => flip(path.join(copy, 'tables', sst), Math.floor(statSync(path.join(whole, 'tables', sst)).size / 2))],
    [log, (copy) => flip(path.join(copy, 'journal', log), 6000)],
    [sst, (copy) => writeFileSync(path.join(copy, 'tables', sst), '')],
  ]
  for (const [index, [name, damage]] of damages.entries()) {
    const copy = path.join(folder, `copy-${index}`)
    cpSync(whole, copy, { recursive: true })
    damage(copy)
    const place = path.join(folder, `restored-${index}`)
    const restored = await run(['restore', '--from', copy, '--data', place])
    assert.equal(restored.code, DAMAGED, `${name}: ${restored.stdout}${restored.stderr}`)
    assert.ok(restored.stdout.includes(name), restored.stdout)
    assert.match(restored.stderr, /nothing was restored/)
    assert.ok(!existsSync(place) && !existsSync(`${place}.partial`))
    const checked = await run(['verify', copy])
    assert.equal(checked.code, DAMAGED)
    assert.ok(checked.stdout.includes(name), checked.stdout)
  }
})

test('what is refused, and what it says', { timeout: 600000 }, async (t) => {
  const folder = temporaryFolder(t)
  const server = await start(t, { driven: false })
  const data = path.join(server.folder, 'data')
  await table(server)
  const full = path.join(folder, 'full')
  mkdirSync(full)
  writeFileSync(path.join(full, 'precious'), 'x')
  mkdirSync(path.join(folder, 'mine.partial'))
  writeFileSync(path.join(folder, 'mine.partial', 'precious'), 'x')

  const refused = async (words, code, said) => {
    const answer = await run(words)
    assert.equal(answer.code, code, answer.stderr)
    assert.match(answer.stderr, said)
  }
  const online = ['--data', data, '--endpoint', server.http]
  await refused(['backup'], USAGE, /--to FOLDER is needed/)
  await refused(['backup', '--to', 'relative', '--endpoint', server.http], USAGE, /absolute paths/)
  await refused(['backup', '--to', full, ...online], FAILED, /is not empty/)
  await refused(['backup', '--to', path.join(folder, 'mine'), ...online], FAILED, /mine\.partial is in the way/)
  await refused(['backup', '--to', path.join(folder, 'no', 'such', 'b'), ...online], FAILED, /does not exist/)
  await refused(['backup', '--to', path.join(data, 'b'), ...online], FAILED, /in the data folder itself/)
  await refused(['backup', '--to', path.join(folder, 'b'), '--data', folder], FAILED, /is not a data folder/)
  await refused(['backup', '--to', path.join(folder, 'b'), '--data', data, '--endpoint', 'http://127.0.0.1:1'], SERVER, /a server has the folder.*--endpoint/)
  const other = await start(t, { driven: false })
  await refused(['backup', '--to', path.join(folder, 'b'), '--data', data, '--endpoint', other.http], SERVER, /another data folder/)
  await refused(['restore', '--from', folder, '--data', path.join(folder, 'r')], FAILED, /is not a backup/)
  assert.equal((await backup(server, path.join(folder, 'good'))).code, 0)
  await refused(['restore', '--from', path.join(folder, 'good'), '--data', full], FAILED, /is not empty/)
  await refused(['restore', '--from', path.join(folder, 'good'), '--data', data], FAILED, /is not empty/)
  assert.equal(readFileSync(path.join(full, 'precious'), 'utf8'), 'x')
  assert.equal(readFileSync(path.join(folder, 'mine.partial', 'precious'), 'utf8'), 'x')

  const ask = (method, body) => request(server, method, '/@backup', { body: body && JSON.stringify(body) })
  assert.equal((await ask('GET')).json.state, 'done')
  for (const body of [{}, { to: 'relative' }, { to: 7 }, { to: '' }, { to: '/a\0b' }, { to: '/x', copy: 1 }, { to: '/x', base: 'y' }, []]) {
    const answer = await ask('POST', body)
    assert.equal(answer.status, 400, JSON.stringify(body))
    assert.equal(answer.json.error, 'INVALID')
  }
  assert.equal((await ask('PUT')).status, 405)
  assert.equal((await ask('DELETE')).json.state, 'done')
  assert.equal((await request(server, 'POST', '/@backup', { headers: { origin: 'http://evil.example' }, body: JSON.stringify({ to: path.join(folder, 'evil') }) })).status, 403)
  assert.ok(!existsSync(path.join(folder, 'evil')))
})

test('with real keys the request must be signed, by a key that may', async (t) => {
  const folder = temporaryFolder(t)
  const secret = 'a-secret-of-the-test'
  const config = `
keys:
  - {id: AKIAALL, secret: ${secret}}
  - {id: AKIABACKUP, secret: ${secret}, policy: [{actions: execute-api:Backup}]}
  - {id: AKIAMANAGE, secret: ${secret}, policy: [{actions: execute-api:ManageConnections}]}
`
  const server = await start(t, { driven: false, config })
  const words = (name) => ['backup', '--to', path.join(folder, name), '--data', path.join(server.folder, 'data'), '--endpoint', server.http]
  const env = (id, key = secret) => ({ env: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key } })
  assert.ok([401, 403].includes((await request(server, 'GET', '/@backup')).status))
  const wrong = await run(words('a'), env('AKIAALL', 'another'))
  assert.equal(wrong.code, SERVER, wrong.stderr)
  assert.match(wrong.stderr, /signature/i)
  const denied = await run(words('b'), env('AKIAMANAGE'))
  assert.equal(denied.code, SERVER, denied.stderr)
  assert.match(denied.stderr, /is not authorized to perform: execute-api:Backup/)
  for (const id of ['AKIAALL', 'AKIABACKUP']) {
    const right = await run(words(id), env(id))
    assert.equal(right.code, 0, right.stderr)
  }
  assert.ok(!existsSync(path.join(folder, 'a')) && !existsSync(path.join(folder, 'b')))
})
