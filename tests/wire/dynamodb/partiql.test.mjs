// PartiQL, ExecuteStatement: the statements of the Developer Guide as they stand there, with the SDK, the document client and the CLI.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ExecuteStatementCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ExecuteStatementCommand as DocumentStatement, paginateQuery } from '@aws-sdk/lib-dynamodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, fails, ok, rich, table } from './lib.mjs'

const run = async (server, Statement, Parameters, more = {}) => ok(server, 'ExecuteStatement', { Statement, Parameters, ...more })
const items = async (...args) => (await run(...args)).Items

const music = (server) => table(server, 'Music', {
  AttributeDefinitions: [{ AttributeName: 'Artist', AttributeType: 'S' }, { AttributeName: 'SongTitle', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'Artist', KeyType: 'HASH' }, { AttributeName: 'SongTitle', KeyType: 'RANGE' }],
})

test('the guide\'s statements: one item\'s life', async (t) => {
  const server = await start(t)
  const db = client(server)
  const execute = (Statement, Parameters) => db.send(new ExecuteStatementCommand({ Statement, Parameters }))
  await music(server)
  const key = "WHERE Artist='Acme Band' AND SongTitle='PartiQL Rocks'"
  assert.deepEqual((await execute("INSERT INTO \"Music\" value {'Artist' : 'Acme Band','SongTitle' : 'PartiQL Rocks'}")).Items, [])
  await assert.rejects(execute("INSERT INTO Music VALUE {'Artist':'Acme Band','SongTitle':'PartiQL Rocks', 'x': 1}"), (error) => {
    assert.equal(error.name, 'DuplicateItemException')
    assert.equal(error.message, 'Duplicate primary key exists in table')
    return true
  })
  assert.deepEqual((await execute(`UPDATE "Music" SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} ${key}`)).Items, [])
  const all = await execute(`UPDATE "Music" SET AwardDetail.Grammys =list_append(AwardDetail.Grammys,[2016]) SET AwardsWon=AwardsWon + 2 ${key} RETURNING ALL NEW *`)
  const Artist = { S: 'Acme Band' }, SongTitle = { S: 'PartiQL Rocks' }
  const now = { Artist, SongTitle, AwardsWon: { N: '3' }, AwardDetail: { M: { Grammys: { L: [{ N: '2020' }, { N: '2018' }, { N: '2016' }] } } } }
  assert.deepEqual(all.Items, [now])
  const old = await execute(`UPDATE "Music" REMOVE AwardDetail.Grammys[2] SET BandMembers = set_add(BandMembers, <<'newbandmember'>>) ${key} RETURNING ALL OLD *`)
  assert.deepEqual(old.Items, [now])
  const modified = await execute(`UPDATE "Music" SET BandMembers =set_add(BandMembers, <<'b', 'c'>>), AwardsWon = 9 ${key} RETURNING MODIFIED NEW *`)
  assert.deepEqual(modified.Items, [{ BandMembers: { SS: ['newbandmember', 'b', 'c'] }, AwardsWon: { N: '9' } }])
  const before = await execute(`UPDATE "Music" SET BandMembers =set_delete(BandMembers, <<'newbandmember'>>) ${key} RETURNING MODIFIED OLD *`)
  assert.deepEqual(before.Items, [{ BandMembers: { SS: ['newbandmember', 'b', 'c'] } }])
  const [item] = (await execute('SELECT * FROM Music WHERE Artist=? and SongTitle=?', [Artist, SongTitle])).Items
  assert.deepEqual(item, { Artist, SongTitle, AwardsWon: { N: '9' }, AwardDetail: { M: { Grammys: { L: [{ N: '2020' }, { N: '2018' }] } } }, BandMembers: { SS: ['b', 'c'] } })
  assert.deepEqual((await execute(`SELECT AwardsWon, AwardDetail.Grammys, AwardDetail.Grammys[1], Nothing FROM Music ${key}`)).Items,
    [{ AwardsWon: { N: '9' }, Grammys: { L: [{ N: '2020' }, { N: '2018' }] }, 'Grammys[1]': { N: '2018' } }])
  assert.deepEqual((await execute(`DELETE FROM "Music" ${key} RETURNING ALL OLD *`)).Items, [item])
  assert.deepEqual((await execute(`DELETE FROM "Music" ${key} RETURNING ALL OLD *`)).Items, [])
  db.destroy()
  await quiet(server)
})

