// The data folders of releases: each is opened by this program, is whole, and reads as it did when it was made. tests/folders/README.md says how one is added.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { fill, MADE, open, OPENED, read, verifyEnvironment } from './lib/folder.mjs'
import { ok } from './dynamodb/lib.mjs'
import { run, temporaryFolder } from './lib/weir.mjs'

const kept = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../folders')
const SIZE_MAX = 300 << 10
const FORMS = ['plain', 'encrypted']

async function whole(folder, encrypted) {
  const { code, stdout, stderr } = await run(['verify', path.join(folder, 'data')], { env: verifyEnvironment(encrypted) })
  assert.equal(code, 0, stdout + stderr)
}

/** What was read, without members that its program did not know yet. */
function known(found, expected) {
  if (Array.isArray(found) && Array.isArray(expected)) return found.map((one, i) => known(one, expected[i]))
  if (!found || !expected || typeof found !== 'object' || typeof expected !== 'object') return found
  return Object.fromEntries(Object.entries(found).filter(([name]) => name in expected).map(([name, value]) => [name, known(value, expected[name])]))
}

/** An old folder is written to: with conditions and streams, as a new one. */
async function goesOn(server) {
  const Key = { id: { S: 'item-0' }, number: { N: '0' } }
  const { Attributes } = await ok(server, 'UpdateItem', { TableName: 'kept', Key, UpdateExpression: 'SET score = score + :one', ConditionExpression: 'attribute_exists(id)', ExpressionAttributeValues: { ':one': { N: '1' } }, ReturnValues: 'UPDATED_NEW' })
  assert.deepEqual(Attributes, { score: { N: '1' } })
  const last = (await read(server, ['stream'])).stream.at(-1)
  assert.deepEqual([last.eventName, last.dynamodb.Keys, last.dynamodb.NewImage.score], ['MODIFY', Key, { N: '1' }])
}

const unpack = (t, file) => {
  const folder = temporaryFolder(t)
  execFileSync('tar', ['-xzf', file, '-C', folder])
  return folder
}

// WEIR_MAKE_FOLDER=VERSION (scripts/make-folder.sh) writes the folder of a release instead of reading those that are kept.
if (process.env.WEIR_MAKE_FOLDER) {
  const target = path.join(kept, process.env.WEIR_MAKE_FOLDER)
  mkdirSync(target, { recursive: true })
  for (const form of FORMS) {
    test(`making ${form}`, async (t) => {
      const folder = temporaryFolder(t), encrypted = form === 'encrypted', file = path.join(target, `${form}.tar.gz`)
      const server = await open(t, folder, { time: MADE, encrypted })
      await fill(server)
      await server.stop()
      execFileSync('tar', ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--exclude=data/tables/LOG', '-S', '-I', 'gzip -9n', '-cf', file, '-C', folder, 'data'])
      assert.ok(statSync(file).size < SIZE_MAX, `${file} has ${statSync(file).size} bytes`)
      const again = await open(t, unpack(t, file), { time: OPENED, encrypted })
      writeFileSync(path.join(target, `${form}.json`), JSON.stringify(await read(again), null, 1) + '\n')
    })
  }
} else {
  const versions = existsSync(kept) ? readdirSync(kept, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name) : []

  test('there are folders', () => assert.ok(versions.length > 0))

  test('a time is given to the driven clock alone', async (t) => {
    for (const args of [['--clock-start', OPENED], ['--driven-clock', '--clock-start', 'soon']]) {
      const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--data', temporaryFolder(t), ...args])
      assert.equal(code, 2)
      assert.match(stderr, /--clock-start is a time/)
    }
  })

  for (const version of versions) {
    for (const form of FORMS) {
      test(`${version}, ${form}`, async (t) => {
        const encrypted = form === 'encrypted', expected = JSON.parse(readFileSync(path.join(kept, version, `${form}.json`), 'utf8'))
        const folder = unpack(t, path.join(kept, version, `${form}.tar.gz`))
        await whole(folder, encrypted)
        const server = await open(t, folder, { time: OPENED, encrypted })
        const found = await read(server, Object.keys(expected))
        for (const [part, content] of Object.entries(expected)) assert.deepEqual(known(found[part], content), content, part)
        await goesOn(server)
        await server.stop()
        await whole(folder, encrypted)
      })
    }
  }
}
