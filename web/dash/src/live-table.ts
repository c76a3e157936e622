// One followed table: its rows as they are, and the position to resume from. It takes the messages of docs/live-tables.md in any order that a break can leave, and
// holds no socket, so that each case can be tested.
import type { Json, Message } from './message.ts'

export type Row = Readonly<Record<string, Json>>

export class LiveTable {
  readonly name: string
  private readonly key: readonly string[]
  private staged: Map<string, Row> | null = null
  private rows = new Map<string, Row>()
  private position: string | null = null
  /** Of the position; and of the subscription, under which the next one comes. */
  private history: string | null = null
  private told: string | null = null
  subscription: string | null = null
  /** A first snapshot is here: `all()` is the table. */
  ready = false
  /** Why it is not followed (any more). */
  error: string | null = null

  constructor(name: string, key: readonly string[]) {
    this.name = name
    this.key = key
  }

  all(): Row[] {
    return [...this.rows.values()]
  }

  find(...key: readonly string[]): Row | undefined {
    return this.rows.get(JSON.stringify(key))
  }

  private keyOf(row: Row): string {
    return JSON.stringify(this.key.map((name) => row[name]))
  }

  /** What to ask for, on a new socket. A snapshot that a break cut off is asked for again, whole. */
  request(requestId: string): Record<string, Json> {
    this.subscription = null
    this.staged = null
    return { action: 'subscribe', table: this.name, requestId, ...(this.position === null ? {} : { after: this.position, ...(this.history === null ? {} : { history: this.history }) }) }
  }

  /** True when rows, readiness or the error have changed. */
  take(message: Message): boolean {
    switch (message.type) {
      case 'subscribed':
        this.subscription = typeof message['subscription'] === 'string' ? message['subscription'] : null
        this.told = typeof message['history'] === 'string' ? message['history'] : null
        this.error = null
        return false
      case 'resnapshot': // what was here is void: the position too, until the new snapshot is complete
        this.position = null
        this.staged = null
        return false
      case 'snapshot':
        return this.takeSnapshot(message)
      case 'change':
        return this.takeChange(message)
      case 'dropped':
      case 'error':
        this.error = String(message['message'] ?? message['reason'] ?? message['error'] ?? 'the subscription ended')
        this.position = null
        return true
      default:
        return false
    }
  }

  private takeSnapshot(message: Message): boolean {
    this.staged ??= new Map()
    const items = Array.isArray(message['items']) ? message['items'] : []
    for (const item of items) if (item && typeof item === 'object' && !Array.isArray(item)) this.staged.set(this.keyOf(item), item)
    if (message['last'] !== true) return false
    this.rows = this.staged
    this.staged = null
    this.position = String(message['sequence'])
    this.history = this.told
    this.ready = true
    return true
  }

  private takeChange(message: Message): boolean {
    const key = message['key']
    if (!key || typeof key !== 'object' || Array.isArray(key)) return false
    const data = message['data']
    if (data && typeof data === 'object' && !Array.isArray(data)) this.rows.set(this.keyOf(key), data)
    else this.rows.delete(this.keyOf(key))
    this.position = `${String(message['sequence'])}.${String(message['number'])}`
    this.history = this.told
    return true
  }
}
