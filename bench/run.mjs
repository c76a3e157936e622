// The benchmark table: weir beside a bare epoll loop (bench/limit), `ws` on Node and nginx with nchan, in interleaved rounds, server and load on
// cores of their own. Medians are printed, and the ratio to the bare loop: machines drift, so only ratios of one session count.
//
//   node bench/run.mjs [--rounds 12] [--seconds 2] [--only echo,fanout,...] [--out FILE]
//
// Needs build/weir, build/bin/bench_limit and build/bin/bench_load (make bench builds them). Peers that are not installed are left out, and said so.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync, existsSync, readFileSync } from 'node:fs';
import { tmpdir, cpus } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer } from 'node:net';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const arg = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const rounds = Number(arg('rounds', 12));
const seconds = Number(arg('seconds', 2));
const only = arg('only', '').split(',').filter(Boolean);
const bin = (name) => join(root, 'build', 'bin', name);
const pin = cpus().length > 1 ? (core) => ['taskset', '-c', String(core)] : () => [];

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const run = (command, args) => spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
const waitFor = async (probe, what) => {
  for (let i = 0; i < 500; i++) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what} did not come up`);
};
const answers = (port) => fetch(`http://127.0.0.1:${port}/`).then(() => true, (e) => e.cause?.code !== 'ECONNREFUSED');

// ---- servers ----
const servers = [];
async function start(name, argv, port, options = {}) {
  const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', options.quiet === false ? 'inherit' : 'ignore'], env: { ...process.env, ...options.env } });
  servers.push(child);
  await waitFor(() => answers(port), name);
  return { name, port, pid: child.pid, child };
}
const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
async function startWeir(extra = []) {
  const port = await freePort();
  const data = mkdtempSync(join(folder, 'data-'));
  const server = await start('weir', [...pin(0), join(root, 'build', 'weir'), 'serve', '--listen', `127.0.0.1:${port}`, '--data', data, '--io-threads', '1', '--log-level', 'error', ...extra], port);
  return server;
}
async function startLimit(mode) {
  const port = await freePort();
  return start(`limit ${mode}`, [...pin(0), bin('bench_limit'), mode, '--port', String(port)], port);
}
async function startWs() {
  const script = join(root, 'bench', 'peers', 'ws.mjs');
  const modules = join(root, 'tests', 'wire', 'node_modules');
  if (!existsSync(join(modules, 'ws'))) return null;
  const port = await freePort();
  return start('ws', [...pin(0), process.execPath, script, String(port)], port, { env: { WS_MODULES: modules } });
}
async function startNchan() {
  const module = '/usr/lib/nginx/modules/ngx_nchan_module.so';
  if (!existsSync(module)) return null;
  const port = await freePort();
  const conf = join(folder, 'nchan.conf');
  writeFileSync(conf, readFileSync(join(root, 'bench', 'peers', 'nchan.conf'), 'utf8').replaceAll('{port}', port).replaceAll('{folder}', folder).replaceAll('{module}', module));
  return start('nginx+nchan', [...pin(0), 'nginx', '-c', conf, '-g', 'daemon off;'], port);
}

// ---- one measurement ----
const storeLoop = () => JSON.parse(run('taskset', ['-c', '0', bin('bench_store'), '--seconds', String(seconds)]).stdout);
function load(args) {
  if (typeof args === 'function') return args();
  const result = run([...pin(1), bin('bench_load')].shift() ?? bin('bench_load'), [...pin(1), bin('bench_load')].slice(1).concat(args));
  try {
    return JSON.parse(result.stdout.trim().split('\n').pop());
  } catch {
    return { error: (result.stderr || result.stdout || String(result.error)).trim().slice(0, 200) };
  }
}
const median = (values) => {
  const sorted = values.filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : NaN;
};
const figure = (result) => result.per_second ?? result.rss_per_connection ?? NaN;

