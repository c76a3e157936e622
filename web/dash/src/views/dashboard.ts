// One dashboard: its widgets on CloudWatch's grid of 24 columns. The body comes over the followed table weir.dashboards, so a PutDashboard by anybody is seen at once;
// widgets whose text did not change stay as they are.
import type { Context, Dict, View } from '../context.ts'
import { dict, list, str } from '../data.ts'
import type { Place } from '../place.ts'
import { h, replace } from '../dom.ts'
import { layout } from '../layout.ts'
import { chooseRange, RANGES, type Range } from '../time-range.ts'
import { WidgetFrame } from '../widgets/frame.ts'

const STEP_MS = 1000

export class DashboardView implements View {
  readonly title: string
  readonly element: HTMLElement
  private readonly context: Context
  private readonly name: string
  private readonly grid = h('div', { class: 'grid' })
  private readonly ranges = h('div', { class: 'segments', role: 'group', 'aria-label': 'Time range' })
  private readonly ends: (() => void)[] = []
  private readonly timer: ReturnType<typeof setInterval>
  private frames: { text: string; frame: WidgetFrame }[] = []
  private body: string | undefined
  private asked: string | null
  private range: Range

  constructor(context: Context, place: Place) {
    this.context = context
    this.name = place.argument
    this.title = place.argument
    this.asked = place.params.get('range')
    this.range = chooseRange(this.asked, '')
    this.element = h('div', { class: 'view' }, h('div', { class: 'bar-top' }, h('h1', null, this.name), this.ranges), this.grid)
    this.ends.push(context.connection.onTable(context.dashboards, () => this.load()), context.onTheme(() => this.frames.forEach(({ frame }) => frame.redraw())))
    this.timer = setInterval(() => this.tick(), STEP_MS)
    this.load()
  }

  destroy(): void {
    clearInterval(this.timer)
    for (const end of this.ends) end()
    for (const { frame } of this.frames) frame.destroy()
  }

  private tick(): void {
    if (document.hidden) return
    const now = this.context.session.now()
    for (const { frame } of this.frames) frame.tick(now)
  }

  private load(): void {
    const { dashboards } = this.context
    const row = dashboards.find(this.name)
    const text = row ? str(row['body']) : undefined
    if (text !== undefined && text === this.body) return
    this.body = text
    if (text !== undefined) this.build(text)
    else {
      for (const { frame } of this.frames) frame.destroy()
      this.frames = []
      const word = dashboards.error ?? (dashboards.ready ? `There is no dashboard “${this.name}”.` : 'Waiting for the dashboard')
      replace(this.grid, h('p', { class: dashboards.ready ? 'nothing' : 'nothing waiting' }, word))
    }
  }

  private build(text: string): void {
    let body: Dict = {}
    try {
      body = dict(JSON.parse(text))
    } catch {
      // PutDashboard lets no such body in; an empty dashboard is what remains of it
    }
    this.range = chooseRange(this.asked, str(body['start']))
    this.drawRanges()
    const specs = list(body['widgets']).map((spec) => dict(spec))
    const cells = layout(specs)
    const before = this.frames
    this.frames = specs.map((spec, index) => {
      const key = JSON.stringify(spec)
      const kept = before[index]?.text === key ? before[index] : undefined
      return kept ?? { text: key, frame: new WidgetFrame(this.context, { dashboard: this.name, index, spec }, this.range) }
    })
    for (const old of before) if (!this.frames.includes(old)) old.frame.destroy()
    cells.forEach((cell, at) => {
      const style = this.frames[at]?.frame.element.style
      style?.setProperty('--column', `${cell.x + 1} / span ${cell.w}`)
      style?.setProperty('--row', `${cell.y + 1} / span ${cell.h}`)
      style?.setProperty('--rows', String(cell.h))
    })
    const order = cells.map((cell, at) => ({ cell, at })).sort((a, b) => a.cell.y - b.cell.y || a.cell.x - b.cell.x)
    replace(this.grid, ...order.map(({ at }) => this.frames[at]?.frame.element), specs.length === 0 && h('p', { class: 'nothing' }, 'This dashboard has no widgets.'))
  }

  private drawRanges(): void {
    const all = RANGES.some((one) => one.ms === this.range.ms) ? RANGES : [this.range, ...RANGES]
    replace(this.ranges, ...all.map((one) => h('button', { type: 'button', 'aria-pressed': String(one.ms === this.range.ms), onclick: () => this.choose(one) }, one.label)))
  }

  private choose(range: Range): void {
    this.asked = range.name
    this.range = range
    history.replaceState(null, '', `#dashboards/${encodeURIComponent(this.name)}?range=${range.name}`)
    this.drawRanges()
    for (const { frame } of this.frames) frame.setRange(range)
  }
}
