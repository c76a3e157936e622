// The Debian packages: what is in them, the unit, the configuration, the pages, and an application in a repository of its own that is built against them. The chroot test
// (`make package-test`) installs, upgrades and removes them for real.
import test from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { spawn } from 'node:child_process'
import { packages, sh, has } from './lib.mjs'
import { atEnd, request, run, start, temporaryFolder, within } from '../wire/lib/weir.mjs'
import { connect } from '../wire/lib/client.mjs'
import { dynamodb } from '../wire/lib/dynamodb.mjs'

const contents = (file) => new Map(sh('dpkg-deb', ['-c', file]).stdout.trim().split('\n').map((line) => {
  const [mode, owner, , , , name] = line.split(/\s+/)
  return [name.slice(1), { mode, owner }]
}))
const field = (file, name) => sh('dpkg-deb', ['-f', file, name]).stdout.trim()

test('the packages hold what they should, owned by root', (t) => {
  const made = packages()
  const first = contents(made.program)
  for (const [name, mode] of [
    ['/usr/bin/weir', '-rwxr-xr-x'], ['/usr/lib/systemd/system/weir.service', '-rw-r--r--'], ['/etc/weir/weir.yaml', '-rw-r--r--'], ['/etc/default/weir', '-rw-r--r--'],
    ['/usr/share/man/man1/weir.1.gz', '-rw-r--r--'], ['/usr/share/man/man5/weir.yaml.5.gz', '-rw-r--r--'], ['/usr/share/bash-completion/completions/weir', '-rw-r--r--'],
    ['/usr/share/doc/weir/copyright', '-rw-r--r--'], ['/usr/share/doc/weir/changelog.gz', '-rw-r--r--'],
  ]) assert.equal(first.get(name)?.mode, mode, name)
  const second = contents(made.development)
  for (const name of ['/usr/include/weir/weir.h', '/usr/lib/libweir.a', '/usr/lib/pkgconfig/weir.pc', '/usr/share/doc/weir-dev/examples/standalone/guestbook.c'])
    assert.ok(second.has(name), name)
  for (const [name, { owner }] of [...first, ...second]) assert.equal(owner, 'root/root', name)
  const libraries = [...first.keys()].filter((name) => /\.(a|h)$/.test(name))
  assert.deepEqual(libraries, [], 'development files stay in weir-dev')
})

test('the packages say their name, version and dependencies', (t) => {
  const made = packages()
  assert.equal(field(made.program, 'Package'), 'weir')
  assert.equal(field(made.development, 'Package'), 'weir-dev')
  for (const file of [made.program, made.development]) assert.equal(field(file, 'Version'), made.version)
  const needed = field(made.program, 'Depends')
  for (const name of ['adduser', 'libc6', 'librocksdb', 'libcurl4', 'libssl3', 'libyaml-0-2', 'libnghttp2-14', 'libsimdjson', 'libpcre2-8-0', 'libzstd1', 'zlib1g', 'libstdc++6'])
    assert.ok(needed.includes(name), `${name} in ${needed}`)
  for (const name of ['librocksdb-dev', 'libssl-dev', 'libpcre2-dev']) assert.ok(field(made.development, 'Depends').includes(name), name)
  const folder = temporaryFolder(t)
  sh('dpkg-deb', ['-e', made.program, folder])
  assert.equal(readFileSync(path.join(folder, 'conffiles'), 'utf8'), '/etc/weir/weir.yaml\n/etc/default/weir\n')
  for (const name of ['postinst', 'prerm', 'postrm']) {
    const script = path.join(folder, name)
    assert.equal(statSync(script).mode & 0o777, 0o755, name)
    sh('sh', ['-n', script])
  }
})

