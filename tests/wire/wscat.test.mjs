// The document's own test: wscat -c "ws://.../[stage]?userId=test", typed into by hand.
// GW-9, GW-24, OP-7
import test from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { atEnd, quiet, start, until, within } from './lib/weir.mjs'

const wscat = fileURLToPath(new URL('node_modules/wscat/bin/wscat', import.meta.url))

test('wscat connects, says something and reads the answer', async (t) => {
  const server = await start(t)
  const said = async (path, line, answer) => {
    const child = spawn(process.execPath, [wscat, '-c', server.ws + path, '--no-color', '-x', line, '-w', '2'], { stdio: ['pipe', 'pipe', 'pipe'] })
    atEnd(t, () => child.kill('SIGKILL'))
    let out = ''
    child.stdout.on('data', (piece) => (out += piece))
    child.stderr.on('data', (piece) => (out += piece))
    await until(`${answer} in what wscat prints`, () => {
      if (answer.test(out)) return true
      throw new Error(out)
    })
    child.kill('SIGTERM')
    await within('the end of wscat', new Promise((resolve) => (child.exitCode === null ? child.on('close', resolve) : resolve())))
  }
  await said('/echo/prod?userId=test', 'hello from wscat', /hello from wscat/)
  await said('/riddle-rush/prod?userId=test', '{"action":"getUserStats","data":{"userId":"test"}}', /"type":"userStats"/)
  await said('/clash-bot/prod', '{"type":"ping"}', /"type":"pong"/)
  await quiet(server)
})

test('wscat shows the status of a refusal', async (t) => {
  const server = await start(t)
  const child = spawn(process.execPath, [wscat, '-c', `${server.ws}/landing-hub/prod`], { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  child.stdout.on('data', (piece) => (out += piece))
  child.stderr.on('data', (piece) => (out += piece))
  await within('the end of wscat', new Promise((resolve) => child.on('close', resolve)))
  assert.match(out, /Unexpected server response: 401/)
  await quiet(server)
})
