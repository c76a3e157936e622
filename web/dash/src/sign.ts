// Signature Version 4 with the browser's own cryptography: headers for HTTP, a presigned address for the WebSocket, which takes no headers. The secret never leaves
// this file's callers; what is sent is the signature.

export interface Keys {
  readonly accessKey: string
  readonly secret: string
}

export interface Scope {
  readonly region: string
  readonly service: string
}

const ALGORITHM = 'AWS4-HMAC-SHA256'
const text = new TextEncoder()

const hex = (bytes: ArrayBuffer): string => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

export const sha256 = async (data: string): Promise<string> => hex(await crypto.subtle.digest('SHA-256', text.encode(data)))

async function hmac(key: BufferSource, data: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return crypto.subtle.sign('HMAC', imported, text.encode(data))
}

async function signature(secret: string, day: string, scope: Scope, toSign: string): Promise<string> {
  let key = await hmac(text.encode(`AWS4${secret}`), day)
  for (const part of [scope.region, scope.service, 'aws4_request']) key = await hmac(key, part)
  return hex(await hmac(key, toSign))
}

/** As AWS encodes: everything but the unreserved characters. */
export const encode = (value: string): string => encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** 20250117T103000Z */
export const amzDate = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')

const canonicalPath = (path: string): string => path.split('/').map(encode).join('/')

function canonicalQuery(pairs: Iterable<readonly [string, string]>): string {
  return [...pairs]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

async function toSign(date: string, credential: string, request: readonly string[]): Promise<string> {
  return [ALGORITHM, date, credential, await sha256(request.join('\n'))].join('\n')
}

/** The headers to add to a request. `now`: the server's time, epoch milliseconds. */
export async function signHeaders(method: string, url: URL, body: string, keys: Keys, scope: Scope, now: number): Promise<Record<string, string>> {
  const date = amzDate(now)
  const day = date.slice(0, 8)
  const credential = `${day}/${scope.region}/${scope.service}/aws4_request`
  const signed = 'host;x-amz-date'
  const request = [method, canonicalPath(url.pathname), canonicalQuery(url.searchParams), `host:${url.host}`, `x-amz-date:${date}`, '', signed, await sha256(body)]
  const proof = await signature(keys.secret, day, scope, await toSign(date, credential, request))
  return { 'X-Amz-Date': date, Authorization: `${ALGORITHM} Credential=${keys.accessKey}/${credential}, SignedHeaders=${signed}, Signature=${proof}` }
}

/** The same address with its signature in the query, for one GET within `seconds`. */
export async function presign(url: URL, keys: Keys, scope: Scope, now: number, seconds = 60): Promise<URL> {
  const date = amzDate(now)
  const day = date.slice(0, 8)
  const credential = `${day}/${scope.region}/${scope.service}/aws4_request`
  const pairs: (readonly [string, string])[] = [
    ...url.searchParams,
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${keys.accessKey}/${credential}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(seconds)],
    ['X-Amz-SignedHeaders', 'host'],
  ]
  const query = canonicalQuery(pairs)
  const request = ['GET', canonicalPath(url.pathname), query, `host:${url.host}`, '', 'host', await sha256('')]
  const out = new URL(url)
  out.search = `${query}&X-Amz-Signature=${await signature(keys.secret, day, scope, await toSign(date, credential, request))}`
  return out
}
