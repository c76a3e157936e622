// The program with the fault shim in front of it (faults.c says what the shim can do), and who writes to it.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import assert from 'node:assert/strict'
import { atEnd, program, request, start, temporaryFolder, until } from '../../wire/lib/weir.mjs'
import { connect } from '../../wire/lib/client.mjs'
import { secret, seconds, token } from '../../wire/lib/token.mjs'

const shim = process.env.FAULTS_SO ?? path.join(path.dirname(program), 'tests/faults/libfaults.so')

/** How the program ends after an I/O error on the journal (src/main/exit.h). */
export const EXIT_JOURNAL = 7

export class Faults {
  constructor(folder) {
    assert.ok(existsSync(shim), `${shim}: the shim is built with the programs (target faults)`)
    this.control = path.join(folder, 'faults')
    this.env = {
      LD_PRELOAD: shim,
      FAULTS_CONTROL: this.control,
      // A sanitizer wants to be loaded first; the shim in front of it takes none of its calls.
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
    }
  }

  /** Rules such as 'fdatasync EIO'; they hold for the journal alone. */
  set(...rules) {
    const fresh = `${this.control}.new`
    writeFileSync(fresh, rules.map((rule) => `${rule} /journal\n`).join(''))
    renameSync(fresh, this.control)
  }

  clear() {
    rmSync(this.control, { force: true })
  }

  /** What was injected since the last forget(): 'fdatasync EIO /…/journal/….log' a line. */
  seen() {
    const file = `${this.control}.seen`
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  }

  forget() {
    rmSync(`${this.control}.seen`, { force: true })
  }

  injected(rule) {
    return until(`the fault ${rule}`, () => this.seen().some((line) => line.startsWith(`${rule} `)), { every: 2 })
  }
}

/** A server behind the shim: {server, faults}. */
export async function startFaulty(t, options = {}) {
  const folder = temporaryFolder(t)
  const faults = new Faults(folder)
  let server
  // In this order, backwards: the faults end, the server stops, and one that did not is killed.
  atEnd(t, () => server?.child.kill('SIGKILL'))
  server = await start(t, { threads: 2, folder, ...options, env: { JWT_SECRET: secret, ...faults.env, ...options.env } })
  atEnd(t, () => faults.clear())
  return { server, faults }
}

/** It must have ended with this code by itself. */
export async function endedWith(server, code) {
  const how = await server.ended
  assert.deepEqual(how, { code, signal: null }, server.stderr.slice(-4000))
  assert.doesNotMatch(server.stderr, /runtime error:|Sanitizer/)
}

export const player = (server, user) => connect(`${server.ws}/riddle-rush?userId=${user}`)

export async function administrator(server) {
  const exp = seconds(await server.now(), 3600)
  return connect(`${server.ws}/landing-hub?token=${token({ sub: 'boss', role: 'admin', exp })}`)
}

/** One measurement of `user`; the answer. */
export const log = (client, user, more = {}) => client.ask({ action: 'logPerformance', data: { userId: user, metricName: 'm', duration: 1, timestamp: 1, ...more } })

export async function logged(client, user) {
  const { data } = await client.ask({ action: 'getUserStats', data: { userId: user } })
  return data.metricsLogged
}

/** All players of a mode, from the first rank to the last: userId to score. */
export async function ranks(client, mode) {
  const found = new Map()
  for (let rank = 1; ; ) {
    const { data } = await client.ask({ action: 'getLeaderboard', data: { gameMode: mode, rank, limit: 100 } })
    for (const entry of data.entries) {
      assert.equal(entry.rank, rank++, 'ranks without a gap')
      assert.ok(!found.has(entry.userId), `${entry.userId} is ranked twice`)
      found.set(entry.userId, entry.score)
    }
    if (!data.entries.length) {
      assert.equal(found.size, data.players, 'as many rows as are counted')
      return found
    }
  }
}

export const ROOM = 'dashboard_admin'

/** A room's newest message that is written: {sequence, n}; n is -1 when there is none. */
export async function retained(admin) {
  admin.send({ action: 'dashboard:refresh' })
  for (;;) {
    const answer = await admin.json()
    if (answer.event === 'dashboard:refreshed') return { sequence: answer.data.sequence, n: answer.data.message?.data.n ?? -1 }
  }
}

export const publish = (server, n) => request(server, 'POST', `/landing-hub/@rooms/${ROOM}?event=dashboard:update`, { body: JSON.stringify({ n }) })

