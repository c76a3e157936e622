// The functions and commands of the Insights language, by the examples of its documentation and what follows from its sentences. One event, many columns.
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from '../lib/weir.mjs'
import { fails, now, ok, put, stream } from './lib.mjs'

async function query(server, queryString, more = {}) {
  const at = Math.floor(now(server) / 1000)
  const { queryId } = await ok(server, 'StartQuery', { logGroupName: 'g', startTime: at - 3600, endTime: at + 3600, queryString, ...more })
  const result = await until('the query', async () => {
    const answer = await ok(server, 'GetQueryResults', { queryId })
    return !['Scheduled', 'Running'].includes(answer.status) && answer
  })
  assert.equal(result.status, 'Complete')
  return { ...result, queryId, rows: result.results.map((row) => Object.fromEntries(row.filter((c) => c.field !== '@ptr').map((c) => [c.field, c.value]))) }
}

const event = { a: -3.7, b: 9, n: 12, text: 'xyZxyZfooxyZ', both: 'xyZxyfooxyxyZ', blank: '  ', empty: '', ip: '10.1.2.3', ip6: '2001:db8::1', at: 1573084800000, json: '{"x":{"y":7},"list":[1,2]}',
  Status: 'OK', user: { name: 'ann' } }

// [expression, what it is]; undefined: nothing.
const examples = [
  // numeric
  ['abs(a)', '3.7'], ['ceil(a)', '-3'], ['floor(a)', '-4'], ['greatest(a, b, 1)', '9'], ['least(a, b, 1)', '-3.7'], ['log(1)', '0'], ['sqrt(b)', '3'],
  ['n + 1', '13'], ['n - 1', '11'], ['n * 2', '24'], ['n / 8', '1.5'], ['2 ^ 3', '8'], ['n % 5', '2'], ['n / 0', undefined],
  // general and JSON
  ['ispresent(nothing)', '0'], ['isPresent(a)', '1'], ['coalesce(nothing, Status)', 'OK'], ['jsonStringify(user)', '{"name":"ann"}'], ['user.name', 'ann'],
  // texts
  ['isempty(empty)', '1'], ['isempty(blank)', '0'], ['isblank(blank)', '1'], ['isblank(nothing)', '1'], ['isblank(Status)', '0'], ['concat(Status, "-", n)', 'OK-12'],
  ['ltrim(blank)', ''], ['ltrim(text, "xyZ")', 'fooxyZ'], ['rtrim(text, "xyZ")', 'xyZxyZfoo'], ['trim(both, "xyZ")', 'foo'], ['strlen(Status)', '2'], ['toupper(user.name)', 'ANN'], ['tolower(Status)', 'ok'],
  ['substr("xyZfooxyZ", 3)', 'fooxyZ'], ['substr("xyZfooxyZ", 3, 4)', 'foox'], ['replace("foo", "o", "0")', 'f00'], ['strcontains(Status, "K")', '1'], ['strcontains(Status, "k")', '0'],
  // times
  ['fromMillis(at)', '2019-11-07 00:00:00.000'], ['toMillis(fromMillis(at))', '1573084800000'], ['datefloor(fromMillis(at + 3599999), 1h)', '2019-11-07 00:00:00.000'],
  ['dateceil(fromMillis(at + 1), 1h)', '2019-11-07 01:00:00.000'], ['datefloor(fromMillis(at + 90000000), 1d)', '2019-11-08 00:00:00.000'],
  // addresses
  ['isValidIp(ip)', '1'], ['isValidIp(Status)', '0'], ['isValidIpV4(ip)', '1'], ['isValidIpV4(ip6)', '0'], ['isValidIpV6(ip6)', '1'], ['isIpInSubnet(ip, "10.1.0.0/16")', '1'],
  ['isIpv4InSubnet(ip, "10.2.0.0/16")', '0'], ['isIpv6InSubnet(ip6, "2001:db8::/32")', '1'],
  // comparisons and words
  ['n = 12', '1'], ['n != 12', '0'], ['n >= 12 and a < 0', '1'], ['n > 12 or not (a > 0)', '1'], ['Status like /^O/', '1'], ['Status like /(?i)^o/', '1'], ['Status like "K"', '1'], ['Status not like "x"', '1'],
  ['Status =~ /K$/', '1'], ['n in [1, 12]', '1'], ['n not in [1, 12]', '0'],
]

