// PartiQL in batches and transactions: each statement's own error, all or nothing, retries by token, and what a key may do.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { BatchExecuteStatementCommand, ExecuteTransactionCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, BatchExecuteStatementCommand as DocumentBatch, ExecuteTransactionCommand as DocumentTransaction } from '@aws-sdk/lib-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { advance, call, client, fails, ok, table } from './lib.mjs'

const insert = (id, more = '') => ({ Statement: `INSERT INTO some VALUE {'id': '${id}'${more}}` })
const select = (id, more = '') => ({ Statement: `SELECT * FROM some WHERE id = '${id}'${more}` })
const all = async (server) => (await ok(server, 'Scan', { TableName: 'some' })).Items.map((item) => item.id.S).sort().join('')

test('a batch: each statement has its own result', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'some')
  const written = await db.send(new BatchExecuteStatementCommand({
    Statements: [insert('a', ", 'n': 1"), insert('a'), insert('b'), { Statement: 'INSERT' }, { Statement: "INSERT INTO nothing VALUE {'id': 'x'}" },
      { Statement: "UPDATE some SET n = n + 1 WHERE id = 'a' RETURNING ALL NEW *" },
      { Statement: "UPDATE some SET n = 1 WHERE id = 'b' AND n = 5", ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
      { Statement: "UPDATE some SET n = 1 WHERE n = 5" }, { Statement: "DELETE FROM some WHERE id = ?", Parameters: [{ S: 'none' }] },
      { Statement: "UPDATE some SET m = n + 1 WHERE id = 'b'" }],
    ReturnConsumedCapacity: 'TOTAL',
  }))
  const codes = written.Responses.map((response) => response.Error?.Code)
  assert.deepEqual(codes, [undefined, 'DuplicateItem', undefined, 'ValidationError', 'ResourceNotFound', undefined, 'ConditionalCheckFailed', 'ValidationError', undefined, 'ValidationError'])
  assert.equal(written.Responses[1].Error.Message, 'Duplicate primary key exists in table')
  assert.match(written.Responses[3].Error.Message, /^Statement wasn't well formed, can't be processed: /)
  assert.deepEqual(written.Responses[5], { TableName: 'some', Item: { id: { S: 'a' }, n: { N: '2' } } })
  assert.deepEqual(written.Responses[6].Error.Item, { id: { S: 'b' } })
  assert.equal(written.Responses[7].Error.Message, 'Where clause does not contain a mandatory equality on all key attributes')
  assert.equal(written.ConsumedCapacity.length, 4)
  assert.equal(await all(server), 'ab')
  const read = await db.send(new BatchExecuteStatementCommand({ Statements: [select('a'), select('none'), select('b', ' AND n = 1'), { Statement: 'SELECT * FROM some' },
    { Statement: "SELECT n FROM some WHERE id = 'a'", ConsistentRead: true }] }))
  assert.deepEqual(read.Responses, [
    { TableName: 'some', Item: { id: { S: 'a' }, n: { N: '2' } } }, { TableName: 'some' }, { TableName: 'some' },
    { TableName: 'some', Error: { Code: 'ValidationError', Message: 'Select statements within BatchExecuteStatement must specify the primary key in the where clause.' } },
    { TableName: 'some', Item: { n: { N: '2' } } },
  ])
  await fails(server, 'BatchExecuteStatement', { Statements: [select('a'), insert('c')] }, 'ValidationException', /either read statements or write statements/)
  await fails(server, 'BatchExecuteStatement', { Statements: Array.from({ length: 26 }, (_, i) => insert(`x${i}`)) }, 'ValidationException', /less than or equal to 25/)
  const exists = await ok(server, 'BatchExecuteStatement', { Statements: [{ Statement: "EXISTS(SELECT * FROM some WHERE id = 'a')" }] })
  assert.equal(exists.Responses[0].Error.Code, 'ValidationError')
  assert.equal(await all(server), 'ab')
  db.destroy()
  await quiet(server)
})

