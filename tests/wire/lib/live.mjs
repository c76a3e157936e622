// A follower of a live table: keeps the set that its frames describe, and checks on the way that nothing is out of order and nothing comes twice.
import assert from 'node:assert/strict'
import { connect } from './client.mjs'
import { seconds, secret, token } from './token.mjs'
import { start, within } from './weir.mjs'

/** A server with the notes application; as(user, role) opens a socket. */
export async function notes(t, options = {}) {
  const server = await start(t, { env: { JWT_SECRET: secret }, ...options })
  const exp = seconds(await server.now(), 3600 * 24 * 30)
  const as = (sub, role = 'user', more) => connect(`${server.ws}/notes?token=${token({ sub, role, exp })}`, more)
  return { server, as }
}

/** The order of positions: sequence, then number; a snapshot's has no number and stands behind all of its sequence. */
const later = (a, b) => a.sequence - b.sequence || (a.number ?? Infinity) - (b.number ?? Infinity)

export class Follower {
  constructor(request, keyOf) {
    this.request = request
    this.keyOf = keyOf
    this.items = new Map()
    this.position = undefined
    this.counts = { snapshots: 0, changes: 0, resnapshots: 0, resumed: 0 }
    this.complete = false
    this.waiters = []
  }

  /** Subscribes on an open client, from where it left off when it has been connected before. */
  follow(client) {
    this.client = client
    client.socket.removeAllListeners('message')
    client.socket.on('message', (data) => this.take(JSON.parse(data.toString())))
    const resume = this.complete ? { after: this.position.number === undefined ? `${this.position.sequence}` : `${this.position.sequence}.${this.position.number}` } : {}
    if (resume.after) this.counts.resumed++
    else this.items.clear()
    client.send({ action: 'subscribe', ...this.request, ...resume })
  }

  take(message) {
    const handler = { subscribed: this.subscribed, snapshot: this.snapshot, change: this.change, resnapshot: this.resnapshot }[message.type]
    if (handler) handler.call(this, message)
    else (this.others ??= []).push(message)
    this.waiters = this.waiters.filter((waiter) => !waiter())
  }

  subscribed(message) {
    this.subscription = message.subscription
  }

  snapshot(message) {
    assert.equal(message.subscription, this.subscription)
    for (const item of message.items) {
      assert.ok(!this.items.has(this.keyOf(item)), 'an item comes once in a snapshot')
      this.items.set(this.keyOf(item), item)
    }
    if (!message.last) return
    this.complete = true
    this.counts.snapshots++
    this.position = { sequence: message.sequence }
  }

  resnapshot() {
    this.counts.resnapshots++
    this.complete = false
    this.items.clear()
  }

  change(message) {
    assert.ok(this.complete, 'no change before the snapshot is whole')
    const { sequence, number, event, key, data, from } = message
    assert.ok(later({ sequence, number }, this.position) > 0, `${sequence}.${number} comes after ${JSON.stringify(this.position)}`)
    const has = this.items.has(this.keyOf(key))
    if (!this.request.conflate) assert.equal(has, event !== 'INSERT', `${event} of what is ${has ? '' : 'not '}there`)
    else assert.ok(from)
    if (event === 'REMOVE') this.items.delete(this.keyOf(key))
    else this.items.set(this.keyOf(key), data)
    this.position = { sequence, number }
    this.counts.changes++
  }

  /** Until the condition holds after some message. */
  until(what, condition, ms) {
    return within(what, new Promise((resolve) => {
      const look = () => condition(this) && (resolve(this), true)
      if (!look()) this.waiters.push(look)
    }), ms)
  }

  sorted() {
    return [...this.items.values()].sort((a, b) => (this.keyOf(a) < this.keyOf(b) ? -1 : 1))
  }
}

export const noteKey = (note) => `${note.board}/${note.id}`

/** A follower of ranks: keeps the list that snapshots and steps describe, and checks each step against it. */
export class RankFollower {
  constructor(ranks, keyOf, more = {}) {
    this.request = { ranks, ...more }
    this.keyOf = keyOf
    this.list = []
    this.position = undefined
    this.counts = { snapshots: 0, messages: 0, steps: 0, resnapshots: 0, resumed: 0 }
    this.complete = false
    this.waiters = []
  }

  follow(client) {
    this.client = client
    client.socket.removeAllListeners('message')
    client.socket.on('message', (data) => this.take(JSON.parse(data.toString())))
    const resume = this.complete ? { after: this.position.number === undefined ? `${this.position.sequence}` : `${this.position.sequence}.${this.position.number}` } : {}
    if (resume.after) this.counts.resumed++
    client.send({ action: 'subscribe', ...this.request, ...resume })
  }

  take(message) {
    if (message.type === 'subscribed') this.subscription = message.subscription
    else if (message.type === 'snapshot') this.snapshot(message)
    else if (message.type === 'ranks') this.ranks(message)
    else if (message.type === 'resnapshot') (this.counts.resnapshots++, (this.complete = false), (this.list = []))
    else (this.others ??= []).push(message)
    this.waiters = this.waiters.filter((waiter) => !waiter())
  }

  snapshot({ subscription, items, sequence, last }) {
    assert.equal(subscription, this.subscription)
    assert.equal(last, true)
    this.list = items.map((item) => [this.keyOf(item), item])
    this.position = { sequence }
    this.complete = true
    this.counts.snapshots++
  }

  ranks({ sequence, number, steps, from }) {
    assert.ok(this.complete, 'no step before the snapshot')
    assert.ok(later({ sequence, number }, this.position) > 0, `${sequence}.${number} comes after ${JSON.stringify(this.position)}`)
    assert.ok(steps.length > 0, 'nothing is sent when nothing is different')
    if (this.request.conflate) assert.ok(from)
    for (const { event, rank, from: old, key, data } of steps) {
      const name = this.keyOf(key)
      const taken = () => {
        const [gone] = this.list.splice((old ?? rank) - 1, 1)
        assert.equal(gone?.[0], name, `${event} of the entry that is there`)
      }
      if (event === 'LEAVE' || event === 'MOVE') taken()
      if (event === 'MOVE' || event === 'ENTER') {
        assert.ok(rank >= 1 && rank <= this.list.length + 1)
        this.list.splice(rank - 1, 0, [name, data])
      }
      if (event === 'UPDATE') {
        assert.equal(this.list[rank - 1][0], name)
        this.list[rank - 1][1] = data
      }
      this.counts.steps++
    }
    assert.ok(this.list.length <= this.request.ranks.top)
    this.position = { sequence, number }
    this.counts.messages++
  }

  until(what, condition, ms) {
    return within(what, new Promise((resolve) => {
      const look = () => condition(this) && (resolve(this), true)
      if (!look()) this.waiters.push(look)
    }), ms)
  }

  items() {
    return this.list.map(([, item]) => item)
  }
}