// ---- the table ----
const url = (s, path) => `ws://127.0.0.1:${s.port}${path}`;
const time = ['--seconds', String(seconds), '--warmup', '0.3'];
const echoArgs = (s, path, size, inflight) => ['echo', '--url', url(s, path), '--connections', '64', '--inflight', String(inflight), '--size', String(size), '--pid', String(s.pid), ...time];
const fanArgs = (s, subscribers, inflight, kind) => {
  const base = ['fanout', '--subscribers', String(subscribers), '--publishers', '1', '--inflight', String(inflight), '--size', '256', '--pid', String(s.pid), ...time];
  if (kind === 'weir')
    return [...base, '--subscribe-url', url(s, '/echo'), '--publish-url', url(s, '/echo'), '--join', '{"action":"join","room":"bench"}', '--publish', '{"action":"publish","room":"bench","data":"%m%p"}'];
  return [...base, '--subscribe-url', url(s, '/sub'), '--publish-url', url(s, '/pub')];
};
// Each connection is a player of its own (?userId=), as in the document.
const log = '{"action":"logPerformance","data":{"metricName":"page-load","duration":1234,"timestamp":1234567890,"metadata":{}}}';

async function main() {
  const weir = await startWeir();
  const [echo, fan, conn] = [await startLimit('echo'), await startLimit('fanout'), await startLimit('connect')];
  const ws = await startWs(), nchan = await startNchan();
  const rows = [];
  const row = (group, name, contenders, goal) => rows.push({ group, name, contenders: contenders.filter(Boolean), goal, results: {} });
  for (const [size, inflight, goal] of [[64, 1, 0.9], [64, 16, 0.85], [1024, 1, 0.9], [1024, 16, 0.85]])
    row('echo', `echo ${size} B, ${inflight} in flight (messages/s)`, [
      ['limit', () => echoArgs(echo, '/', size, inflight)],
      ['weir', () => echoArgs(weir, '/echo', size, inflight)],
      ws && ['ws', () => echoArgs(ws, '/echo', size, inflight)],
    ], goal);
  for (const [subscribers, inflight, goal] of [[1000, 1, 0.9], [1000, 16, 0.85], [10000, 1, 0.9], [10000, 16, 0.85]])
    row('fanout', `fan-out to ${subscribers}, ${inflight} publishes in flight (deliveries/s)`, [
      ['limit', () => fanArgs(fan, subscribers, inflight)],
      ['weir', () => fanArgs(weir, subscribers, inflight, 'weir')],
      ws && ['ws', () => fanArgs(ws, subscribers, inflight)],
      nchan && ['nginx+nchan', () => fanArgs(nchan, subscribers, inflight)],
    ], goal);
  const connectArgs = (s, path) => ['connect', '--url', url(s, path), '--parallel', '16', '--pid', String(s.pid), ...time];
  row('connect', 'connects/s, pure $connect', [['limit', () => connectArgs(conn, '/')], ['weir', () => connectArgs(weir, '/echo')], ws && ['ws', () => connectArgs(ws, '/echo')]], 0.75);
  row('connect', 'connects/s with the registry row', [['limit', () => connectArgs(conn, '/')], ['weir', () => connectArgs(weir, '/clash-bot')]], 0.4);
  for (const connections of [1, 16, 256])
    row('request', `logPerformance, durable, ${connections} connections (answers/s)${connections === 256 ? '; beside it the store-only loop' : ''}`, [
      connections === 256 && ['limit', () => storeLoop],
      ['weir', () => ['request', '--url', url(weir, '/riddle-rush?userId=bench%u'), '--message', log, '--match', '"ack"', '--connections', String(connections), '--pid', String(weir.pid), ...time]],
    ], connections === 256 ? '0.45; 30,000/s' : undefined);
  row('request', 'ping through the tick (clash-bot), 16 connections (answers/s)', [
    ['weir', () => ['request', '--url', url(weir, '/clash-bot'), '--message', '{"type":"ping","n":%u}', '--connections', '16', '--pid', String(weir.pid), ...time]],
  ]);
  const wanted = rows.filter((r) => !only.length || only.includes(r.group));
  for (let round = 0; round < rounds; round++)
    for (const r of wanted) {
      const order = round % 2 ? [...r.contenders].reverse() : r.contenders;
      for (const [name, args] of order) {
        const result = load(args());
        (r.results[name] ??= []).push(result);
        if (result.error) console.error(`${r.name}, ${name}: ${result.error}`);
      }
      process.stderr.write(`\rround ${round + 1}/${rounds}  ${r.name}                    `);
    }
  process.stderr.write('\n');
  const latencies = [];
  const halfLoad = (name, goal, pattern, args) => {
    const full = rows.find((r) => pattern.test(r.name));
    const capacity = median((full.results.weir ?? []).map(figure));
    if (!Number.isFinite(capacity)) return;
    const rate = Math.floor(capacity / 2);
    const results = Array.from({ length: rounds }, () => load([...args, '--rate', String(rate)]));
    latencies.push(`| ${name} | ${rate.toLocaleString('en')} | ${median(results.map((r) => r.p50_us))} | ${median(results.map((r) => r.p99_us))} | ${goal} |`);
  };
  if (!only.length || only.includes('latency')) {
    halfLoad('pure ping (echo 64 B, 64 connections)', '1,000', /^echo 64 B, 1 in/, echoArgs(weir, '/echo', 64, 1));
    halfLoad('durable answer (logPerformance, 256 connections)', '5,000', /256 connections/, ['request', '--url', url(weir, '/riddle-rush?userId=bench%u'), '--message', log, '--match', '"ack"', '--connections', '256', '--pid', String(weir.pid), ...time]);
  }
  const lines = ['| measurement | ' + ['limit', 'weir', 'ratio', 'goal', 'ws', 'nginx+nchan', 'weir p50 µs', 'weir p99 µs', 'weir CPU µs/message'].join(' | ') + ' |', '|---|' + '---|'.repeat(9)];
  const show = (n) => (Number.isFinite(n) ? (n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(2)) : '–');
  for (const r of wanted) {
    const mid = (name, pick = figure) => median((r.results[name] ?? []).map(pick));
    const ratio = mid('weir') / mid('limit');
    lines.push(`| ${r.name} | ${show(mid('limit'))} | ${show(mid('weir'))} | ${Number.isFinite(ratio) ? ratio.toFixed(2) : '–'} | ${r.goal ?? '–'} | ${show(mid('ws'))} | ${show(mid('nginx+nchan'))} | ${show(mid('weir', (x) => x.latency_us?.p50 ?? x.p50_us))} | ${show(mid('weir', (x) => x.latency_us?.p99 ?? x.p99_us))} | ${show(mid('weir', (x) => x.server_cpu_us_each))} |`);
  }
  if (!only.length || only.includes('idle')) {
    const fresh = await startWeir(); // one whose memory nobody has grown yet
    const idle = load(['idle', '--url', url(fresh, '/echo'), '--pid', String(fresh.pid), '--connections', '10000', '--seconds', '1']);
    lines.push(`| user memory per idle connection (bytes) | – | ${show(figure(idle))} | – | ≤ 512 | – | – | – | – | – |`);
  }
  console.log(lines.join('\n'));
  if (latencies.length) console.log(['', '| at half load | messages/s | p50 µs | p99 µs | goal µs |', '|---|---|---|---|---|', ...latencies].join('\n'));
  if (!ws) console.log('\n`ws` is left out: run npm ci in tests/wire.');
  if (!nchan) console.log('\nnginx with nchan is left out: install nginx and libnginx-mod-nchan.');
  if (arg('out')) writeFileSync(arg('out'), JSON.stringify(rows.map(({ name, results }) => ({ name, results })), null, 1));
}

try {
  await main();
} finally {
  for (const child of servers) child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const child of servers) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
