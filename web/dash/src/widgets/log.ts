// Log widgets: the rows of a query as a table; with the views timeSeries, bar and pie as a chart.
import { LineChart } from '../charts/line.ts'
import { seriesColor } from '../charts/palette.ts'
import { bars, pie, type Share } from '../charts/simple.ts'
import type { Dict } from '../context.ts'
import { logSeries, num, readLog, readMetric, type LogData } from '../data.ts'
import { h, replace } from '../dom.ts'
import { formatInteger } from '../format.ts'
import type { Range } from '../time-range.ts'
import type { Body } from './body.ts'

const HIDDEN_FIELD = '@ptr'

/** A message is one line until its row is clicked. */
const toggle = (event: MouseEvent): void => {
  if (event.currentTarget instanceof Element && getSelection()?.isCollapsed !== false) event.currentTarget.classList.toggle('open')
}

function table(log: LogData): HTMLElement {
  const shown = log.fields.map((field, at) => ({ field, at })).filter(({ field }) => field !== HIDDEN_FIELD)
  const numeric = new Set(shown.filter(({ at }) => log.rows.length > 0 && log.rows.every((row) => row[at] === null || row[at] === undefined || num(row[at]) !== null)).map(({ at }) => at))
  return h(
    'div',
    { class: 'table-scroll', tabindex: 0 },
    h(
      'table',
      { class: 'log-table' },
      h('thead', null, h('tr', null, ...shown.map(({ field, at }) => h('th', { class: numeric.has(at) ? 'number-cell' : null }, field)))),
      h(
        'tbody',
        null,
        ...log.rows.map((row) =>
          h('tr', { onclick: toggle }, ...shown.map(({ field, at }) => h('td', { class: numeric.has(at) ? 'number-cell' : field === '@message' ? 'message-cell' : field === '@timestamp' ? 'time-cell' : null, title: field === '@message' ? null : row[at] }, row[at] ?? '–'))),
        ),
      ),
    ),
  )
}

const categories = (log: LogData): Share[] => log.rows.map((row, at) => ({ label: row[0] ?? '–', value: num(row[1]) ?? 0, unit: 'None', color: seriesColor(at, null) }))

export class LogBody implements Body {
  readonly element = h('div', { class: 'log-body' })
  private readonly sync: string
  private readonly foot = h('p', { class: 'foot' })
  private chart: LineChart | null = null
  private log: LogData | null = null

  constructor(sync: string) {
    this.sync = sync
  }

  set(data: Dict, now: number, range: Range): void {
    const log = readLog(data)
    this.log = log
    const scanned = log.scanned === null ? '' : `${formatInteger(log.matched ?? log.rows.length)} of ${formatInteger(log.scanned)} events`
    replace(this.foot, scanned, log.status === 'Timeout' && h('strong', null, ' · stopped at its limit: a part of the answer'))
    if (log.status === 'Failed') replace(this.element, h('div', { class: 'state failed', role: 'alert' }, h('strong', null, 'The query failed'), h('p', null, log.message)))
    else if (log.view === 'timeSeries') this.drawSeries(data, log, now - range.ms, now)
    else replace(this.element, log.rows.length === 0 ? h('p', { class: 'nothing' }, 'No events match in this range') : this.drawRows(log), this.foot)
  }

  private drawRows(log: LogData): HTMLElement {
    return log.view === 'bar' ? bars(categories(log)) : log.view === 'pie' ? pie(categories(log)) : table(log)
  }

  private drawSeries(data: Dict, log: LogData, from: number, to: number): void {
    if (!this.chart) {
      this.chart = new LineChart(this.sync)
      replace(this.element, this.chart.element, this.foot)
    }
    this.chart.set({ ...readMetric(data), series: logSeries(log) }, from, to)
  }

  window(from: number, to: number): void {
    this.chart?.window(from, to)
  }

  redraw(): void {
    this.chart?.redraw()
    if (this.log && !this.chart && this.log.view !== 'table' && this.log.status !== 'Failed') replace(this.element, this.drawRows(this.log), this.foot)
  }

  destroy(): void {
    this.chart?.destroy()
  }
}
