// The same random writes and reads as statements and as expressions, on two tables: every answer, every error and the tables themselves stay equal. WEIR_SEED repeats a run.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start } from '../lib/weir.mjs'
import { call, ok, rich } from './lib.mjs'

const seed = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 2 ** 31))
const STEPS = Number(process.env.WEIR_STEPS ?? 1500)

function random(state) {
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let z = Math.imul(state ^ (state >>> 15), 1 | state)
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z
    return ((z ^ (z >>> 14)) >>> 0) % n
  }
}

/** One condition in both languages: {ql, ex} that share a list of values. */
class Both {
  constructor(pick) {
    this.pick = pick
    this.values = []
  }

  /** A value, as a parameter or a literal on the one side, as :vN on the other. */
  value(attribute) {
    this.values.push(attribute)
    const n = this.values.length - 1
    return { ex: `:v${n}`, ql: this.pick(2) ? this.parameter(attribute) : literal(attribute) }
  }

  parameter(attribute) {
    this.parameters ??= []
    this.parameters.push(attribute)
    return '?'
  }

  path() {
    return ['color', 'mass', 'm.a', 'm.l[0]', 'tags', 'note', 'nil'][this.pick(7)]
  }

  scalar() {
    return [{ N: String(this.pick(5)) }, { S: ['red', 'blue', 'n', ''][this.pick(4)] }][this.pick(2)]
  }

  condition(depth) {
    const kind = this.pick(depth > 0 ? 12 : 9)
    const path = this.path()
    if (kind < 3) {
      const op = ['=', '<>', '<', '<=', '>', '>='][this.pick(6)]
      const v = this.value(this.scalar())
      return { ex: `${path} ${op} ${v.ex}`, ql: `${path} ${op === '<>' && this.pick(2) ? '!=' : op} ${v.ql}` }
    }
    if (kind === 3) {
      const n = this.pick(3)
      const a = this.value({ N: String(n) }), b = this.value({ N: String(n + this.pick(3)) })
      return { ex: `${path} BETWEEN ${a.ex} AND ${b.ex}`, ql: `${path} BETWEEN ${a.ql} AND ${b.ql}` }
    }
    if (kind === 4) {
      const all = Array.from({ length: 1 + this.pick(3) }, () => this.value(this.scalar()))
      return { ex: `${path} IN (${all.map((v) => v.ex)})`, ql: `${path} IN [${all.map((v) => v.ql)}]` }
    }
    if (kind === 5) return this.pick(2) ? { ex: `attribute_exists(${path})`, ql: `${path} IS NOT MISSING` } : { ex: `attribute_not_exists(${path})`, ql: `${path} IS MISSING` }
    if (kind === 6) {
      const name = ['begins_with', 'contains'][this.pick(2)]
      const v = this.value({ S: ['r', 'a', 'n'][this.pick(3)] })
      return { ex: `${name}(${path}, ${v.ex})`, ql: `${name}(${path}, ${v.ql})` }
    }
    if (kind === 7) {
      if (this.pick(2)) {
        this.values.push({ S: 'NULL' })
        return { ex: `attribute_type(${path}, :v${this.values.length - 1})`, ql: `${path} IS NULL` }
      }
      const v = this.value({ S: ['N', 'S', 'SS', 'M', 'NULL'][this.pick(5)] })
      return { ex: `attribute_type(${path}, ${v.ex})`, ql: `attribute_type(${path}, ${v.ql})` }
    }
    if (kind === 8) {
      const v = this.value({ N: String(this.pick(4)) })
      return { ex: `size(${path}) > ${v.ex}`, ql: `size(${path}) > ${v.ql}` }
    }
    if (kind === 9) {
      const inner = this.condition(depth - 1)
      return { ex: `NOT (${inner.ex})`, ql: `NOT (${inner.ql})`, joined: true }
    }
    const word = kind === 10 ? 'AND' : 'OR'
    const a = this.condition(depth - 1), b = this.condition(depth - 1)
    return { ex: `${group(a).ex} ${word} ${group(b).ex}`, ql: `${group(a).ql} ${word} ${group(b).ql}`, joined: true }
  }
}

/** In parentheses where it needs them: an expression with redundant ones is refused. */
const group = (condition) => condition.joined ? { ex: `(${condition.ex})`, ql: `(${condition.ql})` } : condition