test('every type, as a literal and as a parameter', async (t) => {
  const server = await start(t)
  const db = client(server)
  await table(server, 'TypesTable')
  await run(server, `INSERT INTO TypesTable value {'id':'1', 'NumberType':1, 'MapType' : {'entryname1': 'value', 'entryname2': 4}, 'ListType': [1,'stringval'],
    'NumberSetType':<<1,34,32,4.5>>, 'StringSetType':<<'stringval','stringval2'>>, 't': TRUE, 'f': false, 'nil': null, 'q': 'it''s "q"', 'digits': -12345678901234567890123456789012345678,
    'small': 1e-130, 'empty': [], 'none': {}}`)
  await run(server, `UPDATE TypesTable SET NumberType=NumberType + 100 SET MapType.NewMapEntry=[2020, 'stringvalue', 2.4] SET ListType = LIST_APPEND(ListType, [4, <<'string1', 'string2'>>])
    SET NumberSetType= SET_ADD(NumberSetType, <<345, 48.4>>) SET StringSetType = SET_ADD(StringSetType, <<'stringsetvalue1', 'stringsetvalue2'>>) WHERE id='1'`)
  await run(server, `UPDATE TypesTable SET NumberType=NumberType - 1 REMOVE ListType[1] REMOVE MapType.entryname1 SET NumberSetType = SET_DELETE( NumberSetType, <<345>>)
    SET StringSetType = SET_DELETE( StringSetType, <<'stringsetvalue1'>>) WHERE id='1'`)
  assert.deepEqual(await items(server, "SELECT * FROM TypesTable WHERE id = '1'"), [{
    id: { S: '1' }, NumberType: { N: '100' }, MapType: { M: { entryname2: { N: '4' }, NewMapEntry: { L: [{ N: '2020' }, { S: 'stringvalue' }, { N: '2.4' }] } } },
    ListType: { L: [{ N: '1' }, { N: '4' }, { SS: ['string1', 'string2'] }] }, NumberSetType: { NS: ['1', '34', '32', '4.5', '48.4'] },
    StringSetType: { SS: ['stringval', 'stringval2', 'stringsetvalue2'] }, t: { BOOL: true }, f: { BOOL: false }, nil: { NULL: true }, q: { S: 'it\'s "q"' },
    digits: { N: '-12345678901234567890123456789012345678' }, small: { N: `0.${'0'.repeat(129)}1` }, empty: { L: [] }, none: { M: {} },
  }])
  const Item = { id: { S: '2' }, b: { B: new Uint8Array([0, 255]) }, bs: { BS: [new Uint8Array([1])] }, l: { L: [{ M: { x: { NS: ['1'] } } }] }, n: { N: '7' } }
  await db.send(new ExecuteStatementCommand({ Statement: "INSERT INTO TypesTable VALUE {'id': ?, 'b': ?, 'bs': ?, 'l': [{'x': ?}], 'n': ?}",
    Parameters: [Item.id, Item.b, Item.bs, { NS: ['1'] }, Item.n] }))
  assert.deepEqual((await db.send(new ExecuteStatementCommand({ Statement: 'SELECT * FROM TypesTable WHERE id = ?', Parameters: [Item.id] }))).Items, [Item])
  await db.send(new ExecuteStatementCommand({ Statement: 'INSERT INTO TypesTable VALUE ?', Parameters: [{ M: { ...Item, id: { S: '3' } } }] }))
  assert.deepEqual(await items(server, "SELECT id FROM TypesTable WHERE n = 7 AND id <> '2'"), [{ id: { S: '3' } }])
  db.destroy()
  await quiet(server)
})

