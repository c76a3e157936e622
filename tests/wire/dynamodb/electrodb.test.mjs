// ElectroDB, single-table entities over the document client: keys composed of attributes, collections, updates, conditions, batches, transactions, cursors.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import electrodb from 'electrodb'
import { quiet, start } from '../lib/weir.mjs'
import { client, ok } from './lib.mjs'

const { CustomAttributeType, Entity, Service, createConversions } = electrodb
const all = { ProjectionType: 'ALL' }
const key = (hashes, ranges = []) => [...hashes.map((AttributeName) => ({ AttributeName, KeyType: 'HASH' })), ...ranges.map((AttributeName) => ({ AttributeName, KeyType: 'RANGE' }))]

async function world(t) {
  const server = await start(t)
  const types = { pk: 'S', sk: 'S', gsi1pk: 'S', gsi1sk: 'S', office: 'S', team: 'S', grade: 'N', hired: 'S' }
  await ok(server, 'CreateTable', {
    TableName: 'work',
    AttributeDefinitions: Object.entries(types).map(([AttributeName, AttributeType]) => ({ AttributeName, AttributeType })),
    KeySchema: key(['pk'], ['sk']),
    BillingMode: 'PAY_PER_REQUEST',
    GlobalSecondaryIndexes: [
      { IndexName: 'gsi1', KeySchema: key(['gsi1pk'], ['gsi1sk']), Projection: all },
      { IndexName: 'seats', KeySchema: key(['office', 'team'], ['grade', 'hired']), Projection: all },
    ],
  })
  await ok(server, 'UpdateTimeToLive', { TableName: 'work', TimeToLiveSpecification: { Enabled: true, AttributeName: 'gone' } })
  const db = client(server)
  const options = { client: DynamoDBDocumentClient.from(db), table: 'work' }
  const Employee = new Entity({
    model: { entity: 'employee', version: '1', service: 'work' },
    attributes: {
      employee: { type: 'string', default: () => 'generated' },
      name: { type: 'string', required: true },
      office: { type: 'string', required: true },
      team: { type: ['red', 'blue', 'green'], required: true },
      grade: { type: 'number', default: 1, validate: (n) => n >= 0 },
      hired: { type: 'string', readOnly: true },
      salary: { type: 'number', hidden: true },
      doubled: { type: 'number', watch: ['grade'], set: (_, { grade }) => grade * 2 },
      remote: { type: 'boolean' },
      skills: { type: 'set', items: 'string' },
      lucky: { type: 'set', items: 'number' },
      log: { type: 'list', items: { type: 'map', properties: { at: { type: 'number' }, what: { type: 'string' } } } },
      home: { type: 'map', properties: { street: { type: 'string' }, at: { type: 'map', properties: { x: { type: 'number' } } } } },
      loose: { type: CustomAttributeType('any') },
      gone: { type: 'number' },
    },
    indexes: {
      primary: { pk: { field: 'pk', composite: ['employee'] }, sk: { field: 'sk', composite: [] } },
      teams: { collection: 'board', index: 'gsi1', pk: { field: 'gsi1pk', composite: ['team'] }, sk: { field: 'gsi1sk', composite: ['office', 'employee'] } },
      seats: { index: 'seats', type: 'composite', collection: 'seating', pk: { composite: ['office', 'team'] }, sk: { composite: ['grade', 'hired'] } },
    },
  }, options)
  const Task = new Entity({
    model: { entity: 'task', version: '1', service: 'work' },
    attributes: {
      task: { type: 'string', required: true }, project: { type: 'string', required: true }, team: { type: 'string', required: true }, points: { type: 'number', default: 0 }, status: { type: ['open', 'done'], default: 'open' },
    },
    indexes: {
      primary: { pk: { field: 'pk', composite: ['project'] }, sk: { field: 'sk', composite: ['task'] } },
      board: { collection: 'board', index: 'gsi1', pk: { field: 'gsi1pk', composite: ['team'] }, sk: { field: 'gsi1sk', composite: ['project', 'task'] } },
    },
  }, options)
  return { server, db, Employee, Task, work: new Service({ Employee, Task }) }
}