test('functions', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  await put(server, 'g', 's', [JSON.stringify(event)])
  for (let at = 0; at < examples.length; at += 30) {
    const some = examples.slice(at, at + 30)
    const { rows } = await query(server, `fields ${some.map(([e], i) => `${e} as c${i}`).join(', ')} | limit 1`)
    some.forEach(([expression, value], i) => assert.equal(rows[0][`c${i}`], value, expression))
  }
  const { rows: [row] } = await query(server, 'fields jsonParse(json) as o | fields o.x.y as y, o.list.1 as second, now() as seconds | display y, second, seconds')
  assert.equal(row.y, '7')
  assert.equal(row.second, '2')
  assert.ok(Math.abs(Number(row.seconds) - now(server) / 1000) < 600)
  await quiet(server)
})

test('commands', async (t) => {
  const server = await start(t)
  await stream(server, 'g', 's')
  const at = Math.floor(now(server) / 300000) * 300000
  await put(server, 'g', 's', Array.from({ length: 12 }, (_, i) => [`user=u${i % 3}, method:GET, latency := ${i * 10}`, at + i]))
  await put(server, 'g', 's', [[JSON.stringify({ id: 'x', events: [{ type: 'a', n: 1 }, { type: 'b', n: 2 }, 'plain'] }), at + 100], [JSON.stringify({ id: 'y', events: [] }), at + 101]])
  const rows = async (text) => (await query(server, text)).rows
  assert.deepEqual(await rows('parse @message "user=*, method:*, latency := *" as u, m, l | filter ispresent(l) # a comment\n| stats avg(l) as mean, count(*) by u, m | sort u'),
    ['u0', 'u1', 'u2'].map((u, i) => ({ u, m: 'GET', mean: `${45 + i * 10}`, 'count(*)': '4' })))
  assert.deepEqual(await rows('parse /user=(?<u>\\w+).*:= (?<l>\\d+)/ | filter l > 20 | stats max(l) as most by u | stats sum(most) as all'), [{ all: '300' }])
  assert.deepEqual(await rows('parse "user=*," as u | filter isPresent(u) | dedup u | sort u desc | fields u | display u | limit 2'), [{ u: 'u2' }, { u: 'u1' }])
  const [bin] = await rows('filter @message like /user/ | stats count() as n by bin(5m) as t')
  assert.deepEqual(bin, { t: new Date(at).toISOString().replace('T', ' ').replace('Z', ''), n: '12' })
  assert.deepEqual(await rows('fields jsonParse(@message) as o | filter ispresent(id) | unnest o.events into event | fields event.type as kind, event.n * 10 as n | display id, event, kind, n | sort @timestamp asc, n asc'), [
    { id: 'x', event: 'plain' }, { id: 'x', event: '{"type":"a","n":1}', kind: 'a', n: '10' }, { id: 'x', event: '{"type":"b","n":2}', kind: 'b', n: '20' }])
  assert.deepEqual(await rows('filter ispresent(id) | unnest events into e | stats count(*) as n by id'), [{ id: 'x', n: '3' }])
  assert.deepEqual(await rows('filter id = "x" | unnest id into e | display id, e'), [{ id: 'x' }])

  // Pages of a result.
  const { queryId } = await query(server, 'parse "latency := *" as l | filter ispresent(l) | sort l asc | display l')
  const first = await ok(server, 'GetQueryResults', { queryId, maxItems: 7 })
  assert.equal(first.results.length, 7)
  const second = await ok(server, 'GetQueryResults', { queryId, maxItems: 7, nextToken: first.nextToken })
  assert.deepEqual([...first.results, ...second.results].map((row) => row[0].value), Array.from({ length: 12 }, (_, i) => `${i * 10}`))
  assert.equal(second.nextToken, undefined)
  assert.ok((await ok(server, 'DescribeQueries', {})).queries[0].bytesScanned > 0)

  for (const [queryString, start, end] of [['fields a | unnest b', 19, 19], ['fields a | unnest b into', 24, 24], ['fields @message | nope', 18, 22]]) {
    const at2 = Math.floor(now(server) / 1000)
    const error = await fails(server, 'StartQuery', { logGroupName: 'g', startTime: at2 - 10, endTime: at2, queryString }, 'MalformedQueryException')
    assert.deepEqual(error.queryCompileError.location, { startCharOffset: start, endCharOffset: end }, queryString)
  }
  await quiet(server)
})