test('conditions', async (t) => {
  const server = await start(t)
  await table(server, 'cond')
  const put = (Item) => ok(server, 'PutItem', { TableName: 'cond', Item })
  await put({ id: { S: 'a' }, n: { N: '1' }, s: { S: 'hello' }, nil: { NULL: true }, tags: { SS: ['x', 'y'] }, m: { M: { 'odd name': { L: [{ N: '5' }] } } } })
  await put({ id: { S: 'b' }, n: { N: '10' }, s: { S: 'help' } })
  await put({ id: { S: 'c' }, n: { S: '5' } })
  const ids = async (where, Parameters) => (await items(server, `SELECT id FROM cond WHERE ${where}`, Parameters)).map((item) => item.id.S).sort().join('')
  const rows = [
    ['n = 1', 'a'], ['n <> 1', 'bc'], ['n != 1', 'bc'], ['n < 10', 'a'], ['n <= 10', 'ab'], ['n > 1', 'b'], ['n >= 1', 'ab'], ["n < '6'", 'c'], ['10 > n', 'a'],
    ['n BETWEEN 1 AND 9', 'a'], ['n NOT BETWEEN 1 AND 9', 'bc'], ["n IN [10, '5']", 'bc'], ["n IN (10, '5')", 'bc'], ['n NOT IN (1)', 'bc'],
    ['nil IS NULL', 'a'], ['nil IS NOT NULL', 'bc'], ['nil IS MISSING', 'bc'], ['s IS NOT MISSING', 'ab'], ['nil = null', 'a'],
    ["begins_with(s, 'hel')", 'ab'], ["begins_with(\"s\", 'hell')", 'a'], ["contains(tags, 'x')", 'a'], ["CONTAINS(s, 'p')", 'b'], ["attribute_type(n, 'S')", 'c'], ['size(s) > 4', 'a'],
    ['m."odd name"[0] = 5', 'a'], ["m['odd name'][0] = 5", 'a'], ["tags = <<'y', 'x'>>", 'a'],
    ["NOT (n = 1 OR s = 'help')", 'c'], ["n = 1 OR n = 10 AND s = 'x'", 'a'], ["(n = 1 OR n = 10) AND s = 'help'", 'b'],
  ]
  for (const [where, expected] of rows) assert.equal(await ids(where), expected, where)
  assert.equal(await ids('n > ? AND s = ?', [{ N: '1' }, { S: 'help' }]), 'b')

  // writes
  const failed = (Statement, more = {}) => fails(server, 'ExecuteStatement', { Statement, ...more }, 'ConditionalCheckFailedException', 'The conditional request failed')
  await failed("UPDATE cond SET n = 2 WHERE id = 'none'")
  await failed("UPDATE cond SET n = 2 WHERE id = 'a' AND n = 7")
  await failed("DELETE FROM cond WHERE id = 'a' AND s = 'other'")
  const shown = await failed("DELETE FROM cond WHERE id = 'b' AND s = 'other'", { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })
  assert.deepEqual(shown.Item, { id: { S: 'b' }, n: { N: '10' }, s: { S: 'help' } })
  const there = await fails(server, 'ExecuteStatement', { Statement: "INSERT INTO cond VALUE {'id': 'c'}", ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }, 'DuplicateItemException')
  assert.deepEqual(there.Item, { id: { S: 'c' }, n: { S: '5' } })
  await run(server, "DELETE FROM cond WHERE id = 'none' AND s = 'other'")
  await run(server, "UPDATE cond SET n = 2 WHERE id = 'a' AND s = 'hello' AND n = 1")
  await run(server, "DELETE FROM cond WHERE id = 'b' AND s = 'help'")
  assert.equal(await ids('id IS NOT MISSING'), 'ac')
  await fails(server, 'ExecuteStatement', { Statement: "UPDATE cond SET n = missing1 + 1 WHERE id = 'a'" }, 'ValidationException',
    'The provided expression refers to an attribute that does not exist in the item')
  await quiet(server)
})

