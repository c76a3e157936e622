// Who looks, and what time it is for the server. Keys live in sessionStorage: they end with the tab, and no other origin reads them.
import type { Keys } from './sign.ts'

const NAME = 'weir.keys'

export class Session {
  /** Server's time minus ours, milliseconds. Signatures and the axes of charts go by the server's. */
  offset = 0
  keys: Keys | null

  private readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

  constructor(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">) {
    this.storage = storage
    this.keys = null
    try {
      const kept: unknown = JSON.parse(storage.getItem(NAME) ?? 'null')
      if (kept && typeof kept === 'object' && 'accessKey' in kept && 'secret' in kept && typeof kept.accessKey === 'string' && typeof kept.secret === 'string')
        this.keys = { accessKey: kept.accessKey, secret: kept.secret }
    } catch {
      storage.removeItem(NAME)
    }
  }

  signIn(keys: Keys): void {
    this.keys = keys
    this.storage.setItem(NAME, JSON.stringify(keys))
  }

  signOut(): void {
    this.keys = null
    this.storage.removeItem(NAME)
  }

  now(): number {
    return Date.now() + this.offset
  }

  /** From a Date header, which has whole seconds; only a real difference counts. */
  sawDate(header: string | null): void {
    const date = header === null ? Number.NaN : Date.parse(header)
    if (!Number.isNaN(date) && Math.abs(date - this.now()) > 2000) this.offset = date - Date.now()
  }
}
