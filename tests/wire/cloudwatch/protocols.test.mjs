// The four operations on each of the three protocols, with the real clients.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { atEnd, start } from '../lib/weir.mjs'
import { GetMetricDataCommand, ListMetricsCommand, call, cborProtocol, cli, client, form, json, minute, put, statistics } from './lib.mjs'

for (const [name, options] of [['awsJson 1.0', {}], ['rpc-v2-cbor', cborProtocol]])
  test(`the SDK, ${name}`, async (t) => {
    const server = await start(t)
    const cloudwatch = client(server, options)
    atEnd(t, () => cloudwatch.destroy())
    const at = await minute(server, -5)
    const Dimensions = [{ Name: 'Handler', Value: 'connection' }, { Name: 'Environment', Value: 'dev' }]
    await put(cloudwatch, 'WebSocket/Performance',
      { MetricName: 'HandlerDuration', Dimensions, Timestamp: at, Value: 12.5, Unit: 'Milliseconds' },
      { MetricName: 'HandlerDuration', Dimensions: [...Dimensions].reverse(), Timestamp: at, Values: [2, 3.25], Counts: [2, 1], Unit: 'Milliseconds' },
      { MetricName: 'HandlerDuration', Dimensions, Timestamp: new Date(+at + 60000), StatisticValues: { SampleCount: 4, Sum: 40, Minimum: 1, Maximum: 20 }, Unit: 'Milliseconds' })
    const { Metrics } = await cloudwatch.send(new ListMetricsCommand({ Namespace: 'WebSocket/Performance' }))
    assert.deepEqual(Metrics, [{ Namespace: 'WebSocket/Performance', MetricName: 'HandlerDuration', Dimensions: [...Dimensions].reverse() }])
    const points = await statistics(cloudwatch, 'WebSocket/Performance', 'HandlerDuration', at, new Date(+at + 120000),
      { Dimensions, Statistics: ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'], ExtendedStatistics: ['p50', 'p99'] })
    assert.deepEqual(points, [
      { Timestamp: at, SampleCount: 4, Sum: 19.75, Average: 4.9375, Minimum: 2, Maximum: 12.5, Unit: 'Milliseconds', ExtendedStatistics: { p50: 2, p99: 12.5 } },
      { Timestamp: new Date(+at + 60000), SampleCount: 4, Sum: 40, Average: 10, Minimum: 1, Maximum: 20, Unit: 'Milliseconds' },
    ])
    const answer = await cloudwatch.send(new GetMetricDataCommand({
      StartTime: at, EndTime: new Date(+at + 120000),
      MetricDataQueries: [
        { Id: 'a', MetricStat: { Metric: { Namespace: 'WebSocket/Performance', MetricName: 'HandlerDuration', Dimensions }, Period: 60, Stat: 'Sum' }, Label: 'both' },
        { Id: 'b', Expression: 'a / 2' },
      ],
    }))
    assert.deepEqual(answer.MetricDataResults, [
      { Id: 'a', Label: 'both', Timestamps: [new Date(+at + 60000), at], Values: [40, 19.75], StatusCode: 'Complete' },
      { Id: 'b', Label: 'b', Timestamps: [new Date(+at + 60000), at], Values: [20, 9.875], StatusCode: 'Complete' },
    ])
    await assert.rejects(put(cloudwatch, 'AWS/EC2', { MetricName: 'x', Value: 1 }), (error) => {
      assert.match(error.name, /^InvalidParameterValue/)
      assert.equal(error.message, 'The value AWS/EC2 for parameter Namespace is invalid.')
      return true
    })
    // Over 10 KiB the client compresses the body, and signs what it sends.
    const many = Array.from({ length: 400 }, (_, i) => ({ MetricName: 'Many', Dimensions: [{ Name: 'n', Value: String(i % 3) }], Value: i, Timestamp: at }))
    await put(cloudwatch, 'Large', ...many)
    const large = await statistics(cloudwatch, 'Large', 'Many', at, new Date(+at + 60000), { Dimensions: [{ Name: 'n', Value: '1' }], Statistics: ['SampleCount', 'Maximum'] })
    assert.deepEqual(large.map((p) => [p.SampleCount, p.Maximum]), [[133, 397]])
  })

test('awscli 2.9, the query protocol: the documents\' commands', async (t) => {
  const server = await start(t)
  const at = await minute(server, -10)
  const time = (m) => new Date(+at + m * 60000).toISOString()
  for (const [m, value] of [[0, 100], [1, 200], [2, 600]])
    assert.equal(await cli(server, `put-metric-data --namespace riddle-rush-dev --metric-name HandlerDuration --dimensions Handler=message,Environment=dev --unit Milliseconds --timestamp ${time(m)} --value ${value}`), undefined)
  assert.deepEqual(await cli(server, 'list-metrics --namespace riddle-rush-dev'), {
    Metrics: [{ Namespace: 'riddle-rush-dev', MetricName: 'HandlerDuration', Dimensions: [{ Name: 'Environment', Value: 'dev' }, { Name: 'Handler', Value: 'message' }] }],
  })
  assert.deepEqual(await cli(server, 'list-metrics --namespace other'), { Metrics: [] })
  const five = new Date(Math.floor(+at / 300000) * 300000)
  const common = `get-metric-statistics --namespace riddle-rush-dev --metric-name HandlerDuration --dimensions Name=Handler,Value=message Name=Environment,Value=dev --start-time ${five.toISOString()} --end-time ${time(10)}`
  const minutes = await cli(server, `${common} --period 60 --statistics Average`)
  assert.equal(minutes.Label, 'HandlerDuration')
  assert.deepEqual(minutes.Datapoints.map((p) => [Date.parse(p.Timestamp), p.Average, p.Unit]).sort(), [[+at, 100, 'Milliseconds'], [+at + 60000, 200, 'Milliseconds'], [+at + 120000, 600, 'Milliseconds']])
  const fives = await cli(server, `${common} --period 300 --extended-statistics p99`)
  assert.ok(fives.Datapoints.length >= 1 && fives.Datapoints.every((p) => p.ExtendedStatistics.p99 >= 100))
  assert.equal(Math.max(...fives.Datapoints.map((p) => p.ExtendedStatistics.p99)), 600)
  const queries = JSON.stringify([{ Id: 'm1', MetricStat: { Metric: { Namespace: 'riddle-rush-dev', MetricName: 'HandlerDuration', Dimensions: [{ Name: 'Handler', Value: 'message' }, { Name: 'Environment', Value: 'dev' }] }, Period: 60, Stat: 'Average' } }])
  const data = await cli(server, `get-metric-data --metric-data-queries '${queries}' --start-time ${time(0)} --end-time ${time(10)} --scan-by TimestampAscending`)
  assert.deepEqual(data.MetricDataResults[0].Values, [100, 200, 600])
  assert.deepEqual(data.MetricDataResults[0].Timestamps.map(Date.parse), [0, 1, 2].map((m) => +at + m * 60000))
  await assert.rejects(cli(server, 'put-metric-data --namespace x --metric-name y --value 1 --unit Apples'), /InvalidParameterValue.*MetricData\.member\.1\.Unit must be a value in the set/s)
})

test('forms as no client sends them, and errors in XML', async (t) => {
  const server = await start(t)
  const put = (more) => form(server, 'PutMetricData', { Namespace: 'n', 'MetricData.member.1.MetricName': 'm', ...more })
  const done = await put({ 'MetricData.member.1.Values.member.10': '7', 'MetricData.member.1.Values.member.2': '+5', 'MetricData.member.1.Counts.member.2': '3', 'MetricData.member.1.Counts.member.10': '1', Unknown: 'x', 'MetricData.member.1.Unknown.member.1': 'y' })
  assert.equal(done.status, 200, done.body)
  assert.match(done.headers['content-type'], /^text\/xml/)
  const id = /<RequestId>([0-9a-f-]{36})<\/RequestId>/.exec(done.body)[1]
  assert.equal(done.headers['x-amzn-requestid'], id)
  assert.match(done.body, /^<PutMetricDataResponse xmlns="http:\/\/monitoring.amazonaws.com\/doc\/2010-08-01\/"><ResponseMetadata>/)
  const at = await minute(server)
  const got = await form(server, 'GetMetricStatistics', {
    Namespace: 'n', MetricName: 'm', StartTime: new Date(+at - 60000).toISOString(), EndTime: String((+at + 120000) / 1000), Period: '60', 'Statistics.member.1': 'Sum', 'ExtendedStatistics.member.1': 'p50',
  })
  assert.match(got.body, /<Sum>22<\/Sum><Unit>None<\/Unit><ExtendedStatistics><entry><key>p50<\/key><value>5<\/value><\/entry><\/ExtendedStatistics><\/member>/)
  assert.match(got.body, /<Timestamp>20\d\d-\d\d-\d\dT\d\d:\d\d:00Z<\/Timestamp>/)
  const error = (answer, code, message) => {
    assert.equal(answer.status, 400, answer.body)
    assert.match(answer.body, /^<ErrorResponse xmlns="http:\/\/monitoring.amazonaws.com\/doc\/2010-08-01\/"><Error><Type>Sender<\/Type>/)
    assert.equal(/<Code>(.*?)<\/Code>/.exec(answer.body)[1], code)
    assert.equal(/<Message>(.*?)<\/Message>/s.exec(answer.body)[1], message)
  }
  error(await form(server, 'PutMetricData', {}), 'MissingParameter', 'The parameter Namespace is required.\nThe parameter MetricData is required.')
  error(await put({ 'MetricData.member.1.Value': 'NaN' }), 'InvalidParameterValue', 'The value NaN for parameter MetricData.member.1.Value is invalid.')
  error(await put({ 'MetricData.member.1.Value': '1', 'MetricData.member.1.Dimensions.member.1.Name': '<&>', 'MetricData.member.1.Dimensions.member.1.Value': 'é' }), 'InvalidParameterValue', 'The value é for parameter MetricData.member.1.Dimensions.member.1.Value contains non-ASCII characters.')
  error(await put({ 'MetricData.member.1.Value': '1', 'MetricData.member.1.Timestamp': 'yesterday' }), 'MalformedInput', 'The parameter MetricData.member.1.Timestamp must be a timestamp of ISO 8601')
  assert.equal((await form(server, 'NoSuchThing')).status, 400)
  assert.match((await form(server, 'NoSuchThing')).body, /<Code>InvalidAction<\/Code>/)
  const broken = await form(server, 'x', 'Action=PutMetricData&Version=2010-08-01&Namespace=%zz')
  error(broken, 'MalformedInput', 'The request&#39;s body is not a form'.replace('&#39;', "'"))
})

test('faults are called as the client asks, and CBOR answers carry their header', async (t) => {
  const server = await start(t)
  const plain = await json(server, 'PutMetricData', {})
  assert.equal(plain.status, 400)
  assert.equal(plain.headers['x-amzn-query-error'], undefined)
  assert.deepEqual(plain.json, { __type: 'com.amazonaws.cloudwatch.v2010_08_01#MissingRequiredParameterException', message: 'The parameter Namespace is required.\nThe parameter MetricData is required.' })
  const mode = await json(server, 'PutMetricData', {}, { 'x-amzn-query-mode': 'true' })
  assert.equal(mode.headers['x-amzn-query-error'], 'MissingParameter;Sender')
  const cbor = { path: '/service/GraniteServiceVersion20100801/operation/ListMetrics', headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' } }
  const good = await call(server, { ...cbor, body: Buffer.from([0xbf, 0xff]) })
  assert.deepEqual([good.status, good.headers['smithy-protocol'], good.headers['content-type']], [200, 'rpc-v2-cbor', 'application/cbor'])
  const bad = await call(server, { ...cbor, body: Buffer.from([0x5f]) })
  assert.deepEqual([bad.status, bad.headers['smithy-protocol']], [400, 'rpc-v2-cbor'])
  const zipped = await call(server, { headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData', 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify({ Namespace: 'z', MetricData: [{ MetricName: 'm', Value: 1 }] })) })
  assert.equal(zipped.status, 200, zipped.body)
})
