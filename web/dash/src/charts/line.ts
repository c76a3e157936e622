// Lines and stacked areas over time, by uPlot. The legend below (or beside) shows the values at the cursor, else the newest; cursors of all charts of a page move together.
// The chart keeps the window that it is given and does not look at a clock.
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { AxisLimits, Mark, MetricData, Series } from '../data.ts'
import { last } from '../data.ts'
import { h, replace, write } from '../dom.ts'
import { axisTimes, formatStamp, formatValue } from '../format.ts'
import { align, isEmpty, lonely, stack, type Aligned, type Column } from './align.ts'
import { faint, seriesColor, seriesDash, token } from './palette.ts'

const FONT = '11px system-ui, sans-serif'
const TOOLTIP_ROWS = 12
const HOVER_PX = 40 // a point that is farther from the cursor is not what is meant

export class LineChart {
  readonly element: HTMLElement
  private readonly plotBox: HTMLElement
  private readonly legend: HTMLElement
  private readonly tooltip: HTMLElement
  private readonly observer: ResizeObserver
  private readonly sync: string
  private values: HTMLElement[] = []
  private plot: uPlot | null = null
  private data: MetricData | null = null
  private aligned: Aligned = { times: [], columns: [] }
  private shape = ''
  private from = 0
  private to = 1
  private readonly hidden = new Set<string>()

  constructor(sync: string) {
    this.sync = sync
    this.plotBox = h('div', { class: 'plot', tabindex: 0, role: 'img', onkeydown: (event: KeyboardEvent) => this.step(event) })
    this.legend = h('div', { class: 'legend', role: 'group', 'aria-label': 'Series' })
    this.tooltip = h('div', { class: 'tooltip', 'aria-hidden': 'true', hidden: true })
    this.element = h('div', { class: 'chart' }, this.plotBox, this.legend)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(this.plotBox)
  }

  /** The colours or the shape may be others: everything is drawn anew. */
  redraw(): void {
    this.shape = ''
    if (this.data) this.set(this.data, this.from, this.to)
  }

  set(data: MetricData, from: number, to: number): void {
    this.data = data
    this.from = from
    this.to = to
    this.aligned = align(data.series)
    const shape = JSON.stringify([data.stacked, data.legend, data.left, data.right, data.horizontal, data.vertical, data.series.map((one) => [one.id, one.label, one.color, one.right, one.unit, data.stacked && one.points.length > 0])])
    if (shape !== this.shape) {
      this.shape = shape
      this.build(data)
    } else {
      this.plot?.setData(this.columns(), true)
      this.values.forEach((value, at) => value.parentElement?.classList.toggle('empty', data.series[at]?.points.length === 0))
    }
    this.showValues(null)
    this.describe(data)
  }

  /** Moves the range, when that moves anything by half a pixel. */
  window(from: number, to: number): void {
    if (this.plot && Math.abs(to - this.to) < (to - from) / (2 * this.plot.width)) return
    this.from = from
    this.to = to
    this.plot?.setScale('x', { min: from, max: to })
  }

  destroy(): void {
    this.observer.disconnect()
    this.plot?.destroy()
    this.plot = null
  }

