// The tables' wire: PutItem, GetItem, UpdateItem and Query of 200-byte items over 32 keep-alive connections, signatures checked and writes durable, beside dynalite on
// disk; then writes through to a subscriber's socket. Server on one core, load on the other, rounds interleaved, medians. What counts is the work per second of the
// server's CPU: dynalite has one thread, weir uses what the core has.
//
//   node bench/tables.mjs [--rounds 8] [--seconds 2] [--only replay,follow,size] [--rows 10000000] [--operations GetItem,Query]
//
// `size` is no part of a plain run: it fills a table with --rows items and compares the cost of each operation with that on 10,000 items, keys drawn uniformly and
// by Zipf's law.
//
// Needs build/weir and build/bin/bench_tables (make bench builds them), tests/wire/node_modules for the signatures, bench/peers/dynalite/node_modules for the peer.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const arg = (name, otherwise) => (process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : otherwise);
const rounds = Number(arg('rounds', 8)), seconds = Number(arg('seconds', 2));
const only = arg('only', 'replay,follow').split(',');
const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
const pin = cpus().length > 1 ? (core) => ['taskset', '-c', String(core)] : () => [];
const [SMALL, CYCLE, LONG_CYCLE] = [10000, 4000, 60000];

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const children = [];
async function start(name, argv, port, env = {}) {
  const child = spawn(argv[0], argv.slice(1), { stdio: 'ignore', env: { ...process.env, ...env } });
  children.push(child);
  for (let i = 0; i < 1000; i++) {
    if (await fetch(`http://127.0.0.1:${port}/`).then(() => true, (e) => e.cause?.code !== 'ECONNREFUSED')) return { name, port, pid: child.pid };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${name} did not come up`);
}
async function startWeir() {
  const port = await freePort();
  const data = mkdtempSync(join(folder, 'data-'));
  return start('weir', [...pin(0), join(root, 'build', 'weir'), 'serve', '--listen', `127.0.0.1:${port}`, '--data', data, '--io-threads', '1', '--log-level', 'error'], port, { JWT_SECRET: secret });
}
async function startDynalite() {
  const program = join(root, 'bench/peers/dynalite/node_modules/dynalite/cli.js');
  if (!existsSync(program)) return null;
  const port = await freePort();
  return start('dynalite', [...pin(0), process.execPath, program, '--host', '127.0.0.1', '--port', String(port), '--path', mkdtempSync(join(folder, 'dynalite-')), '--createTableMs', '0'], port);
}

// ---- signed requests ----
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const hex = (text) => createHash('sha256').update(text).digest('hex');
let scope;
function signingKey() {
  const day = new Date().toISOString().replace(/[-:]|\.\d+/g, '').slice(0, 8);
  if (scope?.day !== day) scope = { day, key: ['us-east-1', 'dynamodb', 'aws4_request'].reduce(hmac, hmac('AWS4test', day)) };
  return scope;
}
/** The bytes of a POST that an SDK would send, by AWS's recipe for signatures (version 4). */
function signed(port, operation, body) {
  const text = JSON.stringify(body), { day, key } = signingKey();
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const host = `127.0.0.1:${port}`, target = `DynamoDB_20120810.${operation}`, names = 'content-type;host;x-amz-date;x-amz-target';
  const canonical = `POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:${host}\nx-amz-date:${date}\nx-amz-target:${target}\n\n${names}\n${hex(text)}`;
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${day}/us-east-1/dynamodb/aws4_request\n${hex(canonical)}`).toString('hex');
  return Buffer.from(`POST / HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-date: ${date}\r\nx-amz-target: ${target}\r\n` +
    `authorization: AWS4-HMAC-SHA256 Credential=test/${day}/us-east-1/dynamodb/aws4_request, SignedHeaders=${names}, Signature=${signature}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}
function prepare(name, requests) {
  const file = join(folder, name), pieces = [];
  for (const request of requests) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(request.length);
    pieces.push(length, request);
  }
  writeFileSync(file, Buffer.concat(pieces));
  return file;
}
async function ask(server, operation, body) {
  const request = signed(server.port, operation, body).toString(), [head, text] = [request.slice(0, request.indexOf('\r\n\r\n')), request.slice(request.indexOf('\r\n\r\n') + 4)];
  const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => line.split(/: (.*)/)).filter(([name]) => !['host', 'content-length'].includes(name)));
  const answer = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', headers, body: text });
  if (answer.status !== 200) throw new Error(`${server.name}, ${operation}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
function run(...args) {
  const argv = [...pin(1), join(root, 'build', 'bin', 'bench_tables'), ...args.map(String)];
  const { stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', maxBuffer: 1 << 24 });
  if (stderr) process.stderr.write(stderr);
  return stdout ? JSON.parse(stdout) : {};
}
const replay = (server, requests, more = []) =>
  run('replay', '--url', `ws://127.0.0.1:${server.port}/`, '--requests', prepare(`${server.name}.requests`, requests), '--connections', 32, '--seconds', seconds, '--warmup', 0.5, '--pid', server.pid, ...more);
const median = (values) => [...values].filter(Number.isFinite).sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const show = (n) => (Number.isFinite(n) ? (n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(2)) : '–');

// ---- the table: hash `p` (100 items each), range `r`, 200 bytes an item ----
// What is written and what is read are two tables: a page of items that were overwritten a moment ago walks over their old versions, too.
const [READ, WRITTEN] = ['bench-read', 'bench-written'], IN_PARTITION = 100;
const keyOf = (n) => ({ p: { S: `partition-${Math.floor(n / IN_PARTITION)}` }, r: { N: String(n % IN_PARTITION) } });
const itemOf = (n, more = {}) => ({ ...keyOf(n), name: { S: `player ${n}` }, score: { N: String(n * 7) }, text: { S: 'x'.repeat(130) }, ...more });
// Each request is a change: the requests come in two halves with the same keys and other values, since a put of what is there already costs no write.
const operations = {
  PutItem: (n, half) => ({ TableName: WRITTEN, Item: itemOf(n, { score: { N: String(n * 7 + half) } }) }),
  GetItem: (n) => ({ TableName: READ, Key: keyOf(n), ConsistentRead: true }),
  UpdateItem: (n) => ({ TableName: WRITTEN, Key: keyOf(n), UpdateExpression: 'SET score = score + :one, #n = :name', ExpressionAttributeNames: { '#n': 'name' }, ExpressionAttributeValues: { ':one': { N: '1' }, ':name': { S: `player ${n} again` } } }),
  Query: (n) => ({ TableName: READ, KeyConditionExpression: 'p = :p AND r >= :r', Limit: 20, ExpressionAttributeValues: { ':p': keyOf(n).p, ':r': { N: String((n % IN_PARTITION) % 80) } } }),
};
const goals = { PutItem: 6, GetItem: 6, UpdateItem: 8, Query: 20 };
const wanted = arg('operations', Object.keys(operations).join()).split(',');
async function fill(server, rows) {
  for (const TableName of [READ, WRITTEN]) if (wanted.some((name) => operations[name](0, 0).TableName === TableName)) await fillTable(server, TableName, rows);
}
async function fillTable(server, TableName, rows) {
  await ask(server, 'CreateTable', { TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'p', KeyType: 'HASH' }, { AttributeName: 'r', KeyType: 'RANGE' }],
    AttributeDefinitions: [{ AttributeName: 'p', AttributeType: 'S' }, { AttributeName: 'r', AttributeType: 'N' }] });
  for (let i = 0; i < 100 && (await ask(server, 'DescribeTable', { TableName })).Table.TableStatus !== 'ACTIVE'; i++) await new Promise((resolve) => setTimeout(resolve, 100));
  let next = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < rows) {
      const n = next;
      next += 25;
      await ask(server, 'BatchWriteItem', { RequestItems: { [TableName]: Array.from({ length: Math.min(25, rows - n) }, (_, i) => ({ PutRequest: { Item: itemOf(n + i) } })) } });
      if (n % 100000 === 0 && rows > SMALL) process.stderr.write(`\r${TableName}: ${n.toLocaleString('en')} items`);
    }
  }));
}
const uniform = (rows) => Math.floor(Math.random() * rows);
/** Zipf's law with exponent 1 over the rows, the popular ones spread over the table. */
const zipf = (rows) => Math.floor((Math.exp(Math.random() * Math.log(rows)) - 1) * 7919) % rows;
function requests(server, operation, rows, draw = uniform, cycle = CYCLE) {
  const drawn = Array.from({ length: cycle / 2 }, () => draw(rows));
  return [1, 2].flatMap((half) => drawn.map((n) => signed(server.port, operation, operations[operation](n, half))));
}

