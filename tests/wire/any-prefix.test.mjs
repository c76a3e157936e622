// Handlers build https://{domainName}/{stage}/@connections/{id} from the event: ids are unique over all APIs, so any prefix works.
// GW-11
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { connect } from './lib/client.mjs'

test('@connections behind any prefix', async (t) => {
  const server = await start(t, { threads: 2 })
  const client = await connect(`${server.ws}/echo`)
  const { connectionId } = (await request(server, 'GET', '/echo/@connections')).json.connections[0]
  for (const prefix of ['', '/echo', '/echo/prod', '/prod', '/ws/echo/prod', '/execute-api/echo/prod'])
    for (const spelled of [`@connections/${connectionId}`, `%40connections/${encodeURIComponent(connectionId)}`]) {
      const { status } = await request(server, 'POST', `${prefix}/${spelled}`, { body: prefix + spelled })
      assert.equal(status, 200, `${prefix}/${spelled}`)
      assert.equal(await client.text(), prefix + spelled)
    }
  assert.equal((await request(server, 'POST', '/prod/@broadcast', { body: 'x' })).status, 403)
  await client.close(1000)
  await quiet(server)
})
