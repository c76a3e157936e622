// Metric widgets: lines and stacks over time, or figures (a number, a gauge, bars, a pie, a table).
import { LineChart } from '../charts/line.ts'
import { bars, gauges, metricTable, numbers, pie, shares } from '../charts/simple.ts'
import type { Dict } from '../context.ts'
import { applyAppend, readMetric, type MetricData } from '../data.ts'
import { h, replace } from '../dom.ts'
import type { Range } from '../time-range.ts'
import type { Body } from './body.ts'

const NOTHING = 'No data in this range'

abstract class MetricBody implements Body {
  readonly element = h('div', { class: 'metric-body' })
  protected data: MetricData | null = null

  protected abstract draw(data: MetricData, from: number, to: number): void

  set(data: Dict, now: number, range: Range): void {
    this.data = readMetric(data)
    this.draw(this.data, now - range.ms, now)
  }

  append(data: Dict, now: number, range: Range): void {
    if (!this.data) return
    applyAppend(this.data, data)
    this.draw(this.data, now - range.ms, now)
  }
}

export class LineBody extends MetricBody {
  private readonly chart: LineChart
  private readonly nothing = h('p', { class: 'nothing', hidden: true }, NOTHING)

  constructor(sync: string) {
    super()
    this.chart = new LineChart(sync)
    this.element.append(this.chart.element, this.nothing)
  }

  protected override draw(data: MetricData, from: number, to: number): void {
    this.nothing.hidden = data.series.some((one) => one.points.length > 0)
    this.chart.set(data, from, to)
  }

  window(from: number, to: number): void {
    this.chart.window(from, to)
  }

  redraw(): void {
    this.chart.redraw()
  }

  destroy(): void {
    this.chart.destroy()
  }
}

export class FiguresBody extends MetricBody {
  protected override draw(data: MetricData): void {
    replace(this.element, data.series.length === 0 ? h('p', { class: 'nothing' }, NOTHING) : this.figures(data))
  }

  private figures(data: MetricData): HTMLElement {
    switch (data.view) {
      case 'gauge':
        return gauges(data)
      case 'bar':
        return bars(shares(data.series))
      case 'pie':
        return pie(shares(data.series))
      case 'table':
        return metricTable(data)
      default:
        return numbers(data)
    }
  }

  redraw(): void {
    if (this.data) this.draw(this.data)
  }
}
