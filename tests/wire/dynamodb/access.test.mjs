// Access keys with policies: what a key may do, on the tables' wire and at the APIs' own addresses; deny by default, and nothing is told about what there is.
// SE-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { quiet, request, start, until } from '../lib/weir.mjs'
import { connect, refused } from '../lib/client.mjs'
import { call, client, ok } from './lib.mjs'

const keys = (reader) => `
keys:
  - {id: owner, secret: the owner's secret}
  - id: reader
    secret: the reader's secret
    policy:
${reader}
`
const reading = `
      - {actions: ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:ConditionCheckItem"], resources: table/orders*}
      - {effect: deny, actions: "*", resources: table/orders-secret*}
      - {actions: "execute-api:Invoke", resources: "signed/prod/$connect"}
      - {actions: "execute-api:ManageConnections", resources: "signed/prod/POST/@rooms/tea"}`
const owner = { accessKeyId: 'owner', secretAccessKey: "the owner's secret" }
const reader = { accessKeyId: 'reader', secretAccessKey: "the reader's secret" }
const apis = `
apis:
  signed:
    auth: iam
    routes: {}
`

async function tables(server) {
  for (const TableName of ['orders', 'orders-secret', 'users'])
    await call(server, 'CreateTable', { TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }], AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] }, { keys: owner })
  await call(server, 'PutItem', { TableName: 'orders', Item: { id: { S: '1' }, n: { N: '7' } } }, { keys: owner })
}

const Key = { id: { S: '1' } }

test('a key with a policy may do what it allows and nothing else', async (t) => {
  const server = await start(t, { config: keys(reading) })
  await tables(server)
  const asReader = (operation, body) => call(server, operation, body, { keys: reader })
  assert.deepEqual((await asReader('GetItem', { TableName: 'orders', Key })).json.Item.n, { N: '7' })
  assert.equal((await asReader('GetItem', { TableName: 'arn:aws:dynamodb:us-east-1:123456789012:table/orders', Key })).status, 200)
  assert.equal((await asReader('BatchGetItem', { RequestItems: { orders: { Keys: [Key] } } })).status, 200)
  const denied = {
    'another action': ['PutItem', { TableName: 'orders', Item: Key }],
    'another table': ['GetItem', { TableName: 'users', Key }],
    'a table that is not there': ['GetItem', { TableName: 'nowhere', Key }],
    'an explicit denial': ['GetItem', { TableName: 'orders-secret', Key }],
    'another table in a batch': ['BatchGetItem', { RequestItems: { orders: { Keys: [Key] }, users: { Keys: [Key] } } }],
    'a write in a batch': ['BatchWriteItem', { RequestItems: { orders: [{ DeleteRequest: { Key } }] } }],
    'a part of a transaction': ['TransactWriteItems', { TransactItems: [
      { ConditionCheck: { TableName: 'orders', Key, ConditionExpression: 'attribute_exists(id)' } }, { Delete: { TableName: 'orders', Key } }] }],
    'a foreign ARN': ['GetItem', { TableName: 'arn:aws:dynamodb:us-east-1:123456789012:table/users', Key }],
    'no resource at all': ['ListTables', {}],
    'an administrator': ['DeleteTable', { TableName: 'orders' }],
    'tags': ['ListTagsOfResource', { ResourceArn: 'arn:aws:dynamodb:us-east-1:123456789012:table/orders' }],
  }
  for (const [what, [operation, body]] of Object.entries(denied)) {
    const { status, json } = await asReader(operation, body)
    assert.equal(status, 400, what)
    assert.match(json.__type, /#AccessDeniedException$/, what)
    assert.match(json.message, /^User: arn:aws:iam::123456789012:user\/reader is not authorized to perform: dynamodb:\w+ on resource: (arn:aws:dynamodb:us-east-1:123456789012:table\/[a-z-]+|\*) (because no|with an explicit deny)/, what)
  }
  assert.match((await asReader('GetItem', { TableName: 'orders-secret', Key })).json.message, /explicit deny/)
  assert.equal((await asReader('TransactWriteItems', { TransactItems: [{ ConditionCheck: { TableName: 'orders', Key, ConditionExpression: 'attribute_exists(id)' } }] })).status, 200)
  assert.deepEqual((await call(server, 'GetItem', { TableName: 'orders', Key }, { keys: owner })).json.Item.n, { N: '7' }, 'nothing was written')
  await quiet(server)
})

test('the SDK sees an AccessDeniedException', async (t) => {
  const server = await start(t, { config: keys(reading) })
  await tables(server)
  const sdk = client(server, { credentials: reader })
  assert.equal((await sdk.send(new GetItemCommand({ TableName: 'orders', Key }))).Item.n.N, '7')
  await assert.rejects(sdk.send(new PutItemCommand({ TableName: 'orders', Item: Key })), { name: 'AccessDeniedException' })
  await assert.rejects(sdk.send(new ListTablesCommand({})), { name: 'AccessDeniedException' })
  sdk.destroy()
})

const signed = async (server, method, target, { body, credentials = reader } = {}) => {
  const url = new URL(server.http + target)
  const signer = new SignatureV4({ service: 'execute-api', region: 'us-east-1', credentials, sha256: Sha256 })
  const { headers } = await signer.sign({ method, protocol: 'http:', hostname: url.hostname, port: Number(url.port), path: url.pathname, query: {}, headers: { host: url.host }, body })
  return { headers, answer: () => request(server, method, target, { headers, body }) }
}

test('the addresses of APIs: connecting, rooms, connections', async (t) => {
  const server = await start(t, { config: keys(reading) + apis })
  const open = async (path, credentials) => {
    const { headers } = await signed(server, 'GET', path, { credentials })
    delete headers.host
    return [`${server.ws}${path}`, { headers }]
  }
  const socket = await connect(...(await open('/signed/prod', reader)))
  assert.equal((await refused(...(await open('/signed/prod', { ...reader, secretAccessKey: 'guess' })))).status, 403)
  const ask = async (...args) => (await signed(server, ...args)).answer()
  assert.equal((await ask('POST', '/signed/@rooms/tea', { body: 'hello' })).status, 200)
  const { connections } = (await ask('GET', '/signed/@connections', { credentials: owner })).json
  const id = encodeURIComponent(connections[0].connectionId)
  for (const [method, target] of [['POST', '/signed/@rooms/coffee'], ['GET', '/signed/@connections'], ['POST', '/signed/@broadcast'], ['POST', `/signed/@connections/${id}`],
    ['DELETE', `/@connections/${id}`], ['DELETE', `/any/where/@connections/${id}`], ['DELETE', '/signed/@users/reader']]) {
    const answer = await ask(method, target, { body: method === 'POST' ? 'x' : undefined })
    assert.equal(answer.status, 403, target)
    assert.equal(answer.headers['x-amzn-errortype'], 'AccessDeniedException', target)
  }
  await socket.close(1000)
})

test('a reload takes policies over', async (t) => {
  const server = await start(t, { config: keys(reading) })
  await tables(server)
  const list = () => call(server, 'ListTables', {}, { keys: reader })
  assert.equal((await list()).status, 400)
  writeFileSync(`${server.folder}/weir.yaml`, keys(`${reading}\n      - {actions: "dynamodb:List*"}`))
  server.child.kill('SIGHUP')
  await until('the new policy', async () => (await list()).status === 200)
  assert.equal((await call(server, 'GetItem', { TableName: 'orders', Key }, { keys: reader })).status, 200)
})
