// Clients of the DynamoDB wire: the SDK as people use it, and signed requests with bodies that no SDK would send.
import assert from 'node:assert/strict'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { request } from '../lib/weir.mjs'

export const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

export function client(server, options = {}) {
  return new DynamoDBClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1, ...options })
}

/** Moves the server's clock, and that of the requests that are signed here. */
export async function advance(server, ms) {
  server.skew = (server.skew ?? 0) + ms
  return server.advance(ms)
}

/** A signed POST: {status, headers, body, json}. `body` is an object or text. */
export async function call(server, operation, body = {}, { headers = {}, keys = credentials, region = 'us-east-1', service = 'dynamodb', after } = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const url = new URL(server.http)
  const signer = new SignatureV4({ credentials: keys, region, service, sha256: Sha256 })
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname: url.hostname,
    port: Number(url.port),
    path: '/',
    query: {},
    headers: { host: url.host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}`, ...headers },
    body: text,
  }, { signingDate: new Date(Date.now() + (server.skew ?? 0)) })
  after?.(signed.headers)
  return request(server, 'POST', '/', { headers: signed.headers, body: text })
}

/** The answer of a call that must succeed. */
export async function ok(server, operation, body) {
  const answer = await call(server, operation, body)
  assert.equal(answer.status, 200, `${operation}: ${answer.body}`)
  return answer.body ? answer.json : undefined // TagResource and UntagResource answer nothing
}

/** The error of a call that must fail: {type, message, ...}. */
export async function fails(server, operation, body, name, message) {
  const answer = await call(server, operation, body)
  const error = answer.json
  const what = `${operation} ${JSON.stringify(body).slice(0, 300)}: ${answer.body}`
  assert.notEqual(answer.status, 200, what)
  assert.equal(error.__type?.split('#')[1], name, what)
  const said = error.message ?? error.Message
  if (message instanceof RegExp) assert.match(said, message, what)
  else if (message !== undefined) assert.equal(said, message, what)
  return error
}

/** A table with a hash key `id` (S), or with what is given over it. */
export function table(server, TableName, more = {}) {
  return ok(server, 'CreateTable', {
    TableName,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
    ...more,
  })
}

/** Hash `p` (S), range `r` (N), and indexes: `byColor` (global, all), `byColorKeys` (global, keys), `byColorSome` (global, include), `bySize` (local, keys). */
export function rich(server, TableName) {
  const global = (IndexName, Projection) => ({
    IndexName,
    KeySchema: [{ AttributeName: 'color', KeyType: 'HASH' }, { AttributeName: 'mass', KeyType: 'RANGE' }],
    Projection,
  })
  return ok(server, 'CreateTable', {
    TableName,
    AttributeDefinitions: [['p', 'S'], ['r', 'N'], ['color', 'S'], ['mass', 'N']].map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'r', KeyType: 'RANGE' }],
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      global('byColor', { ProjectionType: 'ALL' }),
      global('byColorKeys', { ProjectionType: 'KEYS_ONLY' }),
      global('byColorSome', { ProjectionType: 'INCLUDE', NonKeyAttributes: ['note'] }),
    ],
    LocalSecondaryIndexes: [
      { IndexName: 'bySize', KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'mass', KeyType: 'RANGE' }], Projection: { ProjectionType: 'KEYS_ONLY' } },
    ],
  })
}
