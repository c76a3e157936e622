// RFC 7692 5 and 7.1: which offers of permessage-deflate are taken, which are declined, and what the answer may say.
// CL-9
import test from 'node:test'
import assert from 'node:assert/strict'
import { TEXT, frame, hex, serve } from './lib.mjs'

const server = serve()

/** The answer as an object of parameters; undefined when the offer was declined. A declined one still makes a plain connection. */
async function negotiate(offer) {
  const peer = await server.open({ offer })
  const answer = peer.extension
  await peer.write(frame(TEXT, 'plain goes always'))
  await peer.expect(TEXT, 'plain goes always', String(offer))
  if (answer === undefined) await peer.write(frame(TEXT, hex('f2 48 cd c9 c9 07 00'), { rsv: 4 }))
  if (answer === undefined) await peer.closes(1002, `${offer}: compressed without agreement`)
  else await peer.leave()
  if (answer === undefined) return undefined
  const [name, ...parameters] = answer.split(';').map((piece) => piece.trim())
  assert.equal(name, 'permessage-deflate', answer)
  const agreed = {}
  for (const parameter of parameters) {
    const match = /^(server_no_context_takeover|client_no_context_takeover|(?:server|client)_max_window_bits=(\d+))$/.exec(parameter)
    assert.ok(match, `${answer}: ${parameter}`)
    const key = parameter.split('=')[0]
    assert.ok(!(key in agreed), `${answer}: once only`)
    agreed[key] = match[2] ? Number(match[2]) : true
  }
  return agreed
}

const declined = async (offer) => assert.equal(await negotiate(offer), undefined, offer)

/** Whether it is valid as an answer to this offer (7.1.1 and 7.1.2). */
async function taken(offer, { server: serverBits, client: clientBits, serverFresh = false } = {}) {
  const agreed = await negotiate(offer)
  assert.ok(agreed, `${offer}: taken`)
  if (serverFresh) assert.equal(agreed.server_no_context_takeover, true, offer)
  if (serverBits) assert.ok(agreed.server_max_window_bits >= 8 && agreed.server_max_window_bits <= serverBits, `${offer}: the server's window`)
  if (clientBits) assert.ok((agreed.client_max_window_bits ?? 15) >= 8 && (agreed.client_max_window_bits ?? 15) <= 15, `${offer}: the client's window`)
  else assert.ok(!('client_max_window_bits' in agreed), `${offer}: a client that does not mention its window is not told`)
  return agreed
}

test('no offer, no answer', async () => {
  const peer = await server.open()
  assert.equal(peer.extension, undefined)
  await peer.leave()
})

test('the plain offer', async () => {
  await taken('permessage-deflate')
  await taken('Permessage-Deflate')
  await taken('  permessage-deflate  ')
})

test('context takeover', async () => {
  await taken('permessage-deflate; server_no_context_takeover', { serverFresh: true })
  await taken('permessage-deflate; client_no_context_takeover')
  await taken('permessage-deflate; client_no_context_takeover; server_no_context_takeover', { serverFresh: true })
})

test('windows of 9 to 15 bits', async () => {
  for (let bits = 9; bits <= 15; bits++) {
    await taken(`permessage-deflate; server_max_window_bits=${bits}`, { server: bits })
    await taken(`permessage-deflate; client_max_window_bits=${bits}`, { client: bits })
    await taken(`permessage-deflate; server_max_window_bits=${bits}; client_max_window_bits=${24 - bits}`, { server: bits, client: true })
  }
  await taken('permessage-deflate; client_max_window_bits', { client: true })
  await taken('permessage-deflate; client_max_window_bits; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10', { server: 10, client: true, serverFresh: true })
})

test('a window of 8 bits: kept or declined, never exceeded', async () => {
  const agreed = await negotiate('permessage-deflate; server_max_window_bits=8')
  if (agreed) assert.equal(agreed.server_max_window_bits, 8)
  await taken('permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9', { server: 9 })
  await taken('permessage-deflate; client_max_window_bits=8', { client: 8 })
})

