// The command line: help for each subcommand, the version, and an exit code of its own for what is not understood.
import test from 'node:test'
import assert from 'node:assert/strict'
import { run } from './lib/weir.mjs'

test('help and version', async () => {
  assert.match((await run(['--version'])).stdout, /^weir \d+\.\d+\.\d+\n$/)
  const help = await run(['--help'])
  assert.equal(help.code, 0)
  for (const command of ['serve', 'check', 'token', 'verify']) {
    assert.match(help.stdout, new RegExp(`^  ${command} `, 'm'))
    const own = await run([command, '--help'])
    assert.equal(own.code, 0)
    assert.match(own.stdout, new RegExp(`^weir ${command}`))
    assert.equal(own.stderr, '')
  }
})

test('what is not understood ends with 2 and a sentence', async () => {
  for (const args of [[], ['nonsense'], ['serve', '--nonsense'], ['serve', '--listen'], ['serve', '--io-threads', 'many'], ['token'], ['serve', 'word', 'word']]) {
    const { code, stdout, stderr } = await run(args)
    assert.equal(code, 2, args.join(' '))
    assert.equal(stdout, '')
    assert.notEqual(stderr, '')
  }
})