async function replayTable() {
  const servers = [await startWeir(), await startDynalite()].filter(Boolean), results = {};
  for (const server of servers) await fill(server, SMALL);
  for (let round = 0; round < rounds; round++)
    for (const operation of wanted)
      for (const server of round % 2 ? [...servers].reverse() : servers) {
        process.stderr.write(`\rround ${round + 1}/${rounds} ${operation} ${server.name}          `);
        ((results[operation] ??= {})[server.name] ??= []).push(replay(server, requests(server, operation, SMALL)));
      }
  process.stderr.write('\n');
  console.log('| 32 connections, 10,000 items of 200 bytes | weir requests/s | per CPU-second | p50 µs | p99 µs | dynalite requests/s | per CPU-second | ratio by CPU | goal |\n|---|---|---|---|---|---|---|---|---|');
  for (const operation of wanted) {
    const mid = (name, pick) => median((results[operation][name] ?? []).map(pick));
    const [ours, theirs] = ['weir', 'dynalite'].map((name) => mid(name, (r) => r.per_cpu_second));
    console.log(`| ${operation} | ${show(mid('weir', (r) => r.per_second))} | ${show(ours)} | ${show(mid('weir', (r) => r.p50_us))} | ${show(mid('weir', (r) => r.p99_us))} | ${show(mid('dynalite', (r) => r.per_second))} | ${show(theirs)} | ${show(ours / theirs)} | ${goals[operation]} |`);
  }
  if (servers.length < 2) console.log('\ndynalite is left out: run npm ci in bench/peers/dynalite.');
}

