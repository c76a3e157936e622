// Log queries beside the same by hand: the three queries of the game's document over stored events, with StartQuery, and over the same lines in a file with grep, with jq and with SQLite.
// weir's time is from StartQuery to the poll that finds it complete, over the wire; the others' is that of their process. The best of the rounds: everything is warm.
//
//   node bench/insights.mjs [--events 1000000] [--rounds 3]      (ten million take 3 GB and some minutes to put)
//
// Needs build/weir (or WEIR_BIN). What is not installed is left out, and said so: jq and sqlite3 are Debian packages.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const arg = (name, otherwise) => (process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : otherwise);
const events = Number(arg('events', 1000000)), rounds = Number(arg('rounds', 3));
const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
const file = join(folder, 'lines.json'), database = join(folder, 'lines.db');
const GROUP = '/aws/lambda/riddle-rush-ws-message-dev', BATCH = 4000;

/* ---- the lines, as applications write them ---- */
const metrics = ['page-load', 'app-init', 'page-transition', 'game-complete', 'fetch'];
const begin = Date.now() - 3600000;
const time = (i) => begin + Math.floor((i * 3000000) / events);
function line(i) {
  const head = { timestamp: new Date(time(i)).toISOString(), level: 'INFO' };
  const context = { api: 'riddle-rush', stage: 'prod', requestId: `r${i}`, userId: `user${i % 5000}` };
  if (i % 100 === 99) return { ...head, level: 'ERROR', message: 'the table is throttled', code: 'AGAIN', ...context };
  if (i % 4 === 3) return { ...head, message: 'Leaderboard updated', gameMode: i % 8 === 3 ? 'classic' : 'blitz', score: (i * 31) % 10000, ...context };
  return { ...head, message: 'Performance logged', metricName: metrics[i % 5], duration: ((i * 17) % 4000) + (i % 10) / 10, ...context };
}