test('the unit is valid, and closed', (t) => {
  const { root } = packages()
  const unit = readFileSync(path.join(root, 'usr/lib/systemd/system/weir.service'), 'utf8')
  // What weir says by its exit code that a new start cannot heal.
  const codes = readFileSync(new URL('../../src/main/exit.h', import.meta.url), 'utf8')
  const number = (name) => new RegExp(`X\\(${name}, (\\d+),`).exec(codes)[1]
  const prevented = /^RestartPreventExitStatus=(.*)$/m.exec(unit)[1].split(' ')
  assert.deepEqual(prevented, ['USAGE', 'CONFIG', 'LISTEN', 'LOCKED', 'DATA', 'KEY'].map(number))
  assert.match(unit, /^Type=notify$/m)
  if (!has('systemd-analyze')) return t.diagnostic('no systemd-analyze here: the unit is not verified')
  const copy = path.join(temporaryFolder(t), 'weir.service')
  writeFileSync(copy, unit.replaceAll('/usr/bin/weir', path.join(root, 'usr/bin/weir')))
  const said = sh('systemd-analyze', ['verify', '--man=no', copy], { code: null })
  assert.doesNotMatch(said.stderr, /weir\.service/, said.stderr)
  // An exposure of 2.0 of 10 at most; a stock unit has 9.6.
  sh('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=20', copy])
})

test('the packaged configuration is right, and the packaged program serves it', async (t) => {
  const { root } = packages()
  const binary = path.join(root, 'usr/bin/weir')
  assert.match(sh(binary, ['check', path.join(root, 'etc/weir/weir.yaml')]).stdout, /fine; mounts \/echo\n$/)
  const data = path.join(temporaryFolder(t), 'data')
  const child = spawn(binary, ['serve', '--config', path.join(root, 'etc/weir/weir.yaml'), '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  atEnd(t, () => child.kill('SIGKILL'))
  const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)))
  const line = await within('the first line', new Promise((resolve) => child.stdout.once('data', (piece) => resolve(piece.toString()))))
  const server = JSON.parse(line)
  const health = await run(['health', '--endpoint', server.http])
  assert.equal(health.code, 0, health.stderr)
  assert.equal(JSON.parse(health.stdout).status, 'ok')
  child.kill('SIGTERM')
  assert.equal(await within('its end', ended), 0)
  const gone = await run(['health', '--endpoint', server.http, '--timeout', '2s'])
  assert.equal(gone.code, 10)
  assert.match(gone.stderr, /^weir health: http:\/\/127\.0\.0\.1/)
})

test('weir health tells a server that refuses writes, and words it does not know', async (t) => {
  const full = http.createServer((request, response) => response.writeHead(request.url === '/healthz' ? 503 : 404).end('{"status":"read-only"}\n'))
  await new Promise((resolve) => full.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => full.close())
  const answer = await run(['health', '--endpoint', `http://127.0.0.1:${full.address().port}/`])
  assert.equal(answer.code, 1)
  assert.equal(answer.stdout, '{"status":"read-only"}\n')
  assert.equal((await run(['health', '--timeout', 'soon'])).code, 2)
  assert.equal((await run(['health', '--timeout', '2m'])).code, 2)
  assert.equal((await run(['health', '--endpoint', 'ftp://127.0.0.1'])).code, 10)
})

test('the pages name every command, option and exit code', async (t) => {
  const { root } = packages()
  const page = path.join(root, 'usr/share/man/man1/weir.1.gz')
  const source = sh('zcat', [page]).stdout.replaceAll('\\-', '-')
  const { stdout } = await run(['--help'])
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) +\S/gm)].map((match) => match[1])
  assert.ok(commands.includes('serve') && commands.includes('health'))
  for (const command of commands) {
    assert.ok(source.includes(`.SS weir ${command}\n`), command)
    for (const [, option] of (await run([command, '--help'])).stdout.matchAll(/^ {2}(--[a-z-]+)/gm)) assert.ok(source.includes(`.B ${option}`), `${command} ${option}`)
  }
  for (const [, code] of stdout.matchAll(/^ {2}(\d+) /gm)) assert.ok(source.includes(`.TP\n.B ${code}\n`), `exit ${code}`)
  const keys = sh('zcat', [path.join(root, 'usr/share/man/man5/weir.yaml.5.gz')]).stdout.replaceAll('\\-', '-').replaceAll('\\e', '\\')
  for (const line of (await run(['check', '--keys'])).stdout.trim().split('\n')) assert.ok(keys.includes(line), line)
  if (!has('groff')) return
  for (const name of ['man1/weir.1.gz', 'man5/weir.yaml.5.gz']) {
    const said = sh('sh', ['-c', `zcat '${path.join(root, 'usr/share/man', name)}' | groff -man -Tutf8 -ww -z`])
    assert.equal(said.stderr, '', name)
  }
})