test('pages, indexes, the order, what it costs', async (t) => {
  const server = await start(t)
  const db = client(server)
  await rich(server, 'rich')
  for (let p = 0; p < 3; p++) for (let r = 0; r < 10; r++) await run(server, "INSERT INTO rich VALUE {'p': ?, 'r': ?, 'color': ?, 'mass': ?, 'note': 'n', 'other': 'o'}",
    [{ S: `p${p}` }, { N: String(r) }, { S: r % 2 ? 'red' : 'blue' }, { N: String(r * 10 + p) }])
  const Statement = "SELECT r FROM rich WHERE p IN ['p2', 'p0'] AND r < 5 ORDER BY p, r DESC"
  const seen = []
  let NextToken, pages = 0
  do {
    const page = await db.send(new ExecuteStatementCommand({ Statement, Limit: 3, NextToken }))
    seen.push(...page.Items.map((item) => item.r.N))
    assert.equal(!page.NextToken, !page.LastEvaluatedKey)
    if (page.LastEvaluatedKey) assert.deepEqual(Object.keys(page.LastEvaluatedKey).sort(), ['p', 'r'])
    if (NextToken) await fails(server, 'ExecuteStatement', { Statement: `${Statement} `, NextToken }, 'ValidationException', /NextToken/)
    NextToken = page.NextToken
    pages++
  } while (NextToken)
  assert.equal(seen.join(''), '4321043210')
  assert.equal(pages, 4)
  const index = await run(server, 'SELECT * FROM "rich"."byColorSome" WHERE color = \'red\' AND mass >= 70 ORDER BY mass DESC', undefined, { Limit: 2, ReturnConsumedCapacity: 'INDEXES' })
  assert.deepEqual(index.Items.map((item) => item.mass.N), ['92', '91'])
  assert.deepEqual(Object.keys(index.Items[0]).sort(), ['color', 'mass', 'note', 'p', 'r'])
  assert.deepEqual(Object.keys(index.LastEvaluatedKey).sort(), ['color', 'mass', 'p', 'r'])
  assert.deepEqual(index.ConsumedCapacity.GlobalSecondaryIndexes, { byColorSome: { CapacityUnits: 0.5 } })
  const local = await items(server, "SELECT mass, other FROM rich.bySize WHERE p = 'p1' AND mass > 80")
  assert.deepEqual(local, [{ mass: { N: '81' }, other: { S: 'o' } }, { mass: { N: '91' }, other: { S: 'o' } }])
  await fails(server, 'ExecuteStatement', { Statement: "SELECT other FROM rich.byColorSome WHERE color = 'red'" }, 'ValidationException', /does not project/)
  await fails(server, 'ExecuteStatement', { Statement: "SELECT * FROM rich.byColor WHERE color = 'red'", ConsistentRead: true }, 'ValidationException',
    'Consistent reads are not supported on global secondary indexes')
  const get = await run(server, "SELECT * FROM rich WHERE p = 'p0' AND r = 1", undefined, { ConsistentRead: true, ReturnConsumedCapacity: 'TOTAL' })
  assert.deepEqual(get.ConsumedCapacity, { TableName: 'rich', CapacityUnits: 1 })
  const write = await run(server, "UPDATE rich SET other = 'x' WHERE p = 'p0' AND r = 1", undefined, { ReturnConsumedCapacity: 'INDEXES' })
  assert.deepEqual(write.ConsumedCapacity.Table, { CapacityUnits: 1 })
  // pages of 1 MB
  for (let i = 0; i < 12; i++) await run(server, "INSERT INTO rich VALUE {'p': 'big', 'r': ?, 'text': ?}", [{ N: String(i) }, { S: 'x'.repeat(200000) }])
  const first = await run(server, "SELECT r FROM rich WHERE p = 'big'")
  assert.equal(first.Items.length, 6)
  const second = await run(server, "SELECT r FROM rich WHERE p = 'big'", undefined, { NextToken: first.NextToken })
  assert.deepEqual(second.Items.map((item) => Number(item.r.N)), [6, 7, 8, 9, 10, 11])
  db.destroy()
  await quiet(server)
})