function literal(attribute) {
  if (attribute.S !== undefined) return `'${attribute.S.replaceAll("'", "''")}'`
  if (attribute.N !== undefined) return attribute.N
  if (attribute.SS) return `<<${attribute.SS.map((s) => `'${s}'`)}>>`
  if (attribute.NULL) return 'null'
  if (attribute.L) return `[${attribute.L.map(literal)}]`
  return `{${Object.entries(attribute.M).map(([name, value]) => `'${name}': ${literal(value)}`)}}`
}

const names = (both) => both.values.length ? { ExpressionAttributeValues: Object.fromEntries(both.values.map((value, i) => [`:v${i}`, value])) } : {}
const parameters = (both) => both.parameters ? { Parameters: both.parameters } : {}
const plain = (item) => Object.fromEntries(Object.keys(item).sort().map((name) => [name, item[name].SS ? { SS: [...item[name].SS].sort() } : item[name]]))

/** {error} or {items}: what both languages must answer alike. */
async function outcome(server, operation, body, items) {
  const answer = await call(server, operation, body)
  if (answer.status === 200) return { items: items(answer.json).map(plain) }
  return { error: `${answer.json.__type.split('#')[1]}: ${answer.json.message}` }
}

function newItem(pick) {
  const item = { p: { S: `p${pick(4)}` }, r: { N: String(pick(6)) } }
  if (pick(3)) item.color = { S: ['red', 'blue'][pick(2)] }
  if (pick(3)) item.mass = { N: String(pick(5)) }
  if (pick(2)) item.m = { M: { a: { N: String(pick(5)) }, l: { L: [{ N: '1' }, { S: 'n' }] } } }
  if (pick(2)) item.tags = { SS: ['a', 'b', 'c'].slice(0, 1 + pick(3)) }
  if (pick(3) === 0) item.nil = { NULL: true }
  if (pick(2)) item.note = { S: "it's a note" }
  return item
}

function update(both, pick) {
  const parts = [], remove = [], add = [], ql = []
  const set = (path, ex, text) => {
    parts.push(`${path} = ${ex}`)
    ql.push(`SET ${path} = ${text}`)
  }
  if (pick(2)) {
    const v = both.value({ N: String(pick(9)) })
    set('mass', v.ex, v.ql)
  } else if (pick(2)) {
    const v = both.value({ N: '1' })
    set('mass', `mass + ${v.ex}`, `mass + ${v.ql}`)
  }
  if (pick(3) === 0) {
    const v = both.value({ L: [{ S: 'x' }] })
    set('m.l', `list_append(m.l, ${v.ex})`, `list_append(m.l, ${v.ql})`)
  }
  if (pick(2)) {
    const set_ = { SS: ['b', 'd'].slice(0, 1 + pick(2)) }
    const v = both.value(set_)
    add.push(pick(2) ? `ADD tags ${v.ex}` : `DELETE tags ${v.ex}`)
    ql.push(`SET tags = ${add[0].startsWith('ADD') ? 'set_add' : 'set_delete'}(tags, ${v.ql})`)
  }
  if (pick(2) || !ql.length) {
    const path = ['note', 'm.a', 'nil'][pick(3)]
    remove.push(path)
    ql.push(`REMOVE ${path}`)
  }
  return { ex: [parts.length ? `SET ${parts.join(', ')}` : '', remove.length ? `REMOVE ${remove.join(', ')}` : '', ...add].filter(Boolean).join(' '), ql: ql.join(' ') }
}

