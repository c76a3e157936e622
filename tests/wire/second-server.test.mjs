// A data folder belongs to one server: a second is refused with a sentence, and the first goes on.
import test from 'node:test'
import assert from 'node:assert/strict'
import path from 'node:path'
import { quiet, run, start, temporaryFolder } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('the same data folder twice', async (t) => {
  const server = await start(t)
  const second = await run(['serve', '--listen', '127.0.0.1:0', '--data', path.join(server.folder, 'data')])
  assert.notEqual(second.code, 0)
  assert.equal(second.signal, null)
  assert.equal(second.stdout, '')
  assert.match(second.stderr, /in use|locked|another/i)
  const client = await connect(`${server.ws}/echo`)
  client.send('still here')
  assert.equal(await client.text(), 'still here')
  await client.close(1000)
  await quiet(server)
})

test('a port that is taken is refused with its address', async (t) => {
  const server = await start(t)
  const second = await run(['serve', '--listen', server.listening, '--data', path.join(temporaryFolder(t), 'data')])
  assert.notEqual(second.code, 0)
  assert.match(second.stderr, new RegExp(server.listening.replaceAll('.', '\\.')))
})