test('an index with a key of several attributes', async (t) => {
  const server = await start(t)
  const defined = ['id', 'country', 'city', 'year', 'score']
  await table(server, 'tall', {
    AttributeDefinitions: defined.map((AttributeName) => ({ AttributeName, AttributeType: AttributeName === 'year' || AttributeName === 'score' ? 'N' : 'S' })),
    GlobalSecondaryIndexes: [{
      IndexName: 'byPlace', Projection: { ProjectionType: 'ALL' },
      KeySchema: [['country', 'HASH'], ['city', 'HASH'], ['year', 'RANGE'], ['score', 'RANGE']].map(([AttributeName, KeyType]) => ({ AttributeName, KeyType })),
    }],
  })
  for (let i = 0; i < 24; i++) await run(server, "INSERT INTO tall VALUE {'id': ?, 'country': 'x', 'city': ?, 'year': ?, 'score': ?}",
    [{ S: String(i).padStart(2, '0') }, { S: i % 2 ? 'odd' : 'even' }, { N: String(i % 3) }, { N: String(i) }])
  const ids = async (where, limit) => {
    const seen = []
    let NextToken
    do {
      const page = await run(server, `SELECT id FROM tall.byPlace WHERE ${where}`, undefined, { Limit: limit, NextToken })
      seen.push(...page.Items.map((item) => Number(item.id.S)))
      NextToken = page.NextToken
    } while (NextToken)
    return seen
  }
  for (const limit of [undefined, 1, 3]) {
    assert.deepEqual(await ids("city = 'odd' AND country = 'x' AND year = 1 AND score > 7", limit), [13, 19])
    assert.deepEqual(await ids("city = 'odd' AND country = 'x' AND year >= 1 AND score > 7 ORDER BY year DESC, score DESC", limit), [23, 17, 11, 19, 13])
    assert.deepEqual((await ids("country = 'x' AND score < 4", limit)).sort(), [0, 1, 2, 3])
  }
  await quiet(server)
})

test('the document client', async (t) => {
  const server = await start(t)
  const db = client(server)
  const doc = DynamoDBDocumentClient.from(db)
  const execute = (Statement, Parameters) => doc.send(new DocumentStatement({ Statement, Parameters }))
  await table(server, 'docs')
  await execute("INSERT INTO docs VALUE {'id': ?, 'n': ?, 'list': ?, 'map': ?, 'set': ?}", ['a', 1.5, ['x', 2], { deep: { er: true } }, new Set(['s'])])
  await execute('UPDATE docs SET n = n + ?, "map".deep.er = ? WHERE id = ? AND n = ?', [2, null, 'a', 1.5])
  assert.deepEqual((await execute('SELECT * FROM "docs" WHERE id = ?', ['a'])).Items, [{ id: 'a', n: 3.5, list: ['x', 2], map: { deep: { er: null } }, set: new Set(['s']) }])
  assert.ok(paginateQuery)
  db.destroy()
  await quiet(server)
})

