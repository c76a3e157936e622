// The harness of the conformance tests: the program under test, bytes on TCP sockets, and a WebSocket peer made by hand.
//
// It shares nothing with a WebSocket library or with the other wire tests: a peer that helps its user cannot send what the RFCs forbid.
// What it reads it judges: a server's frame with a mask, a length that is not minimal or a fragmented control frame fails the test
// that receives it. Sockets stay half open, so that "the server closes first" (RFC 6455 7.1.1) is seen and not supposed.
import { after, before } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const program = process.env.WEIR_BIN ?? path.resolve(here, '../../../build/weir')
const DEADLINE_MS = 120000 // for what must come, however slow the machine: only a failure takes so long

export const CONT = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10

export const hex = (text) => Buffer.from(text.replace(/[^0-9a-f]/gi, ''), 'hex')

/** A promise with a deadline. */
export function within(what, promise, ms = DEADLINE_MS) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Until `probe` answers something true. */
export async function until(what, probe) {
  for (const end = Date.now() + DEADLINE_MS; ; ) {
    const answer = await probe()
    if (answer) return answer
    assert.ok(Date.now() < end, `${what}: not within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

// ---- bytes ----

/** A TCP connection. What comes is kept in pieces until somebody asks for so many bytes of it. */
class Line {
  constructor(socket) {
    this.socket = socket
    this.pieces = []
    this.size = 0
    this.ended = false // the server's FIN is here
    this.failed = undefined // an error of the socket: a reset loses data
    this.wake = () => {}
    socket.on('data', (piece) => {
      this.pieces.push(piece)
      this.size += piece.length
      this.wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.wake()
    })
    socket.on('error', (error) => {
      this.failed = error
      this.wake()
    })
    this.closed = new Promise((resolve) => socket.on('close', resolve))
  }

  write(bytes) {
    return new Promise((resolve) => this.socket.write(bytes, resolve))
  }

  /** In pieces of `size` bytes, each a write of its own, with a turn of the event loop between them. */
  async chop(bytes, size = 1) {
    for (let at = 0; at < bytes.length; at += size) {
      await this.write(bytes.subarray(at, at + size))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async wait(what, ready) {
    await within(what, (async () => {
      while (!ready() && !this.ended && !this.failed) await new Promise((resolve) => (this.wake = resolve))
    })())
    if (this.failed && !ready()) throw new Error(`${what}: ${this.failed.message}`)
    return ready()
  }

  join() {
    if (this.pieces.length > 1) this.pieces = [Buffer.concat(this.pieces)]
    return this.pieces[0] ?? Buffer.alloc(0)
  }

  /** Exactly so many bytes, taken off; undefined when the server ended before the first of them. */
  async take(size, what = 'bytes') {
    if (!(await this.wait(what, () => this.size >= size))) {
      assert.equal(this.size, 0, `${what}: the server ended in the middle of it`)
      return undefined
    }
    const all = this.join()
    this.pieces = all.length > size ? [all.subarray(size)] : []
    this.size -= size
    return all.subarray(0, size)
  }

  /** Everything up to the blank line, taken off. */
  async head() {
    const end = () => this.join().indexOf('\r\n\r\n')
    if (!(await this.wait('a response head', () => end() >= 0))) throw new Error(`the server ended without a head: ${JSON.stringify(this.join().toString('latin1'))}`)
    return (await this.take(end() + 4)).toString('latin1')
  }

  /** The server's FIN without an error; then ours. Answers what came before it. */
  async finish() {
    await this.wait('the server ends', () => this.ended)
    assert.equal(this.failed, undefined, `the connection was reset: ${this.failed?.message}`)
    const rest = this.join()
    this.socket.end()
    await within('the socket closes', this.closed)
    assert.equal(this.failed, undefined, `the connection was reset: ${this.failed?.message}`)
    return rest
  }

  /** One HTTP response, taken off: {status, head, body}. */
  async response({ head: headOnly = false } = {}) {
    const head = await this.head()
    const match = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/.exec(head)
    assert.ok(match, `a status line: ${JSON.stringify(head)}`)
    const status = Number(match[1])
    const length = Number(field(head, 'content-length') ?? 0)
    const bodiless = headOnly || status < 200 || status === 204 || status === 304
    const body = bodiless || length === 0 ? '' : (await this.take(length, 'a response body')).toString()
    return { status, head, body }
  }
}

/** The value of a field in a head; undefined when it is absent. */
export function field(head, name) {
  const values = head.split('\r\n').slice(1).filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
  assert.ok(values.length <= 1, `${name} stands once in ${head}`)
  return values[0]?.slice(name.length + 1).trim()
}

// ---- frames ----

/** A client's frame. `wide`: the length in 2 or 8 bytes whatever it is; `claim`: another length than the payload's; mask false: none. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = true, wide, claim } = {}) {
  const body = Buffer.from(payload)
  const length = claim ?? body.length
  const bytes = wide ?? (length < 126 ? 0 : length < 65536 ? 2 : 8)
  const head = Buffer.alloc(2 + bytes)
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  head[1] = (mask ? 0x80 : 0) | (bytes === 0 ? length : bytes === 2 ? 126 : 127)
  if (bytes === 2) head.writeUInt16BE(length, 2)
  if (bytes === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (!mask) return Buffer.concat([head, body])
  const key = Array.isArray(mask) ? Buffer.from(mask) : randomBytes(4)
  const turned = Buffer.from(body)
  for (let i = 0; i < turned.length; i++) turned[i] ^= key[i & 3]
  return Buffer.concat([head, key, turned])
}

/** A message in frames of at most `size` bytes. */
export function fragments(opcode, payload, size, { rsv = 0 } = {}) {
  const body = Buffer.from(payload)
  const out = []
  for (let at = 0; at === 0 || at < body.length; at += size)
    out.push(frame(at === 0 ? opcode : CONT, body.subarray(at, at + size), { fin: at + size >= body.length, rsv: at === 0 ? rsv : 0 }))
  return out
}

export function closePayload(code, reason = '') {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return Buffer.concat([head, Buffer.from(reason)])
}

/** The client's side of an open WebSocket. */
class Peer extends Line {
  /** The next frame {opcode, fin, rsv, payload}; undefined at the end. */
  async frame() {
    const head = await this.take(2, 'a frame')
    if (!head) return undefined
    assert.equal(head[1] & 0x80, 0, 'a server masks nothing')
    let length = head[1] & 0x7f
    if (length === 126) {
      length = (await this.take(2)).readUInt16BE()
      assert.ok(length > 125, 'the length is minimal')
    } else if (length === 127) {
      const wide = (await this.take(8)).readBigUInt64BE()
      assert.ok(wide > 65535n && wide < 1n << 62n, 'the length is minimal and sane')
      length = Number(wide)
    }
    const got = { opcode: head[0] & 15, fin: (head[0] & 0x80) !== 0, rsv: (head[0] >> 4) & 7 }
    assert.ok([CONT, TEXT, BINARY, CLOSE, PING, PONG].includes(got.opcode), `opcode ${got.opcode}`)
    assert.equal(got.rsv & 3, 0, 'RSV2 and RSV3 are not in use')
    if (got.opcode >= CLOSE) assert.ok(got.fin && length <= 125 && got.rsv === 0, 'a control frame is short and whole')
    got.payload = length === 0 ? Buffer.alloc(0) : await this.take(length, 'a payload')
    return got
  }

  async expect(opcode, payload, what = '') {
    const got = await this.frame()
    assert.ok(got, `${what}: the server ended`)
    if (got.opcode === CLOSE && opcode !== CLOSE) assert.fail(`${what}: closed with ${got.payload.length >= 2 ? got.payload.readUInt16BE() : 'nothing'} ${got.payload.subarray(2)}`)
    assert.equal(got.opcode, opcode, what)
    assert.equal(got.rsv, 0, what)
    assert.ok(got.fin, what)
    if (payload !== undefined) assert.ok(Buffer.from(payload).equals(got.payload), `${what}: the payload comes back (${got.payload.length} bytes)`)
    return got
  }

  /** The server's close frame with this code (1005: without one), behind it nothing but its FIN. */
  async closes(code, what = '') {
    const got = await this.frame()
    assert.ok(got, `${what}: the server ended without a close frame`)
    assert.equal(got.opcode, CLOSE, `${what}: a close frame`)
    const told = got.payload.length >= 2 ? got.payload.readUInt16BE() : 1005
    if (Array.isArray(code)) assert.ok(code.includes(told), `${what}: ${told}`)
    else assert.equal(told, code, what)
    assert.equal((await this.finish()).length, 0, `${what}: nothing follows a close frame`)
    return got
  }

  /** Ends well: everything sent was answered and nothing else came. */
  async leave(what = '') {
    await this.write(frame(CLOSE, closePayload(1000)))
    await this.closes(1000, what)
  }
}

// ---- the server ----

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
export const acceptOf = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

class Server {
  sockets = new Set()

  constructor(threads) {
    this.threads = threads
  }

  async start() {
    this.folder = mkdtempSync(path.join(tmpdir(), 'weir-rfc-'))
    this.child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--data', path.join(this.folder, 'data'), '--io-threads', String(this.threads), '--log-level', 'error', '--driven-clock'], { stdio: ['ignore', 'pipe', 'pipe'] })
    process.on('exit', () => this.child.kill('SIGKILL'))
    process.once('SIGTERM', () => process.exit(1)) // the runner gives up
    let stdout = ''
    this.stderr = ''
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })))
    this.child.stderr.on('data', (piece) => (this.stderr += piece))
    const first = await within('the first line', new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.stdout.on('data', (piece) => {
        stdout += piece
        if (stdout.includes('\n')) resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))))
      })
      this.ended.then(() => reject(new Error(`weir ended before it listened: ${this.stderr}`)))
    }))
    this.port = Number(new URL(first.http).port)
    this.host = `127.0.0.1:${this.port}`
  }

  async connect(Kind) {
    const socket = net.connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await within('a TCP connection', new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    }))
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    return new Kind(socket)
  }

  line() {
    return this.connect(Line)
  }

  /** Sends the bytes; everything that comes until the server ends. */
  async exchange(bytes) {
    const line = await this.line()
    await line.write(bytes)
    return (await line.finish()).toString('latin1')
  }

  /** A head of a handshake. `headers` overrides or adds fields, undefined leaves one out, an array repeats it. */
  handshake({ method = 'GET', target = '/echo', version = 'HTTP/1.1', headers = {} } = {}) {
    const all = { Host: this.host, Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Key': KEY, 'Sec-WebSocket-Version': '13', ...headers }
    const lines = Object.entries(all).flatMap(([name, value]) => [value].flat().filter((one) => one !== undefined).map((one) => `${name}: ${one}\r\n`))
    return `${method} ${target} ${version}\r\n${lines.join('')}\r\n`
  }

  /** An open WebSocket. `offer`: Sec-WebSocket-Extensions; `behind`: bytes in the same write as the handshake. `peer.extension` is what was agreed. */
  async open({ offer, behind = Buffer.alloc(0), headers = {} } = {}) {
    const peer = await this.connect(Peer)
    await peer.write(Buffer.concat([Buffer.from(this.handshake({ headers: { 'Sec-WebSocket-Extensions': offer, ...headers } }), 'latin1'), behind]))
    peer.answer = await peer.head()
    assert.match(peer.answer, /^HTTP\/1\.1 101 /, peer.answer)
    assert.equal(field(peer.answer, 'sec-websocket-accept'), acceptOf(KEY))
    peer.extension = field(peer.answer, 'sec-websocket-extensions')
    return peer
  }

  /** A new connection that sends these bytes and must be closed with the code. */
  async refuses(code, bytes, what, options) {
    const peer = await this.open(options)
    await peer.write(Buffer.concat([bytes].flat()))
    return peer.closes(code, what)
  }

  async get(target, method = 'GET') {
    const line = await this.line()
    await line.write(`${method} ${target} HTTP/1.1\r\nHost: ${this.host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    const answer = await line.response()
    await line.finish()
    assert.equal(answer.status, 200, `${target}: ${answer.head}${answer.body}`)
    return answer.body
  }

  async counter(name) {
    const match = new RegExp(`^weir_${name}(?:_total)? (-?\\d+)$`, 'm').exec(await this.get('/metrics'))
    assert.ok(match, `the counter ${name}`)
    return Number(match[1])
  }

  advance(ms) {
    return this.get(`/@clock?advance_ms=${ms}`, 'POST')
  }

  async stop() {
    this.child.kill('SIGTERM')
    assert.deepEqual(await within('the end after SIGTERM', this.ended), { code: 0, signal: null }, this.stderr)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The server of a test file. At the end nothing may be left in it: no socket, no buffer, no queued byte. */
export function serve({ threads = 1 } = {}) {
  const server = new Server(threads)
  before(() => server.start())
  after(async () => {
    if (!server.port) return
    for (const socket of server.sockets) socket.destroy() // those of a test that failed
    try {
      for (const name of ['ws_connections', 'net_buffers', 'net_queue_bytes'])
        await until(`${name} is 0 at the end`, async () => (await server.counter(name)) === 0)
    } finally {
      await server.stop()
    }
  })
  return server
}