/* ---- weir ---- */
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const hex = (text) => createHash('sha256').update(text).digest('hex');
async function call(port, operation, body) {
  const text = JSON.stringify(body), date = new Date().toISOString().replace(/[-:]|\.\d+/g, ''), day = date.slice(0, 8);
  const host = `127.0.0.1:${port}`, target = `Logs_20140328.${operation}`, names = 'content-type;host;x-amz-date;x-amz-target';
  const canonical = `POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:${host}\nx-amz-date:${date}\nx-amz-target:${target}\n\n${names}\n${hex(text)}`;
  const key = ['us-east-1', 'logs', 'aws4_request'].reduce(hmac, hmac('AWS4test', day));
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${day}/us-east-1/logs/aws4_request\n${hex(canonical)}`).toString('hex');
  const ask = () => fetch(`http://${host}/`, { method: 'POST', body: text, headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-date': date, 'x-amz-target': target,
    authorization: `AWS4-HMAC-SHA256 Credential=test/${day}/us-east-1/logs/aws4_request, SignedHeaders=${names}, Signature=${signature}` } });
  const answer = await ask().catch(ask); // a kept connection may have been closed while the others were measured
  const json = await answer.text();
  if (answer.status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // packing has not kept up
    return call(port, operation, body);
  }
  if (answer.status !== 200) throw new Error(`${operation}: ${answer.status} ${json}`);
  return json ? JSON.parse(json) : {};
}
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
async function startWeir() {
  const port = await freePort();
  const child = spawn(process.env.WEIR_BIN ?? join(root, 'build', 'weir'), ['serve', '--listen', `127.0.0.1:${port}`, '--data', join(folder, 'data'), '--io-threads', '1', '--log-level', 'error'], { stdio: 'ignore' });
  for (let i = 0; i < 1000; i++) {
    if (await fetch(`http://127.0.0.1:${port}/healthz`).then(() => true, () => false)) return { port, child };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('weir did not come up');
}
async function fill(port) {
  const out = openSync(file, 'w'), sql = spawnSync('sqlite3', ['--version']).status === 0 ? openSync(join(folder, 'rows.tsv'), 'w') : undefined;
  await call(port, 'CreateLogGroup', { logGroupName: GROUP });
  for (let s = 0; s < 4; s++) await call(port, 'CreateLogStream', { logGroupName: GROUP, logStreamName: `s${s}` });
  let busy = [];
  for (let from = 0; from < events; from += BATCH) {
    const list = Array.from({ length: Math.min(BATCH, events - from) }, (_, i) => ({ timestamp: time(from + i), message: JSON.stringify(line(from + i)) }));
    writeSync(out, list.map((e) => `${e.message}\n`).join(''));
    if (sql !== undefined) writeSync(sql, list.map((e) => `${e.timestamp}\t${e.message}\n`).join(''));
    busy.push(call(port, 'PutLogEvents', { logGroupName: GROUP, logStreamName: `s${(from / BATCH) % 4}`, logEvents: list }));
    if (busy.length === 4) busy = (await Promise.all(busy), []);
  }
  await Promise.all(busy);
  closeSync(out);
  if (sql !== undefined) closeSync(sql);
}
async function query(port, queryString) {
  const from = performance.now();
  const { queryId } = await call(port, 'StartQuery', { logGroupName: GROUP, startTime: Math.floor(begin / 1000) - 60, endTime: Math.floor(Date.now() / 1000) + 60, queryString });
  for (;;) {
    const seen = await call(port, 'GetQueryResults', { queryId });
    if (seen.status === 'Complete') return { seconds: (performance.now() - from) / 1000, rows: seen.results.length };
    if (seen.status !== 'Running' && seen.status !== 'Scheduled') throw new Error(seen.status);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/* ---- the same by hand ---- */
const installed = (name, flag = '--version') => spawnSync(name, [flag]).status === 0;
function shell(command) {
  const from = performance.now();
  const result = spawnSync('sh', ['-c', command], { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.status !== 0) throw new Error(`${command}: ${result.stderr}`);
  return { seconds: (performance.now() - from) / 1000, rows: result.stdout.trim().split('\n').length };
}
const sqlite = (statement) => `sqlite3 ${database} "${statement}"`;
const QUERIES = [
  { name: 'mean duration by metric', insights: 'fields @timestamp, metricName, duration | filter @message like /Performance logged/ | stats avg(duration) as avg_duration by metricName | sort avg_duration desc | limit 20',
    jq: `grep 'Performance logged' ${file} | jq -rn 'reduce inputs as $e ({}; .[$e.metricName].sum += $e.duration | .[$e.metricName].n += 1) | to_entries | map([.key, .value.sum / .value.n]) | sort_by(-.[1]) | .[:20][] | @tsv'`,
    sqlite: "select json_extract(message, '\\$.metricName') m, avg(json_extract(message, '\\$.duration')) d from lines where message like '%Performance logged%' group by m order by d desc limit 20" },
  { name: 'games and high score by mode', insights: 'fields @timestamp, gameMode, score | filter @message like /Leaderboard updated/ | stats count() as games, max(score) as high_score by gameMode',
    jq: `grep 'Leaderboard updated' ${file} | jq -rn 'reduce inputs as $e ({}; .[$e.gameMode] |= {n: ((.n // 0) + 1), max: ([.max // 0, $e.score] | max)}) | to_entries[] | [.key, .value.n, .value.max] | @tsv'`,
    sqlite: "select json_extract(message, '\\$.gameMode') m, count(*), max(json_extract(message, '\\$.score')) from lines where message like '%Leaderboard updated%' group by m" },
  { name: 'errors by 5 minutes', insights: 'fields @timestamp, @message | filter @message like /ERROR/ | stats count() as error_count by bin(5m)',
    jq: `grep ERROR ${file} | jq -rn 'reduce inputs as $e ({}; .[($e.timestamp | sub("\\\\.[0-9]+Z$"; "Z") | fromdate | . - . % 300 | tostring)] += 1) | to_entries[] | [.key, .value] | @tsv'`,
    sqlite: "select at / 300000 b, count(*) from lines where message like '%ERROR%' group by b" },
];

const { port, child } = await startWeir();
try {
  const from = performance.now();
  await fill(port);
  console.log(`${events.toLocaleString('en')} events put in ${((performance.now() - from) / 1000).toFixed(1)} s\n`);
  const has = { jq: installed('jq') && installed('grep'), sqlite: installed('sqlite3') };
  if (has.sqlite) {
    writeFileSync(join(folder, 'load.sql'), `create table lines(at integer, message text);\n.mode ascii\n.separator "\\t" "\\n"\n.import ${join(folder, 'rows.tsv')} lines\n`);
    shell(`sqlite3 ${database} < ${join(folder, 'load.sql')}`);
  }
  console.log('| query | weir s | grep and jq s | SQLite s | rows |\n|---|---|---|---|---|');
  for (const q of QUERIES) {
    const best = {}, rows = new Set();
    for (let round = 0; round < rounds; round++) {
      const ways = { weir: await query(port, q.insights), ...(has.jq && { jq: shell(q.jq) }), ...(has.sqlite && { sqlite: shell(sqlite(q.sqlite)) }) };
      for (const [way, { seconds, rows: count }] of Object.entries(ways)) {
        best[way] = Math.min(best[way] ?? Infinity, seconds);
        rows.add(count);
      }
    }
    const figure = (way) => (best[way] === undefined ? 'not installed' : best[way].toFixed(2));
    console.log(`| ${q.name} | ${figure('weir')} | ${figure('jq')} | ${figure('sqlite')} | ${[...rows].join(' or ')} |`);
  }
} finally {
  child.kill();
  await new Promise((resolve) => child.on('close', resolve));
  rmSync(folder, { recursive: true, force: true });
}
