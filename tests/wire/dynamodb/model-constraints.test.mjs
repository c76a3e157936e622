// Requests that AWS's own description of the service forbids, made from that description (model.json, written by model-table.py): every required member left out,
// every bound, pattern and enumeration crossed, every member given as a value of another type. Where AWS is known to say it otherwise, a row below says so.
// TB-10
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { quiet, start } from '../lib/weir.mjs'
import { call } from './lib.mjs'

const model = JSON.parse(readFileSync(new URL('./model.json', import.meta.url)))
const prefix = { dynamodb: 'DynamoDB_20120810', dynamodbstreams: 'DynamoDBStreams_20120810' }

// The control plane has sentences of its own for a table's name.
const namesTable = ['CreateTable', 'DescribeTable', 'DeleteTable', 'UpdateTable']
const ownName = /^(The parameter 'TableName' is required|TableName must be at least 3 characters)/

// Members that are known and told to be of no use here (docs/dynamodb.md): only that they are lists or structures is looked at.
const passed = new Set(['ReplicaUpdates', 'GlobalTableWitnessUpdates', 'MultiRegionConsistency', 'GlobalTableSettingsReplicationMode', 'GlobalTableSourceArn', 'InputFormatOptions',
  'IncrementalExportSpecification', 'ShardFilter', 'ExportTime', 'S3SseAlgorithm', 'S3SseKmsKeyId', 'S3BucketOwner', 'ClientToken', 'NextToken', 'S3Prefix', 'StreamArn', 'Policy', 'ResourcePolicy'])

const camel = (name) => name[0].toLowerCase() + name.slice(1)
const isValue = (shape) => shape.t === 'structure' && shape.m?.S && shape.m?.BOOL

// A value that the model allows, as small as it may be.
function least(shapes, name) {
  const shape = shapes[name]
  if (isValue(shape)) return { S: 'a' }
  switch (shape.t) {
    case 'string':
      return shape.enum ? shape.enum[0] : 'abcd'.padEnd(shape.min ?? 0, 'x').slice(0, shape.max ?? 80)
    case 'integer':
    case 'long':
      return shape.min ?? 1
    case 'boolean':
      return true
    case 'timestamp':
      return 1
    case 'list':
      return Array.from({ length: shape.min ?? 1 }, () => least(shapes, shape.of))
    case 'map':
      return Object.fromEntries([[shape.key === 'TableArn' ? 'tables' : '#a', least(shapes, shape.of)]])
    case 'structure':
      return Object.fromEntries((shape.r ?? []).map((member) => [member, least(shapes, shape.m[member])]))
    default:
      return 'YQ=='
  }
}

// What breaks one bound of a shape: [value, sentence, is it of the map].
function broken(shapes, name) {
  const shape = shapes[name]
  const of = (n) => Array.from({ length: n }, () => least(shapes, shape.of))
  const must = []
  if (shape.t === 'string' && shape.enum) must.push(['NoSuchWord', new RegExp(`Member must satisfy enum value set: \\[(?=[^\\]]*\\])([A-Z0-9_]+(, )?){${shape.enum.length}}\\]$`)])
  else if (shape.t === 'string') {
    const filler = name.endsWith('Arn') || name === 'TableArn' ? 'arn:aws:dynamodb:us-east-1:123456789012:table/' : ''
    if (shape.min) must.push([filler && shape.min > 1 ? 'arn:' : 'a'.repeat(shape.min - 1), `Member must have length greater than or equal to ${shape.min}`])
    if (shape.max && shape.max < 70000) must.push([filler.padEnd(shape.max + 1, 'a'), `Member must have length less than or equal to ${shape.max}`])
    if (shape.pattern) must.push(['abc;d', `Member must satisfy regular expression pattern: ${shape.pattern}`])
  } else if (shape.t === 'integer' || shape.t === 'long') {
    if (shape.min !== undefined) must.push([shape.min - 1, `Member must have value greater than or equal to ${shape.min}`])
    if (shape.max !== undefined) must.push([shape.max + 1, `Member must have value less than or equal to ${shape.max}`])
  } else if (shape.t === 'list') {
    if (shape.min) must.push([of(shape.min - 1), `Member must have length greater than or equal to ${shape.min}`])
    if (shape.max) must.push([of(shape.max + 1), `Member must have length less than or equal to ${shape.max}`])
  } else if (shape.t === 'map' && shape.min) must.push([{}, `Member must have length greater than or equal to ${shape.min}`])
  return must
}

// Every place of a request: (path, shape, put), put(value) being the least request that holds the value there; value undefined: the place is left out.
function* places(shapes, name, path, put, required, seen = []) {
  const shape = shapes[name]
  yield { path, name, put, required }
  if (seen.includes(name) || isValue(shape)) return
  const deeper = [...seen, name]
  const dot = path ? `${path}.` : ''
  if (shape.t === 'structure') {
    for (const [member, child] of Object.entries(shape.m ?? {})) {
      if (passed.has(member)) continue
      const among = (value) => put({ ...least(shapes, name), [member]: value })
      yield* places(shapes, child, `${dot}${camel(member)}`, among, (shape.r ?? []).includes(member), deeper)
    }
  } else if (shape.t === 'list') yield* places(shapes, shape.of, `${dot}1.member`, (value) => put([value, ...least(shapes, name).slice(1)]), false, deeper)
  else if (shape.t === 'map' && !isValue(shapes[shape.of])) {
    const [key] = Object.keys(least(shapes, name))
    if (shapes[shape.of].t !== 'string') yield* places(shapes, shape.of, `${dot}${key}.member`, (value) => put({ [key]: value }), false, deeper)
  }
}

