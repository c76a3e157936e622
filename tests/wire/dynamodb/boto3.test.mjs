// boto3: the resource, tables, conditions, the batch writer, paginators, waiters and transactions of Python programs. The cases are in boto3_cases.py.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { quiet, start } from '../lib/weir.mjs'

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'boto3_cases.py')
const cases = ['types', 'table_life', 'conditions', 'indexes', 'updates', 'batches', 'transactions', 'paginators', 'streams']

/** The first Python that has boto3: the one on the path, else the system's. */
function interpreter() {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', 'import boto3'], { stdio: 'ignore' })
      return python
    } catch {
      // The next one.
    }
  }
  throw new Error('no Python with boto3: scripts/setup.sh --test installs one')
}

const python = interpreter()

function run(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(python, ['-B', script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300000 })
    let out = '', said = ''
    child.stdout.on('data', (bytes) => (out += bytes))
    child.stderr.on('data', (bytes) => (said += bytes))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`${args.at(-1)}: ${said || out || `ended with ${code}`}`))))
  })
}

test('every case of the script is run', async () => {
  assert.deepEqual((await run('--list')).trim().split('\n'), cases)
})

for (const name of cases)
  test(name, async (t) => {
    const server = await start(t, { driven: false })
    await run(server.http, name)
    await quiet(server)
  })
