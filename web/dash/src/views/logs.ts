// A live tail: groups are picked by their names' beginning, a filter pattern narrows it, pause holds new lines back, follow keeps the newest in sight.
import type { Stream } from '../connection.ts'
import type { Context, View } from '../context.ts'
import { list, str } from '../data.ts'
import type { Place } from '../place.ts'
import { h, replace, write } from '../dom.ts'
import { formatClockMs, formatStamp } from '../format.ts'
import { asObject, isGap, levelOf, LogLines, readable, type LogEntry } from '../log-lines.ts'

const LINES_MAX = 2000 // in the page
const HELD_MAX = 2000 // while it is paused
const GROUPS_MAX = 10

export class LogsView implements View {
  readonly title = 'Logs'
  readonly element: HTMLElement
  private readonly context: Context
  private readonly picker = h('div', { class: 'group-list', role: 'group', 'aria-label': 'Log groups' })
  private readonly prefix: HTMLInputElement
  private readonly filter: HTMLInputElement
  private readonly lines = h('div', { class: 'log-lines', role: 'log', 'aria-label': 'Log lines', 'aria-live': 'off', tabindex: 0 })
  private readonly pauseButton: HTMLButtonElement
  private readonly followButton: HTMLButtonElement
  private readonly said = h('p', { class: 'foot', role: 'status' })
  private readonly picked: Set<string>
  private groups: string[] = []
  private more = false
  private kept = new LogLines()
  private held: LogEntry[] = []
  private heldLost = 0
  private paused = false
  private follow = true
  private count = 0
  private tail: Stream | null = null
  private listing: Stream | null = null
  private typing: ReturnType<typeof setTimeout> | undefined
  private readonly leaveStatus: () => void

