// An API answers at /<api> and at /<api>/<stage>; anything else is refused with 403.
// GW-1, GW-5, OP-8
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect, refused } from './lib/client.mjs'

test('the stage may stand in the path or not', async (t) => {
  const server = await start(t)
  for (const path of ['/echo', '/echo/', '/echo/prod', '/echo/prod/', '/echo/prod?userId=test']) {
    const client = await connect(server.ws + path)
    client.send('hello')
    assert.equal(await client.text(), 'hello', path)
    await client.close(1000)
  }
  for (const path of ['/nothing', '/', '/echo/elsewhere', '/echo/prod/deeper', '/Echo', '/echoo', '/ech']) {
    const { status, body } = await refused(server.ws + path)
    assert.equal(status, 403, path)
    assert.equal(body.error, 'FORBIDDEN', path)
    assert.equal(typeof body.message, 'string', path)
  }
  for (const path of ['/nothing', '/echo/elsewhere', '/echo']) {
    const { status, json } = await request(server, 'GET', path)
    assert.equal(status, 403, path)
    assert.equal(json.error, 'FORBIDDEN')
  }
  await quiet(server)
})