async function step(server, pick) {
  const kind = pick(10)
  const both = new Both(pick)
  if (kind < 3) {
    const Item = newItem(pick)
    const statement = await outcome(server, 'ExecuteStatement', { Statement: `INSERT INTO tql VALUE ${literal({ M: Item })}` }, (a) => a.Items)
    const expression = await outcome(server, 'PutItem', { TableName: 'tex', Item, ConditionExpression: 'attribute_not_exists(p)' }, () => [])
    if (expression.error?.startsWith('ConditionalCheckFailed')) expression.error = 'DuplicateItemException: Duplicate primary key exists in table'
    return [statement, expression, `INSERT ${literal({ M: Item })}`]
  }
  const { p, r } = newItem(pick)
  const where = `p = '${p.S}' AND r = ${r.N}`
  if (kind < 6) {
    const text = update(both, pick)
    const when = pick(2) ? group(both.condition(2)) : undefined
    const [returning, ReturnValues] = [['ALL OLD', 'ALL_OLD'], ['ALL NEW', 'ALL_NEW'], ['MODIFIED OLD', 'UPDATED_OLD'], ['MODIFIED NEW', 'UPDATED_NEW']][pick(4)]
    const Statement = `UPDATE tql ${text.ql} WHERE ${where}${when ? ` AND ${when.ql}` : ''} RETURNING ${returning} *`
    return [
      await outcome(server, 'ExecuteStatement', { Statement, ...parameters(both) }, (a) => a.Items),
      await outcome(server, 'UpdateItem', { TableName: 'tex', Key: { p, r }, UpdateExpression: text.ex, ConditionExpression: `attribute_exists(p)${when ? ` AND ${when.ex}` : ''}`,
        ...names(both), ReturnValues }, (a) => (a.Attributes ? [a.Attributes] : [])),
      Statement,
    ]
  }
  if (kind === 6) {
    const when = group(both.condition(2))
    const Statement = `DELETE FROM tql WHERE ${where} AND ${when.ql} RETURNING ALL OLD *`
    return [
      await outcome(server, 'ExecuteStatement', { Statement, ...parameters(both) }, (a) => a.Items),
      await outcome(server, 'DeleteItem', { TableName: 'tex', Key: { p, r }, ConditionExpression: `attribute_not_exists(p) OR ${when.ex}`, ...names(both), ReturnValues: 'ALL_OLD' },
        (a) => (a.Attributes ? [a.Attributes] : [])),
      Statement,
    ]
  }
  const index = pick(3) === 0
  const from = index ? 'tql.byColor' : 'tql', more = index ? { IndexName: 'byColor' } : {}
  const [hash, range] = index ? ['color', 'mass'] : ['p', 'r']
  const value = index ? { S: ['red', 'blue'][pick(2)] } : p
  const down = pick(2) === 0
  if (kind < 9) {
    const h = both.value(value), n = both.value({ N: String(pick(5)) })
    const op = ['=', '<', '<=', '>', '>='][pick(5)]
    const filter = pick(2) && !index ? group(both.condition(2)) : undefined
    const Statement = `SELECT * FROM ${from} WHERE ${hash} = ${h.ql} AND ${range} ${op} ${n.ql}${filter ? ` AND ${filter.ql}` : ''} ORDER BY ${range}${down ? ' DESC' : ''}`
    return [
      await outcome(server, 'ExecuteStatement', { Statement, ...parameters(both) }, (a) => a.Items),
      await outcome(server, 'Query', { TableName: 'tex', ...more, KeyConditionExpression: `${hash} = ${h.ex} AND ${range} ${op} ${n.ex}`, ...(filter && { FilterExpression: filter.ex }),
        ...names(both), ScanIndexForward: !down }, (a) => a.Items),
      Statement,
    ]
  }
  const filter = both.condition(3)
  const Statement = `SELECT * FROM tql WHERE ${filter.ql}`
  return [
    await outcome(server, 'ExecuteStatement', { Statement, ...parameters(both) }, (a) => a.Items),
    await outcome(server, 'Scan', { TableName: 'tex', FilterExpression: filter.ex, ...names(both) }, (a) => a.Items),
    Statement,
  ]
}

test(`statements and expressions say the same (WEIR_SEED=${seed})`, async (t) => {
  const server = await start(t)
  const pick = random(seed)
  await rich(server, 'tql')
  await rich(server, 'tex')
  let good = 0
  for (let i = 0; i < STEPS; i++) {
    const [statement, expression, what] = await step(server, pick)
    assert.deepEqual(statement, expression, `seed ${seed}, step ${i}: ${what}`)
    good += statement.error ? 0 : 1
  }
  assert.ok(good > STEPS / 3, `${good} of ${STEPS} succeeded`)
  const items = async (TableName) => (await ok(server, 'Scan', { TableName })).Items.map(plain)
  assert.deepEqual(await items('tql'), await items('tex'))
  await quiet(server)
})
