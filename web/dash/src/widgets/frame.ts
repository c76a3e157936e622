// The frame around each widget: title, messages, and one of three states: waiting, failed, or its content (which may say that there is nothing). It asks for its data
// while it is near the visible part of the page, so a dashboard of five hundred widgets costs what one sees of it.
import type { Context, Dict } from '../context.ts'
import type { Stream } from '../connection.ts'
import { dict, list, str } from '../data.ts'
import { h, replace, write } from '../dom.ts'
import type { Range } from '../time-range.ts'
import type { Body } from './body.ts'
import { bodyFor } from './body.ts'

export interface WidgetPlace {
  /** Without one the widget is the page's own and its whole text is sent. */
  readonly dashboard: string | null
  readonly index: number
  readonly spec: Dict
}

export class WidgetFrame {
  readonly element: HTMLElement
  private readonly context: Context
  private readonly place: WidgetPlace
  private readonly title: HTMLElement
  private readonly note: HTMLElement
  private readonly content: HTMLElement
  private readonly observer: IntersectionObserver
  private body: Body | null = null
  private kind = ''
  private stream: Stream | null = null
  private near = false
  private failed = false
  private readonly leaveStatus: () => void
  private range: Range

  constructor(context: Context, place: WidgetPlace, range: Range) {
    this.context = context
    this.place = place
    this.range = range
    const type = str(place.spec['type'])
    const given = str(dict(place.spec['properties'])['title'])
    const heading = `w${place.index}-title`
    this.title = h('h2', { id: heading }, given)
    this.note = h('p', { class: 'note', hidden: true })
    this.content = h('div', { class: 'widget-content' }, this.waiting())
    this.element = h('section', { class: `widget widget-${/^\w+$/.test(type) ? type : 'other'}`, 'aria-labelledby': given ? heading : null, 'aria-label': given ? null : `${type} widget`, 'aria-busy': 'true' }, this.title, this.note, this.content)
    this.title.hidden = !given
    this.observer = new IntersectionObserver((entries) => this.seen(entries.some((entry) => entry.isIntersecting)), { rootMargin: '400px' })
    this.observer.observe(this.element)
    this.leaveStatus = context.connection.onStatus((status) => status.phase === 'live' && this.failed && this.near && this.ask())
  }

  setRange(range: Range): void {
    this.range = range
    if (this.near) this.ask()
  }

  /** The time goes on without data. */
  tick(now: number): void {
    this.body?.window?.(now - this.range.ms, now)
  }

  redraw(): void {
    this.body?.redraw?.()
  }

  destroy(): void {
    this.observer.disconnect()
    this.leaveStatus()
    this.stream?.stop()
    this.body?.destroy?.()
  }

  private seen(near: boolean): void {
    if (near === this.near) return
    this.near = near
    if (near) this.ask()
    else {
      this.stream?.stop()
      this.stream = null
    }
  }

  private ask(): void {
    this.stream?.stop()
    this.failed = false
    this.element.setAttribute('aria-busy', 'true')
    this.stream = this.context.connection.stream(
      () => ({ action: 'widget', ...(this.place.dashboard === null ? { widget: this.place.spec } : { dashboard: this.place.dashboard, index: this.place.index }), start: `-${this.range.name}` }),
      (message) => {
        if (message.type === 'error') this.fail(str(message['message']) || str(message['error']))
        else if (message['append'] !== undefined) this.append(dict(message['append']))
        else if (message['data'] !== undefined) this.show(dict(message['data']))
      },
    )
  }

  private show(data: Dict): void {
    this.element.setAttribute('aria-busy', 'false')
    const { kind, make } = bodyFor(data)
    if (!this.body || this.kind !== kind) {
      this.body?.destroy?.()
      this.kind = kind
      this.body = make(this.place.dashboard ?? 'page')
      replace(this.content, this.body.element)
    }
    const title = str(data['title'])
    if (title) write(this.title, title)
    this.title.hidden = this.title.textContent === ''
    this.body.set(data, this.context.session.now(), this.range)
    const messages = list(data['messages']).map((message) => str(message))
    this.note.hidden = messages.length === 0
    write(this.note, messages.join(' '))
  }

  private append(data: Dict): void {
    this.body?.append?.(data, this.context.session.now(), this.range)
  }

  private waiting(): HTMLElement {
    return h('div', { class: 'state', role: 'status' }, h('span', { class: 'skeleton', 'aria-hidden': 'true' }), h('span', { class: 'hidden-text' }, 'Waiting for data'))
  }

  private fail(reason: string): void {
    this.failed = true
    this.body?.destroy?.()
    this.body = null
    this.kind = ''
    this.element.setAttribute('aria-busy', 'false')
    replace(this.content, h('div', { class: 'state failed', role: 'alert' }, h('strong', null, 'No data'), h('p', null, reason), h('button', { type: 'button', class: 'quiet', onclick: () => this.ask() }, 'Try again')))
  }
}
