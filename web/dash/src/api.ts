// Requests to this server over HTTP, signed when there are keys, and the address of the socket.
import type { Session } from './session.ts'
import { presign, signHeaders, type Scope } from './sign.ts'

const SCOPE: Scope = { region: 'us-east-1', service: 'execute-api' } // any region verifies

/** What the server says about us: it answers, it wants (other) keys, or nothing answers. */
export type Standing = 'welcome' | 'refused' | 'away'

export class Api {
  private readonly session: Session
  private readonly origin: string
  /** The server's sentence of the last refusal. */
  refusal = ''

  constructor(session: Session, origin: string) {
    this.session = session
    this.origin = origin
  }

  async get(path: string): Promise<Response> {
    const url = new URL(path, this.origin)
    const { keys } = this.session
    const headers: Record<string, string> = keys ? await signHeaders('GET', url, '', keys, SCOPE, this.session.now()) : {}
    const answer = await fetch(url, { headers, cache: 'no-store', credentials: 'omit' })
    this.session.sawDate(answer.headers.get('date'))
    return answer
  }

  async standing(): Promise<Standing> {
    try {
      await this.learnTime()
      const answer = await this.get('/@dashboards')
      if (answer.status !== 401 && answer.status !== 403) return answer.ok ? 'welcome' : 'away'
      const body: unknown = await answer.json().catch(() => null)
      this.refusal = body && typeof body === 'object' && 'message' in body && typeof body.message === 'string' ? body.message : ''
      return 'refused'
    } catch {
      return 'away'
    }
  }

  /** A clock that is wrong by minutes would spoil each signature. */
  private async learnTime(): Promise<void> {
    if (!this.session.keys) return
    this.session.sawDate((await fetch(new URL('/healthz', this.origin), { cache: 'no-store', credentials: 'omit' })).headers.get('date'))
  }

  async socketAddress(): Promise<string> {
    const url = new URL('/@console', this.origin)
    const { keys } = this.session
    const signed = keys ? await presign(url, keys, SCOPE, this.session.now()) : url
    return signed.href.replace(/^http/, 'ws')
  }
}
