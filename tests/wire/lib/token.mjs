// JSON Web Tokens made by hand, so that broken ones can be made too.
import { createHmac, createSign, sign as signRaw } from 'node:crypto'

export const secret = 'a secret of the wire tests, at least 32 bytes long'

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** HS256. `header` overrides members of the header. */
export function token(claims, { key = secret, header = {} } = {}) {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

export function tokenRs256(claims, privateKey, header = {}) {
  const signed = `${encode({ alg: 'RS256', typ: 'JWT', ...header })}.${encode(claims)}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`
}

export function tokenEs256(claims, privateKey, header = {}) {
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', ...header })}.${encode(claims)}`
  return `${signed}.${signRaw('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

export const unsigned = (claims) => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`

/** Seconds since the epoch, `ms` being the server's time. */
export const seconds = (ms, ahead = 0) => Math.floor(ms / 1000) + ahead
