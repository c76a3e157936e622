// The one socket to /@console. Views ask for streams and followed tables and keep them over breaks: when the socket comes back each stream is asked for anew, each table
// from its last position on. Views see messages and the state, never the socket.
//
// A break is noticed by the close, or by silence: the server speaks each second while the page asks for its connections, and answers pings otherwise. The pause
// before the next attempt doubles up to eight seconds with a random part, so that the pages of a restarted server do not come all at once.
import { LiveTable } from './live-table.ts'
import { parseMessage, type Json, type Message } from './message.ts'
import type { Standing } from './api.ts'

export type Phase = 'connecting' | 'live' | 'reconnecting' | 'signed-out'
export interface Status {
  readonly phase: Phase
  readonly since: number
  readonly attempt: number
}

export interface Socket {
  onopen: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  send(text: string): void
  close(): void
}

export interface ConnectionOptions {
  /** Opens a socket to the console; rejects when not even its address can be made. */
  open(): Promise<Socket>
  /** Asked when a socket did not open: a browser does not say why. */
  standing(): Promise<Standing>
  now(): number
}

export interface Stream {
  stop(): void
}

type Handler = (message: Message) => void
interface OpenStream {
  readonly request: (again: boolean) => Record<string, Json>
  readonly handler: Handler
  asked: boolean
}

const PAUSE_FIRST_MS = 250
const PAUSE_MAX_MS = 8000
const SILENCE_PING_MS = 8000
const SILENCE_END_MS = 16000

export class Connection {
  status: Status
  private readonly options: ConnectionOptions
  private readonly streams = new Map<string, OpenStream>()
  private readonly tables = new Map<LiveTable, Set<() => void>>()
  private readonly asked = new Map<string, LiveTable>()
  private readonly listeners = new Set<(status: Status) => void>()
  private socket: Socket | null = null
  private names = 0
  private lastHeard = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private watch: ReturnType<typeof setInterval> | undefined

  constructor(options: ConnectionOptions) {
    this.options = options
    this.status = { phase: 'connecting', since: options.now(), attempt: 0 }
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.listeners.add(listener)
    listener(this.status)
    return () => this.listeners.delete(listener)
  }

  private enter(phase: Phase, attempt = 0): void {
    const since = phase === this.status.phase ? this.status.since : this.options.now()
    this.status = { phase, since, attempt }
    for (const listener of this.listeners) listener(this.status)
  }

  /** A stream, until it is stopped or the server ends it with an error. `request` is made anew for each socket: `again` after a break. */
  stream(request: (again: boolean) => Record<string, Json>, handler: Handler): Stream {
    const id = `s${++this.names}`
    const stream: OpenStream = { request, handler, asked: false }
    this.streams.set(id, stream)
    if (this.status.phase === 'live') this.ask(id, stream)
    return {
      stop: () => {
        if (this.streams.delete(id) && this.status.phase === 'live') this.send({ action: 'stop', id })
      },
    }
  }

  private ask(id: string, stream: OpenStream): void {
    this.send({ ...stream.request(stream.asked), id })
    stream.asked = true
  }

  /** Follows a table for as long as the page lives; `changed` is called after each message that changed it. */
  follow(table: LiveTable): void {
    if (this.tables.has(table)) return
    this.tables.set(table, new Set())
    if (this.status.phase === 'live') this.subscribe(table)
  }

  onTable(table: LiveTable, changed: () => void): () => void {
    this.follow(table)
    const listeners = this.tables.get(table)
    listeners?.add(changed)
    return () => listeners?.delete(changed)
  }

  private subscribe(table: LiveTable): void {
    const requestId = `r${++this.names}`
    this.asked.set(requestId, table)
    this.send(table.request(requestId))
  }

  private send(request: Record<string, Json>): void {
    this.socket?.send(JSON.stringify(request))
  }

  /** Begins, or tries again at once. */
  start(): void {
    if (this.status.phase === 'live') return
    clearTimeout(this.timer)
    this.enter(this.status.phase === 'reconnecting' ? 'reconnecting' : 'connecting', this.status.attempt)
    void this.attempt()
  }

  /** Leaves, until start(): the keys were thrown away. */
  leave(): void {
    clearTimeout(this.timer)
    this.drop()
    this.enter('signed-out')
  }

  private drop(): void {
    clearInterval(this.watch)
    const { socket } = this
    this.socket = null
    if (!socket) return
    socket.onopen = socket.onclose = socket.onmessage = null
    socket.close()
  }

  private async attempt(): Promise<void> {
    this.drop()
    let socket: Socket
    try {
      socket = await this.options.open()
    } catch {
      await this.failed()
      return
    }
    if (this.status.phase === 'signed-out' || this.socket) {
      socket.close()
      return
    }
    this.socket = socket
    socket.onopen = () => this.opened()
    socket.onmessage = (event) => this.heard(event.data)
    socket.onclose = () => {
      if (this.status.phase === 'live') this.lost()
      else void this.failed()
    }
  }

  private opened(): void {
    this.lastHeard = Date.now()
    this.watch = setInterval(() => this.listen(), 2000)
    this.asked.clear()
    this.enter('live')
    for (const table of this.tables.keys()) this.subscribe(table)
    for (const [id, stream] of this.streams) this.ask(id, stream)
  }

  private listen(): void {
    const silence = Date.now() - this.lastHeard
    if (silence > SILENCE_END_MS) this.lost()
    else if (silence > SILENCE_PING_MS) this.send({ action: 'ping' })
  }

  private lost(): void {
    this.drop()
    this.enter('reconnecting', 1)
    this.timer = setTimeout(() => void this.attempt(), PAUSE_FIRST_MS * (0.5 + Math.random()))
  }

  private async failed(): Promise<void> {
    this.drop()
    const standing = await this.options.standing()
    if (this.socket || this.status.phase === 'live' || this.status.phase === 'signed-out') return
    if (standing === 'refused') {
      this.enter('signed-out')
      return
    }
    const attempt = this.status.attempt + 1
    this.enter('reconnecting', attempt)
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** Math.min(attempt, 10))
    this.timer = setTimeout(() => void this.attempt(), pause * (0.5 + Math.random() / 2))
  }

  private heard(data: unknown): void {
    this.lastHeard = Date.now()
    const message = typeof data === 'string' ? parseMessage(data) : null
    if (!message) return
    const id = message['id']
    if (typeof id === 'string') this.heardStream(id, message)
    else this.heardTable(message)
  }

  private heardStream(id: string, message: Message): void {
    const stream = this.streams.get(id)
    if (!stream || message.type === 'stopped') return
    if (message.type === 'error') this.streams.delete(id)
    stream.handler(message)
  }

  private heardTable(message: Message): void {
    const requestId = message['requestId']
    const subscription = message['subscription']
    let table = typeof requestId === 'string' ? this.asked.get(requestId) : undefined
    if (!table && typeof subscription === 'string') table = [...this.tables.keys()].find((one) => one.subscription === subscription)
    if (table?.take(message)) for (const changed of this.tables.get(table) ?? []) changed()
  }
}