test('a batch with more than fits says which to send again', async (t) => {
  const server = await start(t)
  await table(server, 'some')
  const text = { S: 'x'.repeat(390000) }
  const put = (i) => ({ Statement: "INSERT INTO some VALUE {'id': ?, 'text': ?}", Parameters: [{ S: `k${i}` }, text] })
  let left = Array.from({ length: 25 }, (_, i) => i)
  let rounds = 0
  for (; left.length; rounds++) {
    const { Responses } = await ok(server, 'BatchExecuteStatement', { Statements: left.map(put) })
    for (const { Error } of Responses) if (Error) assert.equal(Error.Code, 'ThrottlingError')
    left = left.filter((_, i) => Responses[i].Error)
  }
  assert.ok(rounds > 1 && rounds < 5, `${rounds}`)
  const read = await ok(server, 'BatchExecuteStatement', { Statements: Array.from({ length: 25 }, (_, i) => select(`k${i}`)) })
  assert.ok(read.Responses.every((response) => response.Item.text.S.length === 390000))
  await quiet(server)
})

test('a transaction of writes', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'some')
  const run = (TransactStatements, more) => db.send(new ExecuteTransactionCommand({ TransactStatements, ...more }))
  assert.deepEqual((await run([insert('a', ", 'n': 1"), insert('b')])).Responses, [{}, {}])
  const cancelled = await run([insert('a'), { Statement: "UPDATE some SET n = 2 WHERE id = 'a' AND n = 1" }].slice(0, 1).concat([insert('c'),
    { Statement: "UPDATE some SET n = 5 WHERE id = 'b' AND n = 1", ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }])).catch((error) => error)
  assert.equal(cancelled.name, 'TransactionCanceledException')
  assert.deepEqual(cancelled.CancellationReasons.map((reason) => reason.Code), ['DuplicateItem', 'None', 'ConditionalCheckFailed'])
  assert.deepEqual(cancelled.CancellationReasons[2].Item, { id: { S: 'b' } })
  assert.equal(await all(server), 'ab')
  // EXISTS beside writes
  const guarded = (n) => [{ Statement: "EXISTS(SELECT * FROM some WHERE id = 'a' AND n = ?)", Parameters: [{ N: n }] }, insert('d'), { Statement: "DELETE FROM some WHERE id = 'b'" }]
  await assert.rejects(run(guarded('7')), /\[ConditionalCheckFailed, None, None\]/)
  await assert.rejects(run([{ Statement: "EXISTS(SELECT * FROM some WHERE id = 'none')" }]), /\[ConditionalCheckFailed\]/)
  await run(guarded('1'))
  assert.equal(await all(server), 'ad')
  const bad = (TransactStatements, message) => fails(server, 'ExecuteTransaction', { TransactStatements }, 'ValidationException', message)
  await bad([insert('x'), select('a')], /either read statements or write statements/)
  await bad([insert('x'), { Statement: "DELETE FROM some WHERE id = 'x'" }], 'Transaction request cannot include multiple operations on one item')
  await bad([{ Statement: 'SELECT * FROM some' }], 'Select statements within ExecuteTransaction must specify the primary key in the where clause.')
  await bad([{ Statement: 'nonsense' }], "Statement wasn't well formed, can't be processed: Expected data manipulation")
  await bad([{ Statement: "EXISTS(SELECT * FROM some WHERE n = 1)" }], 'Where clause does not contain a mandatory equality on all key attributes')
  await bad(Array.from({ length: 101 }, (_, i) => insert(`x${i}`)), /less than or equal to 100/)
  const most = await run(Array.from({ length: 100 }, (_, i) => insert(`m${i}`)), { ReturnConsumedCapacity: 'TOTAL' })
  assert.equal(most.Responses.length, 100)
  assert.equal(most.ConsumedCapacity[0].WriteCapacityUnits, 200)
  db.destroy()
  await quiet(server)
})

test('a transaction\'s token', async (t) => {
  const server = await start(t)
  await table(server, 'some')
  await ok(server, 'ExecuteStatement', insert('a', ", 'n': 0"))
  const TransactStatements = [{ Statement: "UPDATE some SET n = n + 1 WHERE id = 'a'" }]
  const n = async () => (await ok(server, 'GetItem', { TableName: 'some', Key: { id: { S: 'a' } } })).Item.n.N
  for (let i = 0; i < 3; i++) assert.deepEqual(await ok(server, 'ExecuteTransaction', { TransactStatements, ClientRequestToken: 'once' }), { Responses: [{}] })
  assert.equal(await n(), '1')
  await fails(server, 'ExecuteTransaction', { TransactStatements: [insert('z')], ClientRequestToken: 'once' }, 'IdempotentParameterMismatchException')
  await advance(server, 11 * 60000)
  await ok(server, 'ExecuteTransaction', { TransactStatements, ClientRequestToken: 'once' })
  assert.equal(await n(), '2')
  await quiet(server)
})