/**
 * Who writes until the server is gone, and remembers what was promised: each writer keeps `window` messages under way, every other one a score of a player of
 * its own, so that each acknowledged write can be asked for afterwards by its name. One publisher numbers the messages of a room that two hear.
 */
export class Load {
  constructor(server, round, { writers = 6, window = 8, before } = {}) {
    Object.assign(this, { server, round, writers, window, mode: `round-${round}` })
    this.acknowledged = 0
    this.scores = { sent: new Set(), kept: new Set() }
    this.metrics = Array.from({ length: writers }, () => ({ sent: 0, kept: 0 }))
    this.answers = [] // of another type than ack
    // The numbers go on where the last load of this folder ended, so that what it was promised binds this one too.
    this.published = before ? { ...before.published } : { sent: -1, answered: -1, heard: -1 }
    this.alive = true
  }

  async begin() {
    this.clients = await Promise.all(this.metrics.map((_, i) => player(this.server, this.user(i))))
    this.hearers = await Promise.all([administrator(this.server), administrator(this.server)])
    for (const hearer of this.hearers) await hearer.ask({ action: 'dashboard:join' })
    for (const hearer of this.hearers) this.hear(hearer)
    this.clients.forEach((client, i) => this.write(client, i))
    this.publishing = this.publish()
  }

  user(i) {
    return `writer-${this.round}-${i}`
  }

  write(client, i) {
    let number = 0
    const more = () => {
      if (client.socket.readyState !== 1) return
      const requestId = `${this.round}-${i}-${number++}`
      if (number % 2) {
        this.scores.sent.add(requestId)
        client.send({ action: 'updateLeaderboard', requestId, data: { userId: requestId, gameMode: this.mode, score: number, timestamp: 1 } })
      } else {
        this.metrics[i].sent++
        client.send({ action: 'logPerformance', requestId, data: { userId: this.user(i), metricName: 'load', duration: number, timestamp: 1 } })
      }
    }
    client.socket.removeAllListeners('message')
    client.socket.on('close', () => (this.alive = false))
    client.socket.on('message', (text) => {
      const answer = JSON.parse(text)
      if (answer.type === 'ack') {
        this.acknowledged++
        if (answer.action === 'updateLeaderboard') this.scores.kept.add(answer.requestId)
        else this.metrics[i].kept++
      } else {
        this.answers.push(answer)
      }
      more()
    })
    for (let n = 0; n < this.window; n++) more()
  }

  hear(hearer) {
    hearer.socket.removeAllListeners('message')
    hearer.socket.on('message', (text) => {
      const { event, data } = JSON.parse(text)
      if (event === 'dashboard:update') this.published.heard = Math.max(this.published.heard, data.n)
    })
  }

  async publish() {
    while (this.alive) {
      const n = this.published.sent + 1
      this.published.sent = n
      const answer = await publish(this.server, n).catch(() => null)
      if (answer?.status === 200) this.published.answered = n
    }
  }

  reached(count) {
    return until(`${count} acknowledgements`, () => this.acknowledged >= count, { every: 1 })
  }

  /** After the end of the server. */
  async over() {
    this.alive = false
    await Promise.all([...this.clients, ...this.hearers].map((client) => client.closed()))
    await this.publishing
  }

  /** Every promise of before, asked of the server that started again. What was written without having been promised is kept too. */
  async verify() {
    const reader = await player(this.server, 'reader')
    for (const [i, { sent, kept }] of this.metrics.entries()) {
      const found = await logged(reader, this.user(i))
      assert.ok(found >= kept && found <= sent, `round ${this.round}, ${this.user(i)}: ${found} found, ${kept} acknowledged, ${sent} sent`)
      this.metrics[i].kept = found
    }
    const found = await ranks(reader, this.mode)
    for (const id of this.scores.kept) assert.ok(found.has(id), `round ${this.round}: the score of ${id} was acknowledged and is gone`)
    for (const id of found.keys()) assert.ok(this.scores.sent.has(id), `round ${this.round}: nobody sent ${id}`)
    this.scores.kept = new Set(found.keys())
    await reader.close(1000)
    const admin = await administrator(this.server)
    const { n, sequence } = await retained(admin)
    const { sent, answered, heard } = this.published
    if (n >= 0) assert.ok(sequence > 0)
    assert.ok(n >= answered && n >= heard && n <= sent, `round ${this.round}: message ${n} is written, ${answered} answered, ${heard} heard, ${sent} sent`)
    this.published.answered = n
    await admin.close(1000)
  }
}
