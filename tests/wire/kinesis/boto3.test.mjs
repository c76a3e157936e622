// Python's client: enhanced fan-out over HTTP/1.1. The steps are in boto3_fan_out.py.
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { start } from '../lib/weir.mjs'

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'boto3_fan_out.py')

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

function runProgram(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300000 })
    let out = '', said = ''
    child.stdout.on('data', (bytes) => (out += bytes))
    child.stderr.on('data', (bytes) => (said += bytes))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(said || out || `ended with ${code}`))))
  })
}

test('boto3 subscribes to a shard', async (t) => {
  const server = await start(t, { driven: false })
  assert.equal((await runProgram(interpreter(), ['-B', script, server.http])).trim(), 'ok')
})
