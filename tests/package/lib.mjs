// The packages, made once for a test file by cpack from the build tree of the program under test; nothing is compiled for them.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import assert from 'node:assert/strict'
import { program } from '../wire/lib/weir.mjs'

export const build = path.dirname(path.resolve(program))

/** Runs a command to its end; it must succeed unless `code` says otherwise. */
export function sh(command, args, { code = 0, ...options } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options })
  if (error) throw error
  if (code !== null) assert.equal(status, code, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`)
  return { stdout, stderr, status }
}

export const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

let made, folder
process.on('exit', () => {
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** {program, development, version, root}: the two files, and their content in one folder, as dpkg would put it below /. */
export function packages() {
  if (made) return made
  folder = mkdtempSync(path.join(tmpdir(), 'weir-package-'))
  sh('cpack', ['--config', path.join(build, 'CPackConfig.cmake'), '-B', folder])
  const names = readdirSync(folder).filter((name) => name.endsWith('.deb'))
  const find = (pattern) => path.join(folder, names.find((name) => pattern.test(name)) ?? assert.fail(`${pattern} in ${names}`))
  const root = path.join(folder, 'root')
  mkdirSync(root)
  made = { program: find(/^weir_/), development: find(/^weir-dev_/), version: sh(program, ['--version']).stdout.trim().split(' ')[1], root }
  for (const file of [made.program, made.development]) sh('dpkg-deb', ['-x', file, root])
  return made
}
