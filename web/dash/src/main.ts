// The page's beginning: one session, one connection, the tables and facts that all views share, and the shell around them.
import './styles/base.css'
import './styles/frame.css'
import './styles/widgets.css'
import './styles/views.css'
import './styles/narrow.css'
import { Api } from './api.ts'
import { Connection, type Socket } from './connection.ts'
import type { Context, Facts, Server } from './context.ts'
import { dict, list, num, str } from './data.ts'
import { LiveTable } from './live-table.ts'
import type { Message } from './message.ts'
import { Session } from './session.ts'
import { Shell } from './shell.ts'
import { onTheme, startTheme } from './theme.ts'

const HISTORY = 121 // seconds

const session = new Session(sessionStorage)
const api = new Api(session, location.origin)
const connection = new Connection({
  open: async () => new WebSocket(await api.socketAddress()) as Socket,
  standing: () => api.standing(),
  now: () => session.now(),
})
const facts: Facts = { server: null, apis: [], history: [] }
const factsListeners = new Set<() => void>()

function takeFacts(message: Message): void {
  if (message.type !== 'connections') return
  const given = dict(message['server'])
  const figure = (name: string): number => num(given[name]) ?? 0
  const server: Server = {
    version: str(given['version']),
    env: str(given['env']),
    region: str(given['region']),
    account: str(given['account']),
    uptimeMs: figure('uptimeMs'),
    diskFree: figure('diskFree'),
    memory: figure('memory'),
    connections: figure('connections'),
    messagesIn: figure('messagesIn'),
    messagesOut: figure('messagesOut'),
    sequence: figure('sequence'),
  }
  const now = num(given['now'])
  if (now !== null) session.offset = now - Date.now()
  facts.server = server
  facts.apis = list(message['apis']).map((one) => {
    const row = dict(one)
    return { name: str(row['name']), connections: num(row['connections']) ?? 0, messagesIn: num(row['messagesIn']) ?? 0, messagesOut: num(row['messagesOut']) ?? 0 }
  })
  facts.history.push({
    time: session.now(),
    connections: server.connections,
    messagesIn: server.messagesIn,
    messagesOut: server.messagesOut,
    memory: server.memory,
    apis: new Map(facts.apis.map((row) => [row.name, row.messagesIn + row.messagesOut])),
  })
  if (facts.history.length > HISTORY) facts.history.shift()
  for (const listener of factsListeners) listener()
}

const context: Context = {
  connection,
  session,
  api,
  alarms: new LiveTable('weir.alarms', ['name']),
  dashboards: new LiveTable('weir.dashboards', ['name']),
  facts,
  onFacts: (listener) => {
    factsListeners.add(listener)
    return () => factsListeners.delete(listener)
  },
  onTheme,
  signIn: (accessKey, secret) => {
    session.signIn({ accessKey, secret })
    connection.start()
  },
}

startTheme()
connection.stream(() => ({ action: 'connections' }), takeFacts)
new Shell(context, () => {
  session.signOut()
  connection.leave()
})
connection.start()
// A machine that wakes up, or a network that is back, need not wait for the next attempt.
addEventListener('online', () => connection.start())
document.addEventListener('visibilitychange', () => document.hidden || connection.status.phase !== 'reconnecting' || connection.start())