test('completion offers what the program knows', (t) => {
  if (!has('bash')) return
  const { root } = packages()
  const complete = (...words) => sh('bash', ['-c', `
    PATH='${root}/usr/bin':$PATH; . '${root}/usr/share/bash-completion/completions/weir'
    COMP_WORDS=(weir "$@"); COMP_CWORD=$#; _weir; printf '%s\\n' "\${COMPREPLY[@]}"`, 'weir', ...words]).stdout.trim().split('\n')
  assert.deepEqual(complete('ser'), ['serve'])
  assert.deepEqual(complete('serve', '--dat'), ['--data'])
  assert.deepEqual(complete('serve', '--log-level', 'w'), ['warn'])
})

test('an application in a repository of its own is built against the packages and serves', async (t) => {
  const { root } = packages()
  const repository = path.join(temporaryFolder(t), 'guestbook')
  cpSync(path.join(root, 'usr/share/doc/weir-dev/examples/standalone'), repository, { recursive: true })
  const env = { ...process.env, PKG_CONFIG_PATH: path.join(root, 'usr/lib/pkgconfig') }
  sh('make', [`PKG_CONFIG=pkg-config --define-variable=prefix=${root}/usr`, 'CFLAGS=-O1 -Wall -Wextra -Werror'], { cwd: repository, env })
  const binary = path.join(repository, 'guestbook')
  assert.ok(existsSync(binary))
  const server = await start(t, { program: binary })
  const ada = await connect(`${server.ws}/guestbook`)
  assert.equal((await ada.ask({ action: 'sign', name: 'Ada' })).type, 'ack')
  assert.equal((await ada.ask({ action: 'sign', name: 'Grace' })).type, 'ack')
  assert.deepEqual(await ada.ask({ action: 'count' }), { type: 'guests', count: 2 })
  const { Count } = await dynamodb(server, 'Scan', { TableName: 'guests-dev' })
  assert.equal(Count, 2)
  // It has the page that `weir` has, when that has one.
  const page = (of) => request(of, 'GET', '/', { headers: { accept: 'text/html' } })
  assert.equal((await page(server)).body, (await page(await start(t))).body)
  // It mounts what it was given, and nothing else.
  await assert.rejects(connect(`${server.ws}/echo`), /refused/)
  await ada.close()
  await server.stop()
  assert.match(sh(binary, ['verify', path.join(server.folder, 'data')]).stdout, /./)
})

test('a program with a list of none is a server of tables', (t) => {
  const { root } = packages()
  const folder = temporaryFolder(t)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'none.c'), '#include <weir/weir.h>\n#include <stddef.h>\nint main(int argc, char **argv)\n{\n    return weir_main(argc, argv, NULL);\n}\n')
  const env = { ...process.env, PKG_CONFIG_PATH: path.join(root, 'usr/lib/pkgconfig') }
  const flags = sh('pkg-config', [`--define-variable=prefix=${root}/usr`, '--cflags', '--libs', 'weir'], { env }).stdout.trim().split(/\s+/)
  sh('cc', ['-o', path.join(folder, 'none'), path.join(folder, 'none.c'), ...flags])
  assert.match(sh(path.join(folder, 'none'), ['--version']).stdout, /^weir \d/)
  // In C++, too: the header says extern "C".
  writeFileSync(path.join(folder, 'none.cc'), readFileSync(path.join(folder, 'none.c'), 'utf8').replace('NULL', 'nullptr'))
  sh('c++', ['-std=c++20', '-c', '-Wall', '-Werror', '-o', path.join(folder, 'none.o'), path.join(folder, 'none.cc'), ...flags.filter((flag) => flag.startsWith('-I'))])
})