// ---- a subscriber ----
const secret = 'a secret of the benchmark, 32 bytes';
function token() {
  const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: 'bench', role: 'user', exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
async function followTable() {
  const server = await startWeir();
  const write = (n, salt) => signed(server.port, 'PutItem', { TableName: 'notes', Item: { board: { S: `board-${n % 50}` }, id: { S: `${n}` }, author: { S: 'bench' }, text: { S: `~wb${n.toString(16).padStart(8, '0')} ${salt} ${'x'.repeat(110)}` } } });
  console.log('\n| writes through to a subscriber of the table | changes/s | p50 ms | p99 ms | worst ms | goal p99 |\n|---|---|---|---|---|---|');
  for (const rate of [1000, 5000, 10000, 20000]) {
    const results = [];
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`\rround ${round + 1}/${rounds} follow at ${rate}          `);
      const file = prepare('follow.requests', Array.from({ length: Math.ceil(rate * (seconds + 1)) }, (_, n) => write(n, `${rate}.${round}`)));
      results.push(run('follow', '--url', `ws://127.0.0.1:${server.port}/`, '--requests', file, '--rate', rate, '--connections', 64, '--seconds', seconds, '--warmup', 0.5, '--pid', server.pid,
        '--socket', `ws://127.0.0.1:${server.port}/notes?token=${token()}`, '--subscribe', JSON.stringify({ action: 'subscribe', table: 'notes', after: undefined })));
    }
    const mid = (pick) => median(results.map(pick));
    console.log(`| ${rate.toLocaleString('en')} writes/s asked for | ${show(mid((r) => r.changes_per_second))} | ${show(mid((r) => r.p50_us) / 1000)} | ${show(mid((r) => r.p99_us) / 1000)} | ${show(mid((r) => r.max_us) / 1000)} | ${rate === 5000 ? '5' : '–'} |`);
  }
  process.stderr.write('\n');
}

// ---- a large table beside a small one ----
async function sizeTable() {
  const rows = Number(arg('rows', 10000000)), small = await startWeir(), large = await startWeir();
  await fill(small, SMALL);
  await fill(large, rows);
  const results = {};
  for (let round = 0; round < rounds; round++)
    for (const operation of wanted)
      for (const [law, draw] of [['zipf', zipf], ['uniform', uniform]])
        for (const [name, server, count] of [['small', small, SMALL], ['large', large, rows]]) {
          process.stderr.write(`\rround ${round + 1}/${rounds} ${operation} ${law} ${name}          `);
          ((results[`${operation}, ${law}`] ??= {})[name] ??= []).push(replay(server, requests(server, operation, count, draw, LONG_CYCLE)).server_cpu_us_each);
        }
  console.log(`\n| ${rows.toLocaleString('en')} items beside ${SMALL.toLocaleString('en')} | CPU µs, small | CPU µs, large | ratio | goal |\n|---|---|---|---|---|`);
  for (const [what, { small: s, large: l }] of Object.entries(results))
    console.log(`| ${what} | ${show(median(s))} | ${show(median(l))} | ${show(median(l) / median(s))} | ≤ ${what.endsWith('zipf') ? 2 : 3} |`);
}

try {
  if (only.includes('replay')) await replayTable();
  if (only.includes('follow')) await followTable();
  if (only.includes('size')) await sizeTable();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