const person = (i) => ({ employee: `e${String(i).padStart(2, '0')}`, name: `N${i}`, office: i % 2 ? 'ulm' : 'bonn', team: ['red', 'blue', 'green'][i % 3], grade: i % 5, hired: `20${String(10 + i).padStart(2, '0')}-01-01` })

test('one entity: made, read, changed in every way, removed', async (t) => {
  const { server, db, Employee } = await world(t)
  const made = await Employee.create({ ...person(1), salary: 9, skills: ['c', 'sql'], lucky: [7, 11], log: [{ at: 1, what: 'in' }], home: { street: 'A', at: { x: 1 } }, loose: { any: [1, null, 'x'] }, remote: false }).go()
  assert.equal(made.data.doubled, 2)
  await assert.rejects(Employee.create(person(1)).go(), (error) => error.cause?.name === 'ConditionalCheckFailedException' || /conditional request failed/i.test(error.message))
  const at = { employee: 'e01' }
  const read = async () => (await Employee.get(at).go({ consistent: true })).data
  const first = await read()
  assert.equal(first.salary, undefined)
  assert.deepEqual([first.skills.sort(), first.lucky.sort((a, b) => a - b), first.log, first.home, first.loose], [['c', 'sql'], [7, 11], [{ at: 1, what: 'in' }], { street: 'A', at: { x: 1 } }, { any: [1, null, 'x'] }])
  const some = await Employee.get(at).go({ attributes: ['name', 'team'] })
  assert.deepEqual(some.data, { name: 'N1', team: 'blue' })
  const all = await Employee.update(at).set({ name: 'New', grade: 4 }).add({ skills: ['go'] }).delete({ lucky: [7] }).append({ log: [{ at: 2, what: 'out' }] }).remove(['remote']).go({ response: 'all_new' })
  assert.deepEqual([all.data.name, all.data.doubled, all.data.skills.sort(), all.data.lucky, all.data.log.length, all.data.remote], ['New', 8, ['c', 'go', 'sql'], [11], 2, undefined])
  await Employee.update(at).data((a, o) => {
    o.set(a.home.street, 'B')
    o.add(a.home.at.x, 5)
    o.set(a.log[0].what, 'first')
    o.remove(a.log[1])
    o.add(a.salary, 100)
  }).go()
  const second = await read()
  assert.deepEqual([second.home, second.log], [{ street: 'B', at: { x: 6 } }, [{ at: 1, what: 'first' }]])
  await Employee.update(at).data((a, o) => { o.ifNotExists(a.gone, 4102444800); o.subtract(a.home.at.x, 2) }).go()
  await Employee.update(at).data((a, o) => { o.ifNotExists(a.gone, 1) }).go()
  assert.deepEqual([(await read()).gone, (await read()).home.at.x], [4102444800, 4])
  const moved = await Employee.patch(at).set({ team: 'green' }).composite({ office: 'ulm', hired: '2011-01-01', grade: 4 }).go({ response: 'updated_new' })
  assert.equal(moved.data.team, 'green')
  await assert.rejects(Employee.patch({ employee: 'nobody' }).set({ name: 'x' }).go())
  await Employee.upsert({ ...person(2), name: 'Up' }).go()
  await Employee.upsert({ ...person(2), name: 'Again' }).go()
  assert.equal((await Employee.get({ employee: 'e02' }).go()).data.name, 'Again')
  await assert.rejects(Employee.update(at).set({ name: 'no' }).where(({ grade }, { gt }) => gt(grade, 10)).go())
  await Employee.update(at).set({ name: 'yes' }).where(({ grade, skills, name }, { gt, contains, begins, exists, between }) => `${gt(grade, 1)} AND ${contains(skills, 'go')} AND ${begins(name, 'N')} AND ${exists(name)} AND ${between(grade, 1, 9)}`).go()
  const gone = await Employee.delete(at).go({ response: 'all_old' })
  assert.equal(gone.data.name, 'yes')
  await assert.rejects(Employee.remove(at).go())
  assert.equal((await Employee.get(at).go()).data, null)
  db.destroy()
  await quiet(server)
})

