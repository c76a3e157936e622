// Clients of CloudWatch's wire, one per protocol: the SDK as it comes (awsJson 1.0), the SDK with rpc-v2-cbor, and Debian's awscli (forms and XML).
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CloudWatchClient, GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { credentials } from '../dynamodb/lib.mjs'
import { request } from '../lib/weir.mjs'

export { advance } from '../dynamodb/lib.mjs'
export { GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand, PutMetricDataCommand }

export function client(server, options = {}) {
  const made = new CloudWatchClient({ endpoint: server.http, region: 'us-east-1', credentials, maxAttempts: 1, ...options })
  made.config.systemClockOffset = server.skew ?? 0
  return made
}

// In this protocol the SDK leaves the length of the plain body on a request that it has compressed, so that no server can ever have read all of it.
export const cborProtocol = { protocol: AwsSmithyRpcV2CborProtocol, disableRequestCompression: true }

/** Debian's awscli 2.9: the query protocol. A line of arguments, as one types it. */
export async function cli(server, line, { program = '/usr/bin/aws' } = {}) {
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-east-1', AWS_PAGER: '' }
  const { stdout } = await promisify(execFile)('bash', ['-c', `${program} cloudwatch ${line} --endpoint-url ${server.http} --output json`], { env, timeout: 300000 })
  return stdout.trim() ? JSON.parse(stdout) : undefined
}

/** A signed POST of any body to any path: {status, headers, body, json}. */
export async function call(server, { path = '/', headers = {}, body = '' }) {
  const url = new URL(server.http)
  const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'monitoring', sha256: Sha256 })
  const signed = await signer.sign({ method: 'POST', protocol: 'http:', hostname: url.hostname, port: Number(url.port), path, query: {}, headers: { host: url.host, ...headers }, body },
    { signingDate: new Date(Date.now() + (server.skew ?? 0)) })
  return request(server, 'POST', path, { headers: signed.headers, body })
}

/** The same operation as a form. */
export const form = (server, Action, parameters = {}, options = {}) =>
  call(server, {
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: typeof parameters === 'string' ? parameters : new URLSearchParams({ Action, Version: '2010-08-01', ...parameters }).toString(),
    ...options,
  })

/** And in JSON. */
export const json = (server, operation, body = {}, headers = {}) =>
  call(server, { headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `GraniteServiceVersion20100801.${operation}`, ...headers }, body: JSON.stringify(body) })

/** The start of the minute in which the server is, some minutes away. */
export async function minute(server, away = 0) {
  const now = await server.now()
  return new Date(Math.floor((typeof now === 'number' ? now : Date.parse(now)) / 60000) * 60000 + away * 60000)
}

/** Puts and must succeed. */
export const put = (cloudwatch, Namespace, ...MetricData) => cloudwatch.send(new PutMetricDataCommand({ Namespace, MetricData }))

export async function statistics(cloudwatch, Namespace, MetricName, from, to, more = {}) {
  const { Datapoints, Label } = await cloudwatch.send(new GetMetricStatisticsCommand({ Namespace, MetricName, StartTime: from, EndTime: to, Period: 60, ...more }))
  assert.equal(Label, MetricName)
  return Datapoints.sort((a, b) => a.Timestamp - b.Timestamp)
}

/** Values of one metric, oldest first. */
export async function values(cloudwatch, Namespace, MetricName, Stat, from, to, { Period = 60, ...more } = {}) {
  const { MetricDataResults } = await cloudwatch.send(new GetMetricDataCommand({
    StartTime: from, EndTime: to, ScanBy: 'TimestampAscending',
    MetricDataQueries: [{ Id: 'm', MetricStat: { Metric: { Namespace, MetricName, ...more }, Period, Stat } }],
  }))
  return MetricDataResults[0].Values
}
