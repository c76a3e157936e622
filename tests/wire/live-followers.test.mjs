// Many followers in C (tests/soak/followers.c) that break off at random while writes go on: each ends with exactly the table, having seen each change of its set
// once and in order. In a soak 1,000 of them and 100,000 writes.
// FO-15, IN-5
import test from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { atEnd, program, until } from './lib/weir.mjs'
import { notes } from './lib/live.mjs'
import { seconds, token } from './lib/token.mjs'

const [clients, writes, life] = process.env.WEIR_SOAK ? [1000, 100000, 3000] : [100, 20000, 200] // ms
const besides = path.dirname(program)
const followers = [path.join(besides, 'bin', 'followers'), path.join(besides, 'followers')].find((file) => existsSync(file)) ?? 'followers'
const seed = Number(process.env.SEED ?? Date.now() % 1000000)

test(`${clients} clients, ${writes} writes, SEED=${seed}`, { timeout: process.env.WEIR_SOAK ? 1200000 : 120000 }, async (t) => {
  const { server } = await notes(t, { threads: 2 })
  const exp = seconds(await server.now(), 3600 * 24)
  const address = (sub) => `${server.ws}/notes?token=${token({ sub, role: 'user', exp })}`
  const child = spawn(followers, ['--reader', address('reader'), '--writer', address('writer'), '--clients', clients, '--writes', writes, '--life', life, '--seed', seed].map(String))
  atEnd(t, () => child.kill('SIGKILL'))
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (piece) => (out[name] += piece))
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.equal(code, 0, out.stderr)
  const result = JSON.parse(out.stdout)
  t.diagnostic(out.stdout.trim())
  assert.equal(result.resnapshots, 0)
  assert.ok(result.breaks > clients && result.resumes > 0, out.stdout)
  await until('no subscription is left', async () => (await server.counters()).live_subscriptions === 0)
})