test('queries: partitions, beginnings, ranges, filters, collections, scans', async (t) => {
  const { server, db, Employee, Task, work } = await world(t)
  await Employee.put(Array.from({ length: 30 }, (_, i) => person(i))).go()
  await Task.put(Array.from({ length: 12 }, (_, i) => ({ task: `t${i}`, project: `p${i % 2}`, team: i % 3 ? 'red' : 'blue', points: i }))).go()
  const names = ({ data }) => data.map((one) => one.employee)
  const reds = Array.from({ length: 30 }, (_, i) => person(i)).filter((one) => one.team === 'red')
  assert.deepEqual(names(await Employee.query.teams({ team: 'red' }).go()).sort(), reds.map((one) => one.employee))
  assert.deepEqual(names(await Employee.query.teams({ team: 'red', office: 'ulm' }).go()), reds.filter((one) => one.office === 'ulm').map((one) => one.employee))
  assert.deepEqual(names(await Employee.query.teams({ team: 'red', office: 'ulm' }).between({ employee: 'e05' }, { employee: 'e20' }).go()), reds.filter((one) => one.office === 'ulm' && one.employee >= 'e05' && one.employee <= 'e20').map((one) => one.employee))
  assert.deepEqual(names(await Employee.query.teams({ team: 'red', office: 'ulm' }).gt({ employee: 'e15' }).go({ order: 'desc' })), reds.filter((one) => one.office === 'ulm' && one.employee > 'e15').map((one) => one.employee).reverse())
  assert.deepEqual(names(await Employee.query.teams({ team: 'red' }).begins({ office: 'b' }).go()), reds.filter((one) => one.office === 'bonn').map((one) => one.employee))
  const filtered = await Employee.query.teams({ team: 'red' }).where(({ grade, name }, { eq, contains }) => `${eq(grade, 3)} OR ${contains(name, '12')}`).go()
  assert.deepEqual(names(filtered).sort(), reds.filter((one) => one.grade === 3 || one.name.includes('12')).map((one) => one.employee))
  // An index whose keys are the attributes themselves, several of each kind.
  const seats = Array.from({ length: 30 }, (_, i) => person(i)).filter((one) => one.office === 'ulm' && one.team === 'blue').sort((a, b) => a.grade - b.grade || (a.hired < b.hired ? -1 : 1))
  const of = (found) => found.map((one) => one.employee)
  const seated = Employee.query.seats({ office: 'ulm', team: 'blue' })
  assert.deepEqual(names(await seated.go()), of(seats))
  assert.deepEqual(names(await Employee.query.seats({ office: 'ulm', team: 'blue', grade: seats[0].grade }).go()), of(seats.filter((one) => one.grade === seats[0].grade)))
  assert.deepEqual(names(await Employee.query.seats({ office: 'ulm', team: 'blue' }).gte({ grade: 2 }).go({ order: 'desc' })), of(seats.filter((one) => one.grade >= 2)).reverse())
  assert.deepEqual(names(await Employee.query.seats({ office: 'ulm', team: 'blue' }).between({ grade: 1 }, { grade: 3 }).go()), of(seats.filter((one) => one.grade >= 1 && one.grade <= 3)))
  assert.deepEqual(names(await Employee.query.seats({ office: 'ulm', team: 'blue', grade: seats[0].grade }).gt({ hired: '2020' }).go()), of(seats.filter((one) => one.grade === seats[0].grade && one.hired > '2020')))
  // Both entities at once.
  const board = await work.collections.board({ team: 'red' }).go()
  assert.deepEqual([board.data.Employee.length, board.data.Task.length], [10, 8])
  // Cursors.
  const got = []
  let cursor = null, pages = 0
  do {
    const page = await Employee.query.teams({ team: 'red' }).go({ cursor, limit: 3 })
    got.push(...names(page))
    cursor = page.cursor
    pages++
  } while (cursor)
  assert.deepEqual(got.sort(), of(reds))
  assert.ok(pages >= 4)
  const bySeat = []
  do {
    const page = await Employee.query.seats({ office: 'ulm', team: 'blue' }).go({ cursor, limit: 2 })
    bySeat.push(...names(page))
    cursor = page.cursor
  } while (cursor)
  assert.deepEqual(bySeat, of(seats))
  assert.equal((await Employee.query.teams({ team: 'red' }).go({ pages: 'all', limit: 4 })).data.length, 10)
  assert.equal((await Employee.query.teams({ team: 'red' }).go({ count: 4 })).data.length, 4)
  assert.equal((await Employee.scan.where(({ grade }, { lte }) => lte(grade, 1)).go({ pages: 'all' })).data.length, 12)
  assert.deepEqual(names(await Employee.match({ office: 'ulm', grade: 0 }).go()).sort(), ['e05', 'e15', 'e25'])
  assert.deepEqual((await Employee.find({ employee: 'e03' }).go()).data.length, 1)
  const conversions = createConversions(Employee)
  assert.deepEqual(conversions.fromComposite.toKeys({ employee: 'e03' }).pk, '$work#employee_e03')
  db.destroy()
  await quiet(server)
})