function* requests(service) {
  const { operations, shapes } = model[service]
  for (const [operation, input] of Object.entries(operations))
    for (const place of places(shapes, input, '', (value) => value, false)) if (place.path) yield { operation, shapes, ...place }
}

// Everything that differs is told together.
function differences() {
  const found = []
  return {
    check(what) {
      try {
        what()
      } catch (error) {
        found.push(error.message)
      }
    },
    end: () => assert.ok(!found.length, `${found.length} differences:\n${found.slice(0, 40).join('\n')}`),
  }
}

const ask = (server, service, operation, body) => call(server, operation, body, { headers: { 'x-amz-target': `${prefix[service]}.${operation}` } })
const said = (answer) => answer.json.message ?? answer.json.Message
const kind = (answer) => answer.json.__type?.split('#')[1]

for (const service of Object.keys(model)) {
  test(`${service}: what is required, and every bound`, async (t) => {
    const server = await start(t), different = differences()
    let asked = 0
    for (const { operation, shapes, name, path, put, required } of requests(service)) {
      const own = namesTable.includes(operation) && path === 'tableName'
      const wrong = broken(shapes, name)
      if (required) wrong.push([undefined, 'Member must not be null'])
      for (const [value, sentence] of wrong) {
        const body = put(value), answer = await ask(server, service, operation, body)
        const what = `${operation} ${path}: ${JSON.stringify(body).slice(0, 200)}: ${answer.body.slice(0, 600)}`
        asked++
        different.check(() => {
          assert.equal(kind(answer), 'ValidationException', what)
          if (own) {
            if (value !== 'abc;d' && !value?.startsWith('arn:')) assert.match(said(answer), ownName, what)
            return
          }
          // A map whose values are lists is told of as a whole.
          const ofMap = shapes[name].t === 'list' && path.endsWith('.member') && !/\.1\.member$/.test(path)
          const at = ofMap ? path.replace(/\.[^.]+\.member$/, '') : path
          const found = said(answer).match(/^\d+ validation errors? detected: (.*)$/s)?.[1].split('; ').filter((one) => one.includes(` at '${at}' failed to satisfy constraint: `)) ?? []
          const fits = found.some((one) => (sentence instanceof RegExp ? sentence.test(one) : one.endsWith(sentence) || (ofMap && one.includes(sentence))))
          assert.ok(fits, `${what}\n   wanted: at '${at}' ${sentence}`)
          if (sentence instanceof RegExp) assert.deepEqual(found[0].match(/\[([^\]]*)\]$/)[1].split(', ').sort(), [...shapes[name].enum].sort(), what)
        })
      }
    }
    different.end()
    assert.ok(asked > (service === 'dynamodb' ? 300 : 10), `${asked} requests`)
    await quiet(server)
  })

  test(`${service}: other types`, async (t) => {
    const server = await start(t), different = differences()
    const java = { string: 'String', integer: 'Integer', long: 'Long', boolean: 'Boolean' }
    for (const { operation, shapes, name, path, put } of requests(service)) {
      const type = shapes[name].t, cases = []
      if (java[type]) {
        cases.push([{}, 'Start of structure or map found where not expected'], [[], `Unrecognized collection type class java.lang.${java[type]}`])
        if (type === 'boolean') cases.push(['true', 'Unexpected token received from parser'], [1, 'NUMBER_VALUE cannot be converted to Boolean'])
        else cases.push([false, `FALSE_VALUE cannot be converted to ${java[type]}`], type === 'string' ? [7, 'NUMBER_VALUE cannot be converted to String'] : ['7', `STRING_VALUE cannot be converted to ${java[type]}`])
      } else if (type === 'list') cases.push([{}, 'Start of structure or map found where not expected'], ['x', 'Unexpected field type'], [1, 'Unexpected field type'])
      else if (type === 'map') cases.push([[], /^Unrecognized collection type java\.util\.Map</], ['x', 'Unexpected field type'])
      else if (type === 'structure') cases.push([[], /^Unrecognized collection type class com\.amazonaws\.dynamodb\.v20120810\.\w+$/], ['x', 'Unexpected value type in payload'])
      for (const [value, sentence] of cases) {
        const answer = await ask(server, service, operation, put(value)), what = `${operation} ${path}: ${JSON.stringify(put(value)).slice(0, 200)}: ${answer.body.slice(0, 400)}`
        different.check(() => {
          assert.equal(kind(answer), 'SerializationException', what)
          if (sentence instanceof RegExp) assert.match(answer.json.Message, sentence, what)
          else assert.equal(answer.json.Message, sentence, what)
        })
      }
    }
    different.end()
    await quiet(server)
  })

  test(`${service}: all that is missing is told at once, and what nobody knows is passed over`, async (t) => {
    const server = await start(t)
    const { operations, shapes } = model[service]
    for (const [operation, input] of Object.entries(operations)) {
      const wanted = (shapes[input].r ?? []).filter((member) => !passed.has(member)), answer = await ask(server, service, operation, {})
      if (wanted.length && !namesTable.includes(operation)) {
        const all = (shapes[input].r ?? []).length
        assert.match(said(answer), new RegExp(`^${all} validation errors? detected: `), operation)
        for (const member of wanted) assert.ok(said(answer).includes(`Value null at '${camel(member)}' failed to satisfy constraint: Member must not be null`), `${operation}: ${answer.body}`)
      }
      const more = await ask(server, service, operation, { NoSuchMember: { a: [1, null] } })
      assert.deepEqual([more.status, kind(more), said(more)], [answer.status, kind(answer), said(answer)], operation)
    }
    await quiet(server)
  })
}
