// HTTP/2 with prior knowledge, by Node's own client; and frames by hand.
import http2 from 'node:http2'
import { within } from './weir.mjs'

/** A session: ask(method, path, {headers, body}) answers {status, headers, body, json}. */
export async function session(server, { url = server.http, ...options } = {}) {
  const client = http2.connect(url, options)
  const state = { goaway: undefined, closed: false }
  client.on('goaway', (code, last) => (state.goaway = { code, last }))
  client.on('error', (error) => (state.error = error))
  const end = new Promise((resolve) => client.on('close', () => {
    state.closed = true
    resolve()
  }))
  await within('an HTTP/2 connection', new Promise((resolve, reject) => {
    client.on('remoteSettings', resolve)
    client.on('error', reject)
  }))
  const ask = (method, path, { headers = {}, body, answer } = {}) =>
    within(`${method} ${path} over HTTP/2`, new Promise((resolve, reject) => {
      const stream = client.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined })
      const seen = { infos: [] }
      stream.on('headers', (info) => seen.infos.push(info[':status']))
      stream.on('response', (fields) => (seen.fields = fields))
      const pieces = []
      stream.on('data', (piece) => pieces.push(piece))
      stream.on('error', reject)
      stream.on('close', () => {
        if (!seen.fields) return reject(new Error(`no answer, code ${stream.rstCode}`))
        const bytes = Buffer.concat(pieces)
        resolve({
          status: seen.fields[':status'], headers: seen.fields, infos: seen.infos, bytes, body: bytes.toString(),
          get json() {
            return JSON.parse(bytes.toString())
          },
        })
      })
      if (body !== undefined) stream.end(body)
      answer?.(stream)
    }))
  const close = () => within('the end of the session', new Promise((resolve) => (client.destroyed ? resolve() : client.close(resolve))))
  return { client, state, end, ask, close }
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function h2frame(type, flags, id, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

/** The frames that came: [{type, flags, id, payload}]. */
export function h2frames(bytes) {
  const frames = []
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3)
    frames.push({ type: bytes[at + 3], flags: bytes[at + 4], id: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + length) })
    at += 9 + length
  }
  return frames
}

/** A header block of literals. */
export const h2fields = (...pairs) => Buffer.concat(pairs.map(([name, value]) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])))

export const get = (id, path, host = 'localhost') =>
  h2frame(1, 5, id, h2fields([':method', 'GET'], [':scheme', 'http'], [':path', path], [':authority', host]))