  private columns(): uPlot.AlignedData {
    const shown = this.shownColumns().map((column) => (column.length > 0 ? column : new Array<undefined>(this.aligned.times.length).fill(undefined)))
    return [this.aligned.times, ...(this.data?.stacked ? stack(shown, this.aligned.times.length) : shown)] as uPlot.AlignedData
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(40, this.plotBox.clientWidth), height: Math.max(40, this.plotBox.clientHeight) }
  }

  private resize(): void {
    const { width, height } = this.size()
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height })
  }

  private build(data: MetricData): void {
    this.plot?.destroy()
    this.element.classList.toggle('legend-right', data.legend === 'right')
    this.legend.hidden = data.legend === 'hidden'
    this.buildLegend(data)
    const hasRight = data.series.some((one) => one.right)
    const side = (right: boolean): Series[] => data.series.filter((one) => one.right === right)
    const options: uPlot.Options = {
      ...this.size(),
      ms: 1,
      padding: [10, hasRight ? 0 : 12, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: this.sync },
        drag: { x: false, y: false },
        points: { size: 6 },
        focus: { prox: 24 },
        hover: { prox: HOVER_PX },
      },
      focus: { alpha: 0.35 },
      scales: {
        x: { time: true, range: () => [this.from, this.to] },
        y: { range: (u, min, max) => this.range(u, min, max, data.left, false) },
        ...(hasRight ? { right: { range: (u: uPlot, min: number | null, max: number | null) => this.range(u, min, max, data.right, true) } } : {}),
      },
      axes: [this.timeAxis(), this.valueAxis('y', side(false)[0]?.unit ?? 'None', data.left), ...(hasRight ? [this.valueAxis('right', side(true)[0]?.unit ?? 'None', data.right)] : [])],
      series: [{}, ...data.series.map((one, at) => this.seriesOptions(one, at, data.stacked))],
      bands: data.stacked ? this.bands() : [],
      hooks: {
        drawClear: [(u) => this.drawMarks(u, data, true)],
        draw: [(u) => this.drawMarks(u, data, false)],
        setCursor: [(u) => this.moved(u)],
      },
    }
    this.plot = new uPlot(options, this.columns(), this.plotBox)
    this.plot.over.appendChild(this.tooltip)
  }

  private shownColumns(): Column[] {
    return this.aligned.columns.map((column, at) => (this.hidden.has(this.data?.series[at]?.id ?? '') ? [] : column))
  }

  /** Between each drawn series and the one below it. */
  private bands(): uPlot.Band[] {
    const drawn = this.shownColumns().flatMap((column, at) => (isEmpty(column) ? [] : [at + 1]))
    return drawn.slice(1).map((upper, at) => ({ series: [upper, drawn[at] ?? 1] }))
  }

  private seriesOptions(one: Series, at: number, stacked: boolean): uPlot.Series {
    const stroke = seriesColor(at, one.color)
    return {
      label: one.label,
      scale: one.right ? 'right' : 'y',
      stroke,
      width: stacked ? 1 : 1.6,
      dash: seriesDash(at),
      ...(stacked ? { fill: faint(stroke, 0.32) } : {}),
      points: stacked
        ? { show: false }
        : {
            show: true,
            size: 4,
            width: 0,
            fill: stroke,
            filter: (u: uPlot, index: number) => lonely((u.data[index] ?? []) as (number | null | undefined)[]),
          },
    }
  }

  private timeAxis(): uPlot.Axis {
    return {
      stroke: token('--muted'),
      font: FONT,
      size: 26,
      gap: 4,
      space: 64,
      grid: { show: false },
      ticks: { stroke: token('--line'), width: 1, size: 4 },
      values: (_u, splits, _axis, _space, step) => axisTimes(splits, step),
    }
  }

  private valueAxis(scale: string, unit: string, limits: AxisLimits): uPlot.Axis {
    return {
      scale,
      side: scale === 'right' ? 1 : 3,
      stroke: token('--muted'),
      font: FONT,
      size: (_u, values) => Math.max(36, 14 + 6.4 * Math.max(0, ...(values ?? []).map((text) => text.length))),
      gap: 4,
      space: 28,
      grid: { show: scale === 'y', stroke: token('--line'), width: 1 },
      ticks: { show: false },
      values: (_u, splits) => splits.map((value) => (value === null ? '' : formatValue(value, unit))),
      ...(limits.label ? { label: limits.label, labelSize: 16, labelFont: FONT, labelGap: 0 } : {}),
    }
  }

  private range(_u: uPlot, min: number | null, max: number | null, limits: AxisLimits, right: boolean): [number, number] {
    const marks = this.data?.horizontal.filter((mark) => mark.right === right).map((mark) => mark.value) ?? []
    const low = Math.min(min ?? 0, 0, ...marks)
    const high = Math.max(max ?? 0, ...marks)
    const bottom = limits.min ?? (low < 0 ? low * 1.08 : 0)
    const top = limits.max ?? (high > 0 ? high * 1.08 : bottom < 0 ? 0 : 1)
    return [bottom, top > bottom ? top : bottom + 1]
  }

  private drawMarks(u: uPlot, data: MetricData, behind: boolean): void {
    const { ctx, bbox } = u
    const ratio = uPlot.pxRatio
    ctx.save()
    ctx.beginPath()
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
    ctx.clip()
    for (const mark of data.horizontal) if (!mark.right || u.scales['right']) this.drawHorizontal(u, mark, behind, ratio)
    if (!behind) for (const mark of data.vertical) this.drawVertical(u, mark, ratio)
    ctx.restore()
  }

  private drawHorizontal(u: uPlot, mark: Mark, behind: boolean, ratio: number): void {
    const { ctx, bbox } = u
    const y = u.valToPos(mark.value, mark.right ? 'right' : 'y', true)
    const paint = mark.color ?? token('--alarm')
    if (behind) {
      if (!mark.fill) return
      ctx.fillStyle = faint(paint, 0.08)
      if (mark.fill === 'above') ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top)
      else ctx.fillRect(bbox.left, y, bbox.width, bbox.top + bbox.height - y)
      return
    }
    this.strokeMark(ctx, paint, ratio, [bbox.left, y], [bbox.left + bbox.width, y])
    if (!mark.label) return
    const above = y - bbox.top > 16 * ratio
    ctx.font = `${11 * ratio}px system-ui, sans-serif`
    ctx.textAlign = 'right'
    ctx.textBaseline = above ? 'bottom' : 'top'
    this.writeMark(ctx, mark.label, paint, ratio, bbox.left + bbox.width - 4 * ratio, y + (above ? -3 : 3) * ratio)
  }

  private drawVertical(u: uPlot, mark: Mark, ratio: number): void {
    const { ctx, bbox } = u
    const x = u.valToPos(mark.value, 'x', true)
    if (x < bbox.left || x > bbox.left + bbox.width) return
    const paint = mark.color ?? token('--muted')
    this.strokeMark(ctx, paint, ratio, [x, bbox.top], [x, bbox.top + bbox.height])
    if (!mark.label) return
    ctx.font = `${11 * ratio}px system-ui, sans-serif`
    ctx.textAlign = x > bbox.left + bbox.width / 2 ? 'right' : 'left'
    ctx.textBaseline = 'bottom' // thresholds are labelled above, mostly
    this.writeMark(ctx, mark.label, paint, ratio, x + (ctx.textAlign === 'right' ? -4 : 4) * ratio, bbox.top + bbox.height - 3 * ratio)
  }

  /** With an edge of the ground's colour, so that it can be read over lines. */
  private writeMark(ctx: CanvasRenderingContext2D, label: string, paint: string, ratio: number, x: number, y: number): void {
    ctx.lineJoin = 'round'
    ctx.lineWidth = 4 * ratio
    ctx.strokeStyle = token('--panel')
    ctx.strokeText(label, x, y)
    ctx.fillStyle = paint
    ctx.fillText(label, x, y)
  }

  private strokeMark(ctx: CanvasRenderingContext2D, paint: string, ratio: number, from: [number, number], to: [number, number]): void {
    ctx.strokeStyle = paint
    ctx.lineWidth = ratio
    ctx.setLineDash([5 * ratio, 4 * ratio])
    ctx.beginPath()
    ctx.moveTo(...from)
    ctx.lineTo(...to)
    ctx.stroke()
    ctx.setLineDash([])
  }

  private buildLegend(data: MetricData): void {
    this.values = data.series.map(() => h('span', { class: 'value' }))
    replace(
      this.legend,
      ...data.series.map((one, at) => {
        const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' })
        swatch.style.background = seriesColor(at, one.color)
        const off = this.hidden.has(one.id)
        const button = h('button', { type: 'button', class: one.points.length > 0 ? 'series' : 'series empty', title: one.label, 'aria-pressed': String(!off), onclick: () => this.toggle(one.id) }, swatch, h('span', { class: 'name' }, one.label + (one.right && data.series.some((other) => !other.right) ? ' (right)' : '')))
        button.append(this.values[at] ?? '')
        return button
      }),
    )
  }

  private toggle(id: string): void {
    if (!this.hidden.delete(id)) this.hidden.add(id)
    this.redraw()
  }

  /** The values at a place of the axis, or the newest ones. */
  private showValues(at: number | null): void {
    this.data?.series.forEach((one, i) => {
      const value = at === null ? last(one) : this.valueAt(i, at)
      const element = this.values[i]
      if (element) write(element, formatValue(value, one.unit))
    })
  }

  private valueAt(series: number, at: number): number | null {
    const value = this.aligned.columns[series]?.[at]
    return value === undefined ? null : value
  }

  private moved(u: uPlot): void {
    const { idx, left, top } = u.cursor
    const time = this.aligned.times[idx ?? -1]
    const near = time !== undefined && left !== undefined && left >= 0 && Math.abs(u.valToPos(time, 'x') - left) <= HOVER_PX
    const at = near && typeof idx === 'number' ? idx : null
    this.showValues(at)
    if (at === null || !(u.over.matches(':hover') || this.plotBox === document.activeElement)) {
      this.tooltip.hidden = true
      return
    }
    this.fillTooltip(at)
    this.tooltip.hidden = false
    const width = this.tooltip.offsetWidth
    const x = left ?? 0
    this.tooltip.style.left = `${x + 14 + width > u.over.clientWidth ? Math.max(0, x - width - 14) : x + 14}px`
    this.tooltip.style.top = `${Math.max(0, Math.min((top ?? 0) - 10, u.over.clientHeight - this.tooltip.offsetHeight))}px`
  }

  private fillTooltip(at: number): void {
    const rows = (this.data?.series ?? [])
      .map((one, i) => ({ one, i, value: this.valueAt(i, at) }))
      .filter((row) => row.value !== null && !this.hidden.has(row.one.id))
      .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
    replace(
      this.tooltip,
      h('div', { class: 'time' }, formatStamp(this.aligned.times[at] ?? 0)),
      ...rows.slice(0, TOOLTIP_ROWS).map(({ one, i, value }) => {
        const swatch = h('span', { class: 'swatch' })
        swatch.style.background = seriesColor(i, one.color)
        return h('div', { class: 'row' }, swatch, h('span', { class: 'name' }, one.label), h('span', { class: 'value' }, formatValue(value, one.unit)))
      }),
      rows.length > TOOLTIP_ROWS && h('div', { class: 'time' }, `${rows.length - TOOLTIP_ROWS} more`),
      rows.length === 0 && h('div', { class: 'row' }, 'no data'),
    )
  }

  /** The cursor by keyboard: left and right from point to point, Escape lets go. */
  private step(event: KeyboardEvent): void {
    const { plot, aligned } = this
    const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }
    const by = moves[event.key]
    if (!plot || (by === undefined && event.key !== 'Escape')) return
    event.preventDefault()
    if (by === undefined) {
      plot.setCursor({ left: -10, top: -10 })
      return
    }
    const now = plot.cursor.idx ?? aligned.times.length
    const next = Math.min(aligned.times.length - 1, Math.max(0, now + by))
    const time = aligned.times[next]
    if (time !== undefined) plot.setCursor({ left: plot.valToPos(time, 'x'), top: 10 })
  }

  private describe(data: MetricData): void {
    const said = data.series.slice(0, 8).map((one) => `${one.label} ${formatValue(last(one), one.unit)}`)
    this.plotBox.setAttribute('aria-label', `Chart with ${data.series.length} series. Newest: ${said.join(', ')}. Arrow keys move the cursor.`)
  }
}
