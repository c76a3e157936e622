// weir check: everything that is wrong, each with file, line and column; and serve refuses the same file with the same words.
// OP-2
import test from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { run, temporaryFolder } from './lib/weir.mjs'

const written = (t, text) => {
  const file = path.join(temporaryFolder(t), 'weir.yaml')
  writeFileSync(file, text)
  return file
}

test('a good file is fine', async (t) => {
  const file = written(t, `
listen: 127.0.0.1:9000
apps:
  echo:
  riddle-rush:
    auth: jwt
    jwt: {secretEnv: SURELY_NOT_SET_HERE}
apis:
  chat:
    auth: claimed
    limits: {base: aws, life: 3h}
    origins: [https://game.example, "http://localhost:3000"]
    tables:
      chat-connections-{env}: {hash: connectionId S, ttl: ttl, indexes: {ByUser: {hash: userId S}}}
    registry: {table: "chat-connections-{env}", lifetime: 1h, identity: true}
    routes:
      $connect: http://127.0.0.1:3000/connect
      sendMessage: {url: "http://127.0.0.1:3000/send", timeout: 5s, attempts: 3}
      GET /orders/{id}: http://127.0.0.1:3000/orders
`)
  const { code, stdout } = await run(['check', file])
  assert.match(stdout, /SURELY_NOT_SET_HERE/)
  assert.match(stdout, /warning/)
  assert.match(stdout, /fine; mounts \/echo \/riddle-rush \/chat\n$/)
  assert.equal(code, 0)
})

test('each problem has its line and column', async (t) => {
  const lines = [
    'lissten: 127.0.0.1:9000', // 1: an unknown key
    'ioThreads: 100', // 2: out of range
    'drain: soon', // 3: no duration
    'apps:', //
    '  ekho:', // 5: no such application
    'apis:', //
    '  chat:', //
    '    auth: oauth', // 8: not a word of it
    '    routes:', //
    '      $conect: http://127.0.0.1:1/', // 10: misspelt
    '      talk: ftp://127.0.0.1/', // 11: no http address
    '      late: {url: "http://127.0.0.1:1/", timeout: 30s}', // 12: too long
    '  metrics:', // 13: reserved
    '    routes: {}',
    '    registry: {table: nowhere}', // 15: no such table
    '  last:', //
    '    routes:', //
    '      $default: {url: "http://127.0.0.1:1/", function: "two words"}', // 18: no name of a function
  ]
  const file = written(t, lines.join('\n'))
  const { code, stdout, stderr } = await run(['check', file])
  assert.equal(code, 3)
  const found = [...stdout.matchAll(/^(.*):(\d+):(\d+): (.*)$/gm)].map(([, name, line, column, text]) => ({ name, line: Number(line), column: Number(column), text }))
  assert.deepEqual([...new Set(found.map((f) => f.line))], [1, 2, 3, 5, 8, 10, 11, 12, 13, 15, 18], stdout)
  for (const { name, line, column, text } of found) {
    assert.equal(name, file)
    assert.ok(column >= 1 && column <= lines[line - 1].length, `${line}:${column} ${text}`)
  }
  const at = (line) => found.find((f) => f.line === line)
  assert.equal(at(1).column, 1)
  assert.match(at(1).text, /did you mean listen\?/)
  assert.equal(at(8).column, 11)
  assert.match(at(10).text, /\$connect/)
  assert.match(stderr + stdout, /11 problems/)
  const served = await run(['serve', '--config', file, '--data', path.join(path.dirname(file), 'data')])
  assert.equal(served.code, 3)
  assert.ok(served.stderr.includes(`${file}:1:1: `))
})

test('what is not YAML, and what is not there', async (t) => {
  const broken = await run(['check', written(t, 'apis:\n  chat: [1, 2\n  more: {')])
  assert.equal(broken.code, 3)
  assert.match(broken.stdout, /weir\.yaml:\d+:\d+: /)
  const absent = await run(['check', '/nowhere/weir.yaml'])
  assert.notEqual(absent.code, 0)
  assert.match(absent.stdout + absent.stderr, /\/nowhere\/weir\.yaml/)
  const tabs = await run(['check', written(t, 'apis:\n\tchat:\n')])
  assert.equal(tabs.code, 3)
  assert.match(tabs.stdout, /weir\.yaml:2:/)
})

test('another address than loopback wants keys', async (t) => {
  const open = written(t, 'listen: 0.0.0.0:8080\napps: all\n')
  const refused = await run(['check', open])
  assert.equal(refused.code, 3)
  assert.match(refused.stdout + refused.stderr, /--allow-open/)
  const served = await run(['serve', '--config', open, '--data', path.join(path.dirname(open), 'data')])
  assert.equal(served.code, 3)
  const keyed = written(t, 'listen: 0.0.0.0:8080\napps: all\nkeys: [{id: AKIDEXAMPLE, secret: a long secret of ours}]\n')
  assert.equal((await run(['check', keyed])).code, 0)
})
