// The lines of a tail, without the page: what comes is merged with what is there (a server that cannot go on where it was repeats its newest lines), bounded, and a place where
// lines were left out is remembered as a mark of its own.
import { dict, list, num, str } from './data.ts'
import type { Message } from './message.ts'

export interface LogLine {
  readonly id: string
  readonly time: number
  readonly group: string
  readonly stream: string
  readonly message: string
  readonly cut: boolean
}
export interface LogGap {
  readonly gap: string
}
export type LogEntry = LogLine | LogGap

export const isGap = (entry: LogEntry): entry is LogGap => 'gap' in entry

const KNOWN_MAX = 4000

export class LogLines {
  /** Where to go on after a break. */
  sequence: number | null = null
  private readonly known = new Set<string>()
  private begun = false

  /** What is to be added behind. `first` lines after a break that do not meet what is here leave a gap between. */
  take(message: Message): LogEntry[] {
    const dropped = num(message['dropped']) ?? 0
    const again = message['first'] === true && this.begun
    const read = list(message['events']).map((event, at) => this.line(dict(event), at))
    const come = read.filter((line) => !this.known.has(line.id))
    const meets = !again || come.length < read.length || this.known.size === 0 || read.length === 0
    const out: LogEntry[] = []
    if (dropped > 0) out.push({ gap: dropped === 1 ? 'A line was left out' : `${dropped} lines were left out` })
    else if (!meets) out.push({ gap: 'The connection was away: lines may be missing here' })
    for (const line of come) {
      this.remember(line)
      out.push(line)
    }
    this.begun = true
    this.sequence = num(message['sequence']) ?? this.sequence
    return out
  }

  private line(event: Record<string, unknown>, at: number): LogLine {
    const given = event as Message
    const time = num(given['time']) ?? 0
    const message = str(given['message'])
    return { id: str(given['eventId'], `${time} ${at} ${message}`), time, group: str(given['group']), stream: str(given['stream']), message, cut: given['cut'] === true }
  }

  private remember(line: LogLine): void {
    this.known.add(line.id)
    if (this.known.size > KNOWN_MAX) for (const oldest of this.known) {
      this.known.delete(oldest)
      break
    }
  }
}

const LEVELS: Readonly<Record<string, string>> = { ERROR: 'error', FATAL: 'error', CRITICAL: 'error', WARN: 'warn', WARNING: 'warn', DEBUG: 'quiet', TRACE: 'quiet' }

/** The message as a JSON object, or null. */
export function asObject(message: string): Record<string, unknown> | null {
  if (!message.startsWith('{')) return null
  try {
    const value: unknown = JSON.parse(message)
    return value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

const SAID_ELSEWHERE = new Set(['message', 'level', 'timestamp'])
const AMBIENT = new Set(['api', 'stage', 'route', 'requestId', 'connectionId', 'correlationId']) // weir adds them to each event

/** An event as one line: its own message, and the other fields behind it, its own before those that each event has. Nothing when it has no message. */
export function readable(object: Record<string, unknown>): { message: string; fields: string } | null {
  const { message } = object
  if (typeof message !== 'string') return null
  const fields = Object.entries(object)
    .filter(([name]) => !SAID_ELSEWHERE.has(name))
    .sort(([a], [b]) => Number(AMBIENT.has(a)) - Number(AMBIENT.has(b)))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return { message, fields: fields.join(' ') }
}

/** 'error', 'warn', 'quiet' or nothing. */
export function levelOf(message: string): string {
  const level = asObject(message)?.['level'] ?? /^\W*(?:\S+\s+){0,3}?\[?(ERROR|FATAL|CRITICAL|WARN(?:ING)?|DEBUG|TRACE)\b/.exec(message.slice(0, 120))?.[1]
  return typeof level === 'string' ? (LEVELS[level.toUpperCase()] ?? '') : ''
}