test('batches and transactions', async (t) => {
  const { server, db, Employee, Task, work } = await world(t)
  const { unprocessed } = await Employee.put(Array.from({ length: 60 }, (_, i) => person(i))).go({ concurrency: 3 })
  assert.deepEqual(unprocessed, [])
  const { data } = await Employee.get(Array.from({ length: 70 }, (_, i) => ({ employee: person(i).employee }))).go({ concurrency: 2 })
  assert.equal(data.length, 60)
  const ordered = await Employee.get([{ employee: 'e07' }, { employee: 'none' }, { employee: 'e02' }]).go({ preserveBatchOrder: true })
  assert.deepEqual(ordered.data.map((one) => one?.employee ?? null), ['e07', null, 'e02'])
  await Employee.delete(Array.from({ length: 30 }, (_, i) => ({ employee: person(i).employee }))).go()
  assert.equal((await Employee.scan.go({ pages: 'all' })).data.length, 30)
  const done = await work.transaction.write(({ Employee: e, Task: k }) => [
    e.create(person(0)).commit(),
    e.patch({ employee: 'e40' }).set({ grade: 9 }).commit(),
    e.check({ employee: 'e41' }).where(({ name }, { eq }) => eq(name, 'N41')).commit({ response: 'all_old' }),
    e.delete({ employee: 'e42' }).commit(),
    k.upsert({ task: 't', project: 'p', team: 'red', points: 3 }).commit(),
  ]).go()
  assert.equal(done.canceled, false)
  const read = await work.transaction.get(({ Employee: e, Task: k }) => [e.get({ employee: 'e40' }).commit(), e.get({ employee: 'e42' }).commit(), k.get({ project: 'p', task: 't' }).commit()]).go()
  assert.deepEqual(read.data.map(({ item }) => item?.grade ?? item?.points ?? null), [9, null, 3])
  const refused = await work.transaction.write(({ Employee: e, Task: k }) => [
    k.update({ task: 't', project: 'p' }).add({ points: 1 }).commit(),
    e.create({ ...person(40), name: 'twice' }).commit({ response: 'all_old' }),
  ]).go()
  assert.equal(refused.canceled, true)
  assert.deepEqual(refused.data.map((one) => one.code), ['None', 'ConditionalCheckFailed'])
  assert.equal(refused.data[1].item?.name, 'N40')
  assert.equal((await Task.get({ project: 'p', task: 't' }).go()).data.points, 3)
  db.destroy()
  await quiet(server)
})
