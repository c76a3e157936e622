// What travels on the socket: JSON objects with a type.

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
export interface Message {
  readonly type: string
  readonly [name: string]: Json
}

export function parseMessage(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text)
    return value && typeof value === 'object' && 'type' in value && typeof value.type === 'string' ? (value as Message) : null
  } catch {
    return null
  }
}
