// Bytes on a TCP socket, for what no decent client would send.
import net from 'node:net'
import { until, within } from './weir.mjs'

/** `from`: the local address to come from. */
export async function open(server, from) {
  const url = new URL(server.http)
  const socket = net.connect({ port: Number(url.port), host: url.hostname, localAddress: from })
  const raw = { socket, bytes: Buffer.alloc(0), ended: false }
  socket.on('data', (piece) => (raw.bytes = Buffer.concat([raw.bytes, piece])))
  socket.on('error', () => {})
  raw.end = new Promise((resolve) => socket.on('close', () => {
    raw.ended = true
    resolve()
  }))
  await within('a TCP connection', new Promise((resolve, reject) => {
    socket.on('connect', resolve)
    socket.on('error', reject)
  }))
  raw.write = (bytes) => socket.write(bytes)
  raw.text = () => raw.bytes.toString('latin1')
  raw.expect = (pattern) => until(`${pattern} in the answer`, () => {
    if (pattern.test(raw.text())) return true
    throw new Error(JSON.stringify(raw.text().slice(-400)) + (raw.ended ? ' (closed)' : ''))
  })
  raw.closed = () => within('the server closes', raw.end)
  raw.close = () => socket.destroy()
  return raw
}

/** Sends the bytes and takes everything until the server closes. */
export async function exchange(server, bytes) {
  const raw = await open(server)
  raw.write(bytes)
  await raw.closed()
  return raw.text()
}

/** A client's frame. */
export function frame(opcode, payload = '', { fin = true, mask = true, rsv = 0 } = {}) {
  const body = Buffer.from(payload)
  const key = Buffer.from([0x11, 0x22, 0x33, 0x44])
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const bit = mask ? 0x80 : 0
  if (body.length < 126) head.push(bit | body.length)
  else if (body.length < 65536) head.push(bit | 126, body.length >> 8, body.length & 255)
  else throw new Error('frames of the tests are small')
  if (mask) for (let i = 0; i < body.length; i++) body[i] ^= key[i & 3]
  return Buffer.concat([Buffer.from(head), mask ? key : Buffer.alloc(0), body])
}

/** A WebSocket by hand: resolves after the 101, its bytes removed. */
export async function upgrade(server, path) {
  const raw = await open(server)
  raw.write(`GET ${path} HTTP/1.1\r\nHost: ${new URL(server.http).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n')
  await raw.expect(/\r\n\r\n/)
  const text = raw.text()
  if (!text.startsWith('HTTP/1.1 101')) throw new Error(text)
  raw.head = text.slice(0, text.indexOf('\r\n\r\n'))
  raw.bytes = raw.bytes.subarray(Buffer.byteLength(raw.head, 'latin1') + 4)
  return raw
}