test('a transaction of reads, and the document client', async (t) => {
  const server = await start(t)
  const db = client(server)
  const doc = DynamoDBDocumentClient.from(db)
  await table(server, 'some')
  await doc.send(new DocumentBatch({ Statements: [{ Statement: "INSERT INTO some VALUE {'id': ?, 'v': ?}", Parameters: ['a', { x: [1, 'y'] }] }] }))
  await doc.send(new DocumentTransaction({ TransactStatements: [{ Statement: 'UPDATE some SET v.x[0] = ? WHERE id = ?', Parameters: [2, 'a'] }] }))
  const { Responses, ConsumedCapacity } = await doc.send(new DocumentTransaction({
    TransactStatements: [{ Statement: 'SELECT * FROM some WHERE id = ?', Parameters: ['a'] }, { Statement: 'SELECT v.x FROM some WHERE id = ? AND v.x[1] = ?', Parameters: ['none', 'y'] }],
    ReturnConsumedCapacity: 'TOTAL',
  }))
  assert.deepEqual(Responses, [{ Item: { id: 'a', v: { x: [2, 'y'] } } }, {}])
  assert.deepEqual(ConsumedCapacity.map((one) => one.ReadCapacityUnits), [2, 2])
  const read = await doc.send(new DocumentBatch({ Statements: [{ Statement: 'SELECT v.x FROM some WHERE id = ?', Parameters: ['a'] }] }))
  assert.deepEqual(read.Responses, [{ TableName: 'some', Item: { x: [2, 'y'] } }])
  await fails(server, 'ExecuteTransaction', { TransactStatements: [select('a'), select('a')] }, 'ValidationException', 'Transaction request cannot include multiple operations on one item')
  db.destroy()
  await quiet(server)
})

test('what a key may do with statements', async (t) => {
  const server = await start(t, { config: `
keys:
  - {id: owner, secret: the secret of the owner}
  - id: reader
    secret: the secret of the reader
    policy:
      - {actions: "dynamodb:PartiQLSelect", resources: ["table/orders", "table/orders/index/*"]}
      - {actions: ["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"], resources: "table/papers"}
` })
  const keys = (accessKeyId) => ({ keys: { accessKeyId, secretAccessKey: `the secret of the ${accessKeyId}` } })
  for (const TableName of ['orders', 'papers']) await call(server, 'CreateTable', { TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }] }, keys('owner'))
  const execute = (Statement) => call(server, 'ExecuteStatement', { Statement }, keys('reader'))
  const denied = async (Statement) => assert.match((await execute(Statement)).json.__type, /#AccessDeniedException$/, Statement)
  assert.equal((await execute('SELECT * FROM orders')).status, 200)
  assert.equal((await execute("INSERT INTO papers VALUE {'id': 'a'}")).status, 200)
  assert.equal((await execute("UPDATE papers SET n = 1 WHERE id = 'a'")).status, 200)
  await denied('SELECT * FROM papers')
  await denied('SELECT * FROM nowhere')
  await denied("INSERT INTO orders VALUE {'id': 'a'}")
  await denied("DELETE FROM papers WHERE id = 'a'")
  const batch = await call(server, 'BatchExecuteStatement', { Statements: [{ Statement: "INSERT INTO papers VALUE {'id': 'b'}" }, { Statement: "DELETE FROM papers WHERE id = 'a'" }] }, keys('reader'))
  assert.deepEqual(batch.json.Responses.map((response) => response.Error?.Code), [undefined, 'AccessDenied'])
  const transaction = await call(server, 'ExecuteTransaction', { TransactStatements: [{ Statement: "INSERT INTO papers VALUE {'id': 'c'}" }, { Statement: "DELETE FROM papers WHERE id = 'a'" }] }, keys('reader'))
  assert.match(transaction.json.__type, /#AccessDeniedException$/)
  const { Items } = (await call(server, 'Scan', { TableName: 'papers' }, keys('owner'))).json
  assert.deepEqual(Items.map((item) => item.id.S).sort(), ['a', 'b'])
  await quiet(server)
})