test('what is refused', async (t) => {
  const server = await start(t)
  await table(server, 'some')
  const bad = (Statement, message, more = {}) => fails(server, 'ExecuteStatement', { Statement, ...more }, 'ValidationException', message)
  const broken = "Statement wasn't well formed, can't be processed: "
  await bad('DROP TABLE some', `${broken}Expected data manipulation`)
  await bad("INSERT INTO some (id) VALUES ('a')", /^Statement wasn't well formed, can't be processed: Unexpected/)
  await bad("INSERT INTO some VALUES {'id': 'a'}", `${broken}Unexpected keyword; line 1, column 18: VALUES`)
  await bad('SELECT a.size. FROM some', /Invalid path dot component/)
  await bad("SELECT * FROM some WHERE id = ?", "Number of parameters in request and statement don't match.")
  await bad("UPDATE some SET x = 1 WHERE x = 2", 'Where clause does not contain a mandatory equality on all key attributes')
  await bad('', /1 validation error detected: Value '' at 'statement' failed to satisfy constraint: Member must have length greater than or equal to 1/)
  await bad(`SELECT * FROM some WHERE id = '${'x'.repeat(8200)}'`, /Member must have length less than or equal to 8192/)
  await bad('SELECT * FROM some', /Member must have length greater than or equal to 1/, { Parameters: [] })
  await bad('SELECT * FROM some', /value greater than or equal to 1/, { Limit: 0 })
  await fails(server, 'ExecuteStatement', { Statement: 'SELECT * FROM nothing' }, 'ResourceNotFoundException', 'Requested resource not found')
  await fails(server, 'ExecuteStatement', { Statement: 'SELECT * FROM some', Parameters: ['x'] }, 'SerializationException')
  await fails(server, 'ExecuteStatement', { Statement: 'SELECT * FROM some', Parameters: [null] }, 'ValidationException', /^Supplied AttributeValue is empty/)
  await fails(server, 'ExecuteStatement', {}, 'ValidationException', /'statement' failed to satisfy constraint: Member must not be null/)
  await quiet(server)
})

test('the CLI', async (t) => {
  const server = await start(t)
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' }
  const aws = async (...args) => {
    const { stdout } = await promisify(execFile)('aws', ['dynamodb', ...args, '--endpoint-url', server.http, '--output', 'json'], { env, timeout: 300000 })
    return stdout ? JSON.parse(stdout) : undefined
  }
  await music(server)
  await aws('execute-statement', '--statement', "INSERT INTO Music VALUE {'Artist':'Acme Band','SongTitle':'PartiQL Rocks'}")
  const batch = JSON.stringify([
    { Statement: "INSERT INTO Music VALUE {'Artist':?,'SongTitle':?}", Parameters: [{ S: 'Acme Band' }, { S: 'Best Song' }] },
    { Statement: "UPDATE Music SET AwardsWon=1 SET AwardDetail={'Grammys':[2020, 2018]} WHERE Artist='Acme Band' AND SongTitle='PartiQL Rocks'" },
  ])
  assert.deepEqual(await aws('batch-execute-statement', '--statements', batch), { Responses: [{ TableName: 'Music' }, { TableName: 'Music' }] })
  const found = await aws('execute-statement', '--statement', "SELECT SongTitle, AwardsWon FROM Music WHERE Artist='Acme Band'")
  assert.deepEqual(found.Items, [{ SongTitle: { S: 'Best Song' } }, { SongTitle: { S: 'PartiQL Rocks' }, AwardsWon: { N: '1' } }])
  const transaction = JSON.stringify([
    { Statement: "EXISTS(SELECT * FROM \"Music\" where Artist='Acme Band' and SongTitle='Best Song' and AwardsWon is MISSING)" },
    { Statement: "INSERT INTO Music value {'Artist':?,'SongTitle':'?'}", Parameters: [{ S: 'Other Band' }] },
    { Statement: "UPDATE \"Music\" SET AwardsWon=2 where Artist='Acme Band' and SongTitle='PartiQL Rocks'" },
  ])
  assert.deepEqual(await aws('execute-transaction', '--transact-statements', transaction), { Responses: [{}, {}, {}] })
  await assert.rejects(aws('execute-transaction', '--transact-statements', transaction), /TransactionCanceledException.*\[None, DuplicateItem, None\]/)
  await quiet(server)
})