  constructor(context: Context, place: Place) {
    this.context = context
    this.picked = new Set((place.params.get('groups') ?? '').split(',').filter(Boolean).slice(0, GROUPS_MAX))
    this.prefix = h('input', { type: 'search', placeholder: 'Groups that begin with…', 'aria-label': 'Groups that begin with', spellcheck: 'false', oninput: () => this.later(() => this.list()) })
    this.filter = h('input', { type: 'search', placeholder: 'Filter pattern, as ERROR or { $.level = "ERROR" }', 'aria-label': 'Filter pattern', spellcheck: 'false', value: place.params.get('filter') ?? '', oninput: () => this.later(() => this.begin()) })
    this.pauseButton = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', onclick: () => this.togglePause() }, 'Pause')
    this.followButton = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'true', onclick: () => this.setFollow(!this.follow) }, 'Follow')
    const clear = h('button', { type: 'button', class: 'quiet', onclick: () => this.clear() }, 'Clear')
    this.lines.addEventListener('scroll', () => this.scrolled(), { passive: true })
    this.element = h(
      'div',
      { class: 'view logs' },
      h('div', { class: 'bar-top' }, h('h1', null, 'Logs'), this.filter, h('div', { class: 'buttons' }, this.pauseButton, this.followButton, clear)),
      h('div', { class: 'log-panes' }, h('div', { class: 'panel log-groups' }, this.prefix, this.picker), h('div', { class: 'panel log-pane' }, this.lines)),
      this.said,
    )
    this.leaveStatus = context.connection.onStatus((status) => status.phase === 'live' && this.listing === null && this.list())
    this.list()
    this.begin()
  }

  destroy(): void {
    clearTimeout(this.typing)
    this.tail?.stop()
    this.listing?.stop()
    this.leaveStatus()
  }

  private later(what: () => void): void {
    clearTimeout(this.typing)
    this.typing = setTimeout(what, 250)
  }

  /** One question, one answer; asked again when the socket comes back before it was answered. */
  private list(): void {
    this.listing?.stop()
    const listing = this.context.connection.stream(
      () => ({ action: 'groups', prefix: this.prefix.value.trim() }),
      (message) => {
        this.groups = message.type === 'groups' ? list(message['groups']).map((group) => str(group)) : []
        this.more = message['more'] === true
        this.drawGroups(message.type === 'error' ? str(message['message']) : '')
        listing.stop()
      },
    )
    this.listing = listing
  }

  private drawGroups(error: string): void {
    const prefix = this.prefix.value.trim()
    const shown = [...new Set([...this.picked, ...(prefix.length > 1 ? [`${prefix}*`] : []), ...this.groups])]
    replace(
      this.picker,
      ...shown.map((group) => {
        const box = h('input', { type: 'checkbox', checked: this.picked.has(group), onchange: () => this.pick(group, box.checked) })
        return h('label', { class: 'check', title: group }, box, h('span', { class: 'name' }, h('bdi', null, group)))
      }),
      error && h('p', { class: 'error' }, error),
      shown.length === 0 && !error && h('p', { class: 'nothing' }, 'No log groups'),
      this.more && h('p', { class: 'muted small' }, 'There are more: type a longer beginning.'),
    )
  }

  private pick(group: string, on: boolean): void {
    if (on && this.picked.size >= GROUPS_MAX) {
      write(this.said, `At most ${GROUPS_MAX} groups at a time.`)
      this.drawGroups('')
      return
    }
    if (on) this.picked.add(group)
    else this.picked.delete(group)
    this.begin()
  }

  private begin(): void {
    this.tail?.stop()
    this.tail = null
    this.clear()
    this.kept = new LogLines()
    const params = new URLSearchParams()
    if (this.picked.size > 0) params.set('groups', [...this.picked].join(','))
    const filter = this.filter.value.trim()
    if (filter) params.set('filter', filter)
    history.replaceState(null, '', `#logs${params.size > 0 ? `?${params}` : ''}`)
    if (this.picked.size === 0) {
      replace(this.lines, h('p', { class: 'nothing' }, 'Pick log groups to see their newest lines, and new ones as they come.'))
      write(this.said, '')
      return
    }
    const { kept } = this
    this.tail = this.context.connection.stream(
      (again) => ({ action: 'tail', groups: [...this.picked], ...(filter ? { filter } : {}), ...(again && kept.sequence !== null ? { after: kept.sequence } : {}) }),
      (message) => {
        if (message.type === 'error') this.fail(str(message['message']) || str(message['error']))
        else this.take(kept.take(message))
      },
    )
  }

  private fail(reason: string): void {
    replace(this.lines, h('div', { class: 'state failed', role: 'alert' }, h('strong', null, 'No lines'), h('p', null, reason), h('button', { type: 'button', class: 'quiet', onclick: () => this.begin() }, 'Try again')))
  }

  private take(entries: LogEntry[]): void {
    if (this.paused) {
      this.held.push(...entries)
      const over = this.held.length - HELD_MAX
      if (over > 0) {
        this.held.splice(0, over)
        this.heldLost += over
      }
      this.tell()
    } else this.show(entries)
  }

  private show(entries: LogEntry[]): void {
    this.lines.querySelector('.nothing')?.remove()
    this.lines.append(...entries.map((entry) => this.row(entry)))
    this.count += entries.length
    while (this.lines.childElementCount > LINES_MAX) this.lines.firstElementChild?.remove()
    if (this.lines.childElementCount === 0) this.lines.append(h('p', { class: 'nothing' }, 'No lines yet. New ones appear here.'))
    if (this.follow) this.lines.scrollTop = this.lines.scrollHeight
    this.tell()
  }

  private row(entry: LogEntry): HTMLElement {
    if (isGap(entry)) return h('div', { class: 'log-gap' }, entry.gap)
    const object = asObject(entry.message)
    const line = h(
      'div',
      { class: `log-line ${levelOf(entry.message)}`, 'data-event': entry.id },
      h('time', { title: formatStamp(entry.time) }, formatClockMs(entry.time)),
      this.picked.size > 1 || [...this.picked].some((group) => group.endsWith('*')) ? h('span', { class: 'group', title: `${entry.group} ${entry.stream}` }, entry.group.split('/').filter(Boolean).pop() ?? entry.group) : null,
    )
    const text = entry.message + (entry.cut ? ' …' : '')
    if (!object) {
      line.append(h('span', { class: 'text' }, text))
      return line
    }
    const said = readable(object)
    const whole = h('pre', null)
    line.append(h('details', { class: 'text', ontoggle: () => whole.textContent || (whole.textContent = JSON.stringify(object, null, 2)) }, h('summary', null, ...(said ? [said.message, h('span', { class: 'fields' }, said.fields)] : [text])), whole))
    return line
  }

  private togglePause(): void {
    this.paused = !this.paused
    this.pauseButton.setAttribute('aria-pressed', String(this.paused))
    write(this.pauseButton, this.paused ? 'Go on' : 'Pause')
    if (!this.paused) {
      if (this.heldLost > 0) this.held.unshift({ gap: `${this.heldLost} lines came while this was paused and were not kept` })
      const { held } = this
      this.held = []
      this.heldLost = 0
      this.show(held)
    }
    this.tell()
  }

  private setFollow(on: boolean): void {
    this.follow = on
    this.followButton.setAttribute('aria-pressed', String(on))
    if (on) this.lines.scrollTop = this.lines.scrollHeight
  }

  /** Scrolling up lets the newest lines go by; scrolling to the end follows again. */
  private scrolled(): void {
    const atEnd = this.lines.scrollHeight - this.lines.scrollTop - this.lines.clientHeight < 24
    if (atEnd !== this.follow) this.setFollow(atEnd)
  }

  private clear(): void {
    this.lines.replaceChildren()
    this.held = []
    this.heldLost = 0
    this.count = 0
    this.tell()
  }

  private tell(): void {
    const waiting = this.held.length + this.heldLost
    write(this.said, this.paused ? `Paused: ${waiting} new ${waiting === 1 ? 'line waits' : 'lines wait'}` : this.count > 0 ? `${this.count} lines` : '')
  }
}