test('spaces, tabs and quotes', async () => {
  await taken('permessage-deflate;server_max_window_bits=10', { server: 10 })
  await taken('permessage-deflate ;\tserver_max_window_bits=10 ; client_no_context_takeover', { server: 10 })
  await taken('permessage-deflate; server_max_window_bits="10"', { server: 10 })
  await taken('permessage-deflate; client_max_window_bits="12"', { client: 12 })
})

test('unknown parameters are declined', async () => {
  for (const parameter of ['x', 'x=1', 'server_no_context', 'server_max_window', 'Xserver_max_window_bits=10', 'mem_level=9']) await declined(`permessage-deflate; ${parameter}`)
})

test('parameters that stand twice are declined', async () => {
  for (const parameter of ['server_no_context_takeover', 'client_no_context_takeover', 'server_max_window_bits=10', 'client_max_window_bits', 'client_max_window_bits=10'])
    await declined(`permessage-deflate; ${parameter}; ${parameter}`)
  await declined('permessage-deflate; server_max_window_bits=10; server_max_window_bits=11')
  await declined('permessage-deflate; client_max_window_bits; client_max_window_bits=11')
})

test('wrong values are declined', async () => {
  for (const parameter of ['server_max_window_bits', 'server_max_window_bits=', 'server_max_window_bits=7', 'server_max_window_bits=16', 'server_max_window_bits=0', 'server_max_window_bits=-9', 'server_max_window_bits=010', 'server_max_window_bits=1x', 'server_max_window_bits=100000000010', 'server_max_window_bits=10.0',
    'client_max_window_bits=', 'client_max_window_bits=7', 'client_max_window_bits=16', 'client_max_window_bits=09', 'client_max_window_bits=+9', 'server_no_context_takeover=1', 'server_no_context_takeover=', 'client_no_context_takeover=true', 'client_no_context_takeover=""', 'server_max_window_bits=" 10"', 'server_max_window_bits="10'])
    await declined(`permessage-deflate; ${parameter}`)
})

test('what is not well formed is declined', async () => {
  for (const offer of ['', ',', ';', '=', 'permessage-deflate;', 'permessage-deflate; ;', 'permessage-deflate server_no_context_takeover', 'permessage-deflate=1', 'permessage-deflate; =10', 'permessage-deflate; server_max_window_bits 10', 'permessage-deflate; "server_no_context_takeover"', '"permessage-deflate"', 'permessage_deflate', 'permessage-deflat', 'permessage-deflates', 'x-webkit-deflate-frame', 'permessage-bzip2', 'deflate'])
    await declined(offer)
})

test('the first offer that can be taken is taken', async () => {
  const agreed = await taken('permessage-deflate; server_max_window_bits=11, permessage-deflate; server_max_window_bits=12', { server: 11 })
  assert.equal(agreed.server_max_window_bits, 11)
  await taken('x-unknown, permessage-deflate')
  await taken('x-unknown; a=1; b="c,d;e", permessage-deflate; server_max_window_bits=13', { server: 13 })
  await taken('permessage-deflate; unknown, permessage-deflate; server_max_window_bits=12', { server: 12 })
  await taken('permessage-deflate; server_max_window_bits=99, permessage-deflate; x, permessage-deflate; server_no_context_takeover', { serverFresh: true })
  await taken('permessage-deflate; x="a\\",b", permessage-deflate; server_max_window_bits=10', { server: 10 })
  await taken(['permessage-deflate; unknown', 'permessage-deflate; server_max_window_bits=10'], { server: 10 })
  await taken(['x-other', 'permessage-deflate'])
})

test('many offers', async () => {
  await taken(`${Array.from({ length: 300 }, (_, i) => `permessage-deflate; x${i}`).join(', ')}, permessage-deflate`)
  await declined(Array.from({ length: 300 }, (_, i) => `permessage-deflate; x${i}`).join(','))
})
