// Data points per second: PutMetricData with 100 series in batches of 1,000 and of 20, by JSON and by CBOR, over keep-alive connections, signatures checked and durable when
// answered; beside VictoriaMetrics' /api/v1/import with the same points (which is answered before they are on the disk). Server on one core, load on the other, rounds interleaved,
// medians. What counts is the work per second of the server's CPU.
//
//   node bench/metrics.mjs [--rounds 5] [--seconds 2] [--connections 16]
//
// Needs build/weir and build/bin/bench_tables (make bench builds them; WEIR_BUILD names another folder). VictoriaMetrics is taken out of Debian's package into build/peers, and nothing
// is installed; without it its column stays empty.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url))), build = process.env.WEIR_BUILD ?? join(root, 'build');
const arg = (name, otherwise) => Number(process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : otherwise);
const rounds = arg('rounds', 5), seconds = arg('seconds', 2), connections = arg('connections', 16);
const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
const pin = cpus().length > 1 ? (core) => ['taskset', '-c', String(core)] : () => [];
const SERIES = 100;

// ---- servers ----
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const children = [];
async function start(name, argv, port) {
  const child = spawn(argv[0], argv.slice(1), { stdio: 'ignore' });
  children.push(child);
  for (let i = 0; i < 1000; i++) {
    if (await fetch(`http://127.0.0.1:${port}/`).then(() => true, (e) => e.cause?.code !== 'ECONNREFUSED')) return { name, port, pid: child.pid };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${name} did not come up`);
}
async function startWeir() {
  const port = await freePort();
  return start('weir', [...pin(0), join(build, 'weir'), 'serve', '--listen', `127.0.0.1:${port}`, '--data', mkdtempSync(join(folder, 'weir-')), '--io-threads', '1', '--log-level', 'error'], port);
}
function victoria() {
  const at = join(build, 'peers/victoria-metrics'), program = join(at, 'usr/bin/victoria-metrics');
  if (existsSync(program)) return program;
  mkdirSync(at, { recursive: true });
  if (spawnSync('apt-get', ['download', '-qq', 'victoria-metrics'], { cwd: at, stdio: 'ignore' }).status !== 0) return null;
  const archive = readdirSync(at).find((name) => name.endsWith('.deb'));
  if (!archive || spawnSync('dpkg', ['-x', archive, '.'], { cwd: at }).status !== 0) return null;
  rmSync(join(at, archive));
  return existsSync(program) ? program : null;
}
async function startVictoria() {
  const program = victoria();
  if (!program) return null;
  const port = await freePort();
  return start('victoria', [...pin(0), program, `-httpListenAddr=127.0.0.1:${port}`, `-storageDataPath=${mkdtempSync(join(folder, 'victoria-'))}`], port);
}

// ---- CBOR: what an SDK sends ----
function head(major, n) {
  const out = Buffer.alloc(n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5);
  out[0] = (major << 5) | (n < 24 ? n : n < 256 ? 24 : n < 65536 ? 25 : 26);
  if (n >= 24) out.writeUIntBE(n, 1, out.length - 1);
  return out;
}
function real(value) {
  const out = Buffer.alloc(9);
  out[0] = 0xfb;
  out.writeDoubleBE(value, 1);
  return out;
}
function cbor(value) {
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') return real(value);
  if (value instanceof Date) return Buffer.concat([Buffer.from([0xc1]), real(value.getTime() / 1000)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const entries = Object.entries(value).filter(([, of]) => of !== undefined);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([name, of]) => [cbor(name), cbor(of)])]);
}

// ---- requests ----
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const hex = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** The bytes of a POST that an SDK would send, by AWS's recipe for signatures (version 4). */
function signed(port, path, headers, body) {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, ''), day = date.slice(0, 8);
  const key = ['us-east-1', 'monitoring', 'aws4_request'].reduce(hmac, hmac('AWS4test', day));
  const all = Object.entries({ ...headers, host: `127.0.0.1:${port}`, 'x-amz-date': date }).sort(([a], [b]) => (a < b ? -1 : 1)), names = all.map(([name]) => name).join(';');
  const canonical = `POST\n${path}\n\n${all.map(([name, value]) => `${name}:${value}\n`).join('')}\n${names}\n${hex(body)}`;
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${day}/us-east-1/monitoring/aws4_request\n${hex(canonical)}`).toString('hex');
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}authorization: AWS4-HMAC-SHA256 ` +
    `Credential=test/${day}/us-east-1/monitoring/aws4_request, SignedHeaders=${names}, Signature=${signature}\r\ncontent-length: ${body.length}\r\n\r\n`), body]);
}
/** Latencies of handlers, some milliseconds with a tail, within the last half minute. */
function points(batch, from) {
  return Array.from({ length: batch }, (_, i) => ({ series: (from + i) % SERIES, time: new Date(Date.now() - Math.floor(Math.random() * 30000)), value: Math.round(1000 * Math.exp(Math.random() * 4)) / 1000 }));
}
const datum = (point, time) => ({ MetricName: 'HandlerDuration', Dimensions: [{ Name: 'Handler', Value: `handler-${point.series}` }, { Name: 'Environment', Value: 'bench' }], Timestamp: time, Unit: 'Milliseconds', Value: point.value });
const ways = {
  JSON: (port, all) => signed(port, '/', { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData' },
    Buffer.from(JSON.stringify({ Namespace: 'Bench', MetricData: all.map((point) => datum(point, point.time.getTime() / 1000)) }))),
  CBOR: (port, all) => signed(port, '/service/GraniteServiceVersion20100801/operation/PutMetricData', { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' },
    cbor({ Namespace: 'Bench', MetricData: all.map((point) => datum(point, point.time)) })),
  // A datum holds all values of its series, as a line of the peer's does; they share a time.
  Values: (port, all) => {
    const data = new Map();
    for (const point of all) {
      const one = data.get(point.series) ?? { ...datum(point, point.time), Value: undefined, Values: [] };
      one.Values.push(point.value);
      data.set(point.series, one);
    }
    const path = '/service/GraniteServiceVersion20100801/operation/PutMetricData';
    return signed(port, path, { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' }, cbor({ Namespace: 'Bench', MetricData: [...data.values()] }));
  },
  import: (port, all) => {
    const lines = new Map();
    for (const point of all) {
      const line = lines.get(point.series) ?? { metric: { __name__: 'HandlerDuration', Handler: `handler-${point.series}`, Environment: 'bench' }, values: [], timestamps: [] };
      line.values.push(point.value);
      line.timestamps.push(point.time.getTime());
      lines.set(point.series, line);
    }
    const body = [...lines.values()].map((line) => JSON.stringify(line)).join('\n');
    return Buffer.from(`POST /api/v1/import HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  },
};
function load(server, way, batch) {
  const file = join(folder, `${server.name}.requests`), pieces = [], count = Math.max(100, Math.ceil(50000 / batch));
  for (let i = 0; i < count; i++) {
    const request = ways[way](server.port, points(batch, i * batch)), length = Buffer.alloc(4);
    length.writeUInt32LE(request.length);
    pieces.push(length, request);
  }
  writeFileSync(file, Buffer.concat(pieces));
  const argv = [...pin(1), join(build, 'bin', 'bench_tables'), 'replay', '--url', `ws://127.0.0.1:${server.port}/`, '--requests', file, '--connections', connections, '--seconds', seconds, '--warmup', 0.5, '--pid', server.pid].map(String);
  const { stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
  if (stderr) process.stderr.write(stderr);
  const result = JSON.parse(stdout);
  return { points: result.per_second * batch, perCpu: result.per_cpu_second * batch, p99: result.p99_us };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const show = (n) => (Number.isFinite(n) ? (n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(2)) : '–');
try {
  const weir = await startWeir(), peer = await startVictoria(), results = {};
  for (let round = 0; round < rounds; round++)
    for (const batch of [1000, 20])
      for (const [server, way] of [[weir, 'JSON'], [weir, 'CBOR'], [weir, 'Values'], [peer, 'import']].filter(([server]) => server)) {
        process.stderr.write(`\rround ${round + 1}/${rounds} ${server.name} ${way} ${batch}          `);
        (((results[batch] ??= {})[way]) ??= []).push(load(server, way, batch));
      }
  process.stderr.write('\n');
  console.log(`| ${SERIES} series, ${connections} connections | points/s | per CPU-second | p99 µs of a request | ratio by CPU |\n|---|---|---|---|---|`);
  for (const batch of [1000, 20])
    for (const [way, name] of [['JSON', 'weir, PutMetricData, awsJson'], ['CBOR', 'weir, PutMetricData, rpc-v2-cbor'], ['Values', 'weir, PutMetricData with Values, rpc-v2-cbor'], ['import', 'VictoriaMetrics, /api/v1/import']]) {
      const mid = (of, pick) => median((results[batch][of] ?? []).map(pick));
      console.log(`| ${name}, ${batch} a request | ${show(mid(way, (r) => r.points))} | ${show(mid(way, (r) => r.perCpu))} | ${show(mid(way, (r) => r.p99))} | ${way === 'import' ? '' : show(mid(way, (r) => r.perCpu) / mid('import', (r) => r.perCpu))} |`);
    }
  if (!peer) console.log('\nVictoriaMetrics is left out: its package could not be fetched.');
} finally {
  for (const child of children) child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
