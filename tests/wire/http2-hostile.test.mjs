// What no decent client sends over HTTP/2: floods end the connection and no other, broken frames get GOAWAY, requests that could be read in two ways are refused.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, request, start } from './lib/weir.mjs'
import { open } from './lib/raw.mjs'
import { get, h2fields, h2frame, h2frames, PREFACE } from './lib/http2.mjs'

const SETTINGS = h2frame(4, 0, 0)
const ENHANCE_YOUR_CALM = 11

/** Sends, and takes all until the server closes; answers its frames. */
async function talk(server, ...bytes) {
  const raw = await open(server)
  raw.write(Buffer.concat([PREFACE, SETTINGS, ...bytes]))
  await raw.closed()
  return h2frames(raw.bytes)
}

const goaway = (frames) => frames.find(({ type }) => type === 7)?.payload.readUInt32BE(4)

test('floods', async (t) => {
  const server = await start(t)
  const many = (make, count = 700) => Array.from({ length: count }, (_, i) => make(2 * i + 1))
  const floods = {
    'requests that are reset at once': many((id) => Buffer.concat([get(id, '/healthz'), h2frame(3, 0, id, Buffer.from([0, 0, 0, 8]))])),
    pings: many(() => h2frame(6, 0, 0, Buffer.alloc(8))),
    settings: many(() => h2frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 9]))),
    'empty data': [h2frame(1, 4, 1, h2fields([':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'localhost'])), ...many(() => h2frame(0, 0, 1))],
    priorities: many((id) => h2frame(2, 0, id, Buffer.from([0, 0, 0, 0, 1]))),
  }
  for (const [what, frames] of Object.entries(floods)) {
    assert.equal(goaway(await talk(server, ...frames)), ENHANCE_YOUR_CALM, what)
    assert.equal((await request(server, 'GET', '/healthz')).status, 200)
  }
  assert.equal((await server.counters()).h2_floods, Object.keys(floods).length)
  await talk(server, h2frame(1, 1, 1, Buffer.from([0x82])), ...many(() => h2frame(9, 0, 1)))
  // One byte of HPACK stands for four thousand: a block that grows without end.
  const bomb = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x40, 1, 0x78, 0x7f, 0x81, 0x1e]), Buffer.alloc(4000, 'a'), Buffer.alloc(9000, 0xbe)])
  assert.equal(goaway(await talk(server, h2frame(1, 5, 1, bomb))), ENHANCE_YOUR_CALM)
  await quiet(server)
})

test('broken frames', async (t) => {
  const server = await start(t)
  const broken = {
    'a frame larger than was agreed': Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]),
    'data for nobody': h2frame(0, 0, 1, Buffer.from('x')),
    'settings of an odd length': h2frame(4, 0, 0, Buffer.alloc(5)),
    'a window update of nothing': h2frame(8, 0, 0, Buffer.alloc(4)),
    'HPACK that is none': h2frame(1, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
    'an even stream': get(2, '/'),
    'HTTP/1.1 after the preface': Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  }
  for (const [what, bytes] of Object.entries(broken)) assert.ok(goaway(await talk(server, bytes)) > 0, what)
  for (const start of ['PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 'PRI * HTTP/1.1\r\nHost: x\r\n\r\n']) {
    const raw = await open(server)
    raw.write(start)
    await raw.closed()
    assert.match(raw.text(), /^HTTP\/1\.1 (400|505) /)
  }
  await quiet(server)
})

test('a request has one reading', async (t) => {
  const server = await start(t)
  const base = [[':method', 'POST'], [':scheme', 'http'], [':path', '/echo/@broadcast'], [':authority', 'localhost']]
  const refused = {
    'connection': [...base, ['connection', 'upgrade']],
    'transfer-encoding': [...base, ['transfer-encoding', 'chunked']],
    'upper case': [...base, ['X-A', '1']],
    'a line break in a value': [...base, ['x', 'a\r\nhost: b']],
    'a colon in a name': [...base, ['x:y', 'a']],
    'two paths': [...base, [':path', '/']],
    'a pseudo field at the end': [...base.slice(0, 3), ['x', 'y'], [':authority', 'localhost']],
    'no method': base.slice(1),
    'a length twice': [...base, ['content-length', '1'], ['content-length', '2']],
    'a path with a space': [base[0], base[1], [':path', '/ HTTP/1.1'], base[3]],
    'two hosts': [...base, ['host', 'other']],
    'extended CONNECT': [[':method', 'CONNECT'], [':protocol', 'websocket'], ...base.slice(1)],
  }
  for (const [what, fields] of Object.entries(refused)) {
    const raw = await open(server)
    raw.write(Buffer.concat([PREFACE, SETTINGS, h2frame(1, 5, 1, h2fields(...fields)), get(3, '/healthz')]))
    await raw.expect(/"status":"ok"/)
    const first = h2frames(raw.bytes).find(({ id, type }) => id === 1 && (type === 1 || type === 3))
    assert.ok(first.type === 3 || first.payload[0] === 0x8c, `${what}: ${JSON.stringify(first)}`) /* RST_STREAM, or :status 400 of the static table */
    raw.close()
  }
  // A body that is longer or shorter than its length is no request.
  for (const data of ['four', 'six666']) {
    const raw = await open(server)
    raw.write(Buffer.concat([PREFACE, SETTINGS, h2frame(1, 4, 1, h2fields(...base, ['content-length', '5'])), h2frame(0, 1, 1, Buffer.from(data)), get(3, '/healthz')]))
    await raw.expect(/"status":"ok"/)
    assert.equal(h2frames(raw.bytes).find(({ id }) => id === 1).type, 3, data)
    raw.close()
  }
  await quiet(server)
})

test('the preface byte by byte, and a peer that never goes on', async (t) => {
  const server = await start(t)
  const raw = await open(server)
  raw.socket.setNoDelay(true)
  for (const byte of Buffer.concat([PREFACE, SETTINGS, get(1, '/healthz')])) raw.write(Buffer.from([byte]))
  await raw.expect(/"status":"ok"/)
  await server.advance(76_000)
  await raw.closed()
  assert.equal(goaway(h2frames(raw.bytes)), 0)
  const half = await open(server)
  half.write(Buffer.concat([PREFACE, SETTINGS, h2frame(1, 1, 1, Buffer.from([0x82]))]))
  await half.expect(/\x00\x00\x00\x04\x01/)
  await server.advance(11_000)
  await half.closed()
  await quiet(server)
})
