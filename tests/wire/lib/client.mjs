// The `ws` package with a queue in front: messages are taken in order, each wait has a deadline.
import WebSocket from 'ws'
import { within } from './weir.mjs'
import assert from 'node:assert/strict'

class Client {
  constructor(url, protocols, options) {
    this.queue = []
    this.waiting = []
    this.pings = 0
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, maxPayload: 64 << 20, ...options })
    this.socket.on('message', (data, binary) => {
      const message = { data, binary, text: binary ? undefined : data.toString() }
      const waiter = this.waiting.shift()
      if (waiter) waiter(message)
      else this.queue.push(message)
    })
    this.socket.on('ping', () => this.pings++)
    this.closing = new Promise((resolve) => this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    this.socket.on('error', () => {})
  }

  send(message, options) {
    const raw = typeof message === 'string' || Buffer.isBuffer(message)
    this.socket.send(raw ? message : JSON.stringify(message), options)
  }

  /** The next message, as it came. */
  message() {
    if (this.queue.length) return Promise.resolve(this.queue.shift())
    return within('a message', new Promise((resolve) => this.waiting.push(resolve)))
  }

  async text() {
    const message = await this.message()
    assert.equal(message.binary, false, 'a text message')
    return message.text
  }

  async json() {
    return JSON.parse(await this.text())
  }

  /** Sends and takes the next message. */
  async ask(message) {
    this.send(message)
    return this.json()
  }

  /** {code, reason} of the end, whoever ended it. */
  closed() {
    return within('the end of the socket', this.closing)
  }

  async close(code, reason) {
    this.socket.close(code, reason)
    return this.closed()
  }
}

/** An open client. options: protocols, and those of `ws`. */
export async function connect(url, { protocols, ...options } = {}) {
  const client = new Client(url, protocols, options)
  await within(`connecting to ${url}`, new Promise((resolve, reject) => {
    client.socket.on('open', resolve)
    client.socket.on('error', reject)
    client.socket.on('unexpected-response', (request, answer) => {
      request.destroy()
      reject(new Error(`the handshake was refused: ${answer.statusCode}`))
    })
  }))
  return client
}

/** The answer of a handshake that must be refused: {status, body}. */
export function refused(url, { protocols, ...options } = {}) {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options })
  return within(`a refusal from ${url}`, new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      socket.terminate()
      reject(new Error(`${url} was accepted`))
    })
    socket.on('unexpected-response', (request, answer) => {
      let text = ''
      answer.on('data', (piece) => (text += piece))
      answer.on('end', () => {
        let body
        try {
          body = JSON.parse(text)
        } catch {
          body = text
        }
        resolve({ status: answer.statusCode, headers: answer.headers, body })
      })
    })
  }))
}
