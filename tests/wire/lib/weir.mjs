// Starts the program under test, one per test, on a port of its own and in a folder of its own.
//
// Time is the server's own and stands under the test's control (--driven-clock): advance() moves it, so two hours
// pass in a millisecond. What the tests themselves wait for they wait for by condition, with a deadline.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import assert from 'node:assert/strict'

const here = path.dirname(fileURLToPath(import.meta.url))
export const program = process.env.WEIR_BIN ?? path.resolve(here, '../../../build/weir')

// For what must come, however slow the machine: only a failure takes so long.
export const DEADLINE_MS = 120000
const COMMAND_MS = 600000 // a command may bring thousands of batches to a slow disk, one after the other

// Everything that is alive and must not outlive the test process.
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Until `probe` answers something true, or fails with what it was waiting for. */
export async function until(what, probe, { within = DEADLINE_MS, every = 20 } = {}) {
  const end = Date.now() + within
  let last
  for (;;) {
    try {
      last = await probe()
      if (last) return last
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${within} ms (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}

/** A promise with a deadline. */
export function within(what, promise, ms = DEADLINE_MS) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
    timer.unref() // a wait that its test has given up holds nobody
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const endings = new WeakMap()

/** Like t.after, but the last registered runs first: a server ends before its folder goes. */
export function atEnd(t, what) {
  if (!endings.has(t)) {
    const stack = []
    endings.set(t, stack)
    t.after(async () => {
      let failure
      while (stack.length) await Promise.resolve().then(stack.pop()).catch((error) => (failure ??= error))
      if (failure) throw failure
    })
  }
  endings.get(t).push(what)
}

export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'weir-wire-'))
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the program to its end: {code, signal, stdout, stderr}. */
export async function run(args, { env = {}, input } = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  children.add(child)
  const out = { stdout: '', stderr: '' }
  child.stdout.on('data', (piece) => (out.stdout += piece))
  child.stderr.on('data', (piece) => (out.stderr += piece))
  child.stdin.end(input)
  const [code, signal] = await within(`weir ${args.join(' ')}`, new Promise((resolve) => child.on('close', (...how) => resolve(how))), COMMAND_MS)
  children.delete(child)
  return { code, signal, ...out }
}

/** One HTTP request on a connection of its own: {status, headers, body, json}. */
export function request(server, method, target, { headers = {}, body } = {}) {
  const url = new URL(server.http)
  return within(`${method} ${target}`, new Promise((resolve, reject) => {
    const asked = http.request({ host: url.hostname, port: url.port, method, path: target, headers: { connection: 'close', ...headers }, agent: false }, (answer) => {
      const pieces = []
      answer.on('data', (piece) => pieces.push(piece))
      answer.on('error', reject)
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        resolve({
          status: answer.statusCode,
          headers: answer.headers,
          body: text,
          get json() {
            return JSON.parse(text)
          },
        })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  }))
}

class Server {
  constructor(folder, options) {
    this.folder = folder
    this.options = options
    this.stderr = ''
  }

  async launch() {
    const { config, threads = 1, driven = true, port = 0, args = [], env = {}, program: binary = program } = this.options
    const all = ['serve', '--listen', `127.0.0.1:${port}`, '--data', path.join(this.folder, 'data'), '--io-threads', String(threads)]
    if (driven) all.push('--driven-clock')
    if (config) {
      const file = path.join(this.folder, 'weir.yaml')
      writeFileSync(file, config)
      all.push('--config', file)
    }
    const child = spawn(binary, [...all, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    children.add(child)
    this.child = child
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        children.delete(child)
        resolve({ code, signal })
      })
    })
    child.stderr.on('data', (piece) => (this.stderr += piece))
    let stdout = ''
    const line = await within('the first line', new Promise((resolve, reject) => {
      child.stdout.on('data', (piece) => {
        stdout += piece
        if (stdout.includes('\n')) resolve(stdout.slice(0, stdout.indexOf('\n')))
      })
      child.on('error', reject)
      child.on('close', (code, signal) => reject(new Error(`weir ended before it listened: ${signal ?? code}\n${this.stderr}`)))
    }))
    this.first = JSON.parse(line)
    Object.assign(this, { listening: this.first.listening, http: this.first.http, ws: this.first.ws, pid: child.pid })
    // What the question for the counters itself costs is not a leak.
    this.idle = await this.counters()
    return this
  }

  async counters() {
    const { status, body } = await request(this, 'GET', '/metrics')
    assert.equal(status, 200)
    const all = {}
    for (const line of body.split('\n')) {
      const match = /^weir_(\w+?)(?:_total)? (-?[\d.]+)$/.exec(line)
      if (match) all[match[1]] = Number(match[2])
    }
    return all
  }

  /** Moves the server's clock; answers its new time. */
  async advance(ms) {
    const { status, json } = await request(this, 'POST', `/@clock?advance_ms=${ms}`)
    assert.equal(status, 200)
    return json.now
  }

  async now() {
    return this.advance(0)
  }

  /** Moves it for what waits to be tried again, not for what is under way, since an endpoint's answer takes as long as it takes: whether it did. */
  async pass(ms) {
    const idle = (await this.counters()).fetch_in_flight === 0
    if (idle) await this.advance(ms)
    return idle
  }

  /** SIGTERM, and the end that it must have. */
  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM')
    const how = await within('the end after SIGTERM', this.ended)
    assert.deepEqual(how, { code: 0, signal: null }, `weir did not end well:\n${this.stderr.slice(-4000)}`)
    assert.doesNotMatch(this.stderr, /runtime error:|Sanitizer/, 'what a sanitizer found')
  }

  async kill9() {
    this.child.kill('SIGKILL')
    await this.ended
  }

  async restart(change = {}) {
    this.options = { ...this.options, ...change }
    this.stderr = ''
    return this.launch()
  }
}

/**
 * Options: config (YAML text), threads, driven (default true), port (default: any), args, env, folder, program (instead of the one under test).
 * The test's end stops the server, which must exit with 0.
 */
export async function start(t, options = {}) {
  const server = new Server(options.folder ?? temporaryFolder(t), options)
  atEnd(t, async () => {
    const { exitCode, signalCode } = server.child ?? { exitCode: 0 }
    if (exitCode === null && signalCode === null) await server.stop()
  })
  return server.launch()
}

const EMPTY = ['ws_connections', 'net_queue_bytes', 'gw_rooms', 'gw_room_members', 'tick_calls_waiting', 'fetch_in_flight']

/** Nothing is left: no connection, no buffer, no queued byte, no room, no call. */
export async function quiet(server) {
  await until('a quiet server', async () => {
    const now = await server.counters()
    const left = EMPTY.filter((name) => now[name] !== 0).map((name) => `${name}=${now[name]}`)
    for (const name of ['net_connections', 'net_buffers'])
      if (now[name] === undefined || now[name] > server.idle[name]) left.push(`${name}=${now[name]} (idle ${server.idle[name]})`)
    if (left.length) throw new Error(left.join(', '))
    return true
  })
}
