// What every view gets: the connection, the followed tables, the server's newest word about itself. One object, made by main.
import type { Connection } from './connection.ts'
import type { LiveTable } from './live-table.ts'
import type { Json } from './message.ts'
import type { Session } from './session.ts'
import type { Api } from './api.ts'

export interface ApiFacts {
  name: string
  connections: number
  messagesIn: number
  messagesOut: number
}
export interface Server {
  version: string
  env: string
  region: string
  account: string
  uptimeMs: number
  diskFree: number
  memory: number
  connections: number
  messagesIn: number
  messagesOut: number
  sequence: number
}

/** What the server said each second, newest last; at most two minutes. */
export interface Facts {
  server: Server | null
  apis: ApiFacts[]
  history: { time: number; connections: number; messagesIn: number; messagesOut: number; memory: number; apis: Map<string, number> }[]
}

export interface Context {
  readonly connection: Connection
  readonly session: Session
  readonly api: Api
  readonly alarms: LiveTable
  readonly dashboards: LiveTable
  readonly facts: Facts
  /** Called when the facts are new; returns what ends that. */
  onFacts(listener: () => void): () => void
  /** Called when light becomes dark or the other way. */
  onTheme(listener: () => void): () => void
  signIn(accessKey: string, secret: string): void
}

export interface View {
  readonly title: string
  readonly element: HTMLElement
  destroy(): void
}

export type Dict = { [name: string]: Json }
