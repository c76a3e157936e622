// The views that need no axis of time: numbers with a sparkline, gauges, bars, pies and tables. All are made of elements and SVG, drawn anew with each change.
import type { MetricData, Point, Series } from '../data.ts'
import { last } from '../data.ts'
import { h, svg } from '../dom.ts'
import { formatValue, valueParts } from '../format.ts'
import { seriesColor } from './palette.ts'

/** The line of the points in a box of w by h, between `from` and `to`. */
export function sparkPath(points: readonly Point[], from: number, to: number, w: number, height: number): string {
  if (points.length === 0 || to <= from) return ''
  const values = points.map((point) => point[1])
  const low = Math.min(0, ...values)
  const span = Math.max(...values) - low || 1
  return points.map(([time, value], at) => `${at ? 'L' : 'M'}${(((time - from) / (to - from)) * w).toFixed(1)} ${(height - 1 - ((value - low) / span) * (height - 2)).toFixed(1)}`).join('')
}

export function sparkline(points: readonly Point[], from: number, to: number, paint: string): SVGSVGElement {
  const path = sparkPath(points, from, to, 200, 40)
  return svg(
    'svg',
    { class: 'spark', viewBox: '0 0 200 40', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    path && svg('path', { d: path, fill: 'none', stroke: paint, 'stroke-width': 1.5, 'vector-effect': 'non-scaling-stroke', 'stroke-linejoin': 'round' }),
  )
}

export function numbers(data: MetricData): HTMLElement {
  return h(
    'div',
    { class: 'numbers' },
    ...data.series.map((one, at) => {
      const paint = seriesColor(at, one.color)
      const [number, unit] = valueParts(last(one), one.unit)
      const name = h('div', { class: 'name', title: one.label }, one.label)
      const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' })
      swatch.style.background = paint
      name.prepend(swatch)
      return h('div', { class: 'number' }, h('div', { class: 'figure' }, number, unit && h('span', { class: 'unit' }, unit)), name, data.sparkline && one.points.length > 1 && sparkline(one.points, data.start, data.end, paint))
    }),
  )
}

/** A point of a circle around 50,50; 0 is on the left, 1 on the right, over the top. */
const onArc = (share: number, radius: number): string => {
  const angle = Math.PI * (1 - share)
  return `${(50 + radius * Math.cos(angle)).toFixed(2)} ${(50 - radius * Math.sin(angle)).toFixed(2)}`
}

function gauge(one: Series, at: number, data: MetricData): HTMLElement {
  const low = data.left.min ?? 0
  const high = data.left.max ?? 100
  const value = last(one)
  const share = value === null ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low || 1)))
  const [number, unit] = valueParts(value, one.unit)
  return h(
    'div',
    { class: 'gauge', role: 'img', 'aria-label': `${one.label}: ${formatValue(value, one.unit)} of ${formatValue(high, one.unit)}` },
    svg(
      'svg',
      { viewBox: '0 0 100 60' },
      svg('path', { d: `M${onArc(0, 42)}A42 42 0 0 1 ${onArc(1, 42)}`, class: 'track' }),
      share > 0 && svg('path', { d: `M${onArc(0, 42)}A42 42 0 0 1 ${onArc(share, 42)}`, fill: 'none', stroke: seriesColor(at, one.color), 'stroke-width': 9 }),
      svg('text', { x: 50, y: 48, class: 'figure' }, number, unit ? ` ${unit}` : ''),
      svg('text', { x: 8, y: 57, class: 'end' }, formatValue(low, one.unit)),
      svg('text', { x: 92, y: 57, class: 'end' }, formatValue(high, one.unit)),
    ),
    h('div', { class: 'name' }, one.label),
  )
}

export const gauges = (data: MetricData): HTMLElement => h('div', { class: 'gauges' }, ...data.series.map((one, at) => gauge(one, at, data)))

export interface Share {
  label: string
  value: number
  unit: string
  color: string
}

export const shares = (series: readonly Series[]): Share[] => series.map((one, at) => ({ label: one.label, value: last(one) ?? 0, unit: one.unit, color: seriesColor(at, one.color) }))

export function bars(all: readonly Share[]): HTMLElement {
  const most = Math.max(...all.map((one) => Math.abs(one.value)), 0) || 1
  return h(
    'div',
    { class: 'bars' },
    ...all.map((one) => {
      const bar = h('span', { class: 'bar' })
      bar.style.width = `${(Math.abs(one.value) / most) * 100}%`
      bar.style.background = one.color
      return h('div', { class: 'bar-row' }, h('span', { class: 'name', title: one.label }, one.label), h('span', { class: 'bar-track' }, bar), h('span', { class: 'value' }, formatValue(one.value, one.unit)))
    }),
  )
}

export function pie(all: readonly Share[]): HTMLElement {
  const sum = all.reduce((total, one) => total + Math.max(0, one.value), 0)
  let turned = 0
  const round = 2 * Math.PI * 15.9155
  const slices = all.map((one) => {
    const share = sum > 0 ? Math.max(0, one.value) / sum : 0
    const slice = svg('circle', {
      cx: 21, cy: 21, r: 15.9155, fill: 'none', stroke: one.color, 'stroke-width': 9,
      'stroke-dasharray': `${(share * round).toFixed(3)} ${round.toFixed(3)}`,
      'stroke-dashoffset': (-turned * round).toFixed(3),
      transform: 'rotate(-90 21 21)',
    })
    turned += share
    return slice
  })
  return h(
    'div',
    { class: 'pie' },
    svg('svg', { viewBox: '0 0 42 42', role: 'img', 'aria-label': all.map((one) => `${one.label} ${formatValue(one.value, one.unit)}`).join(', ') }, svg('circle', { cx: 21, cy: 21, r: 15.9155, class: 'track' }), ...slices),
    h(
      'div',
      { class: 'legend' },
      ...all.map((one) => {
        const swatch = h('span', { class: 'swatch' })
        swatch.style.background = one.color
        const percent = sum > 0 ? ` · ${formatValue((Math.max(0, one.value) / sum) * 100, 'Percent')}` : ''
        return h('span', { class: 'series' }, swatch, h('span', { class: 'name', title: one.label }, one.label), h('span', { class: 'value' }, formatValue(one.value, one.unit) + percent))
      }),
    ),
  )
}

export function metricTable(data: MetricData): HTMLElement {
  const cell = (value: number | null, unit: string): HTMLElement => h('td', { class: 'number-cell' }, formatValue(value, unit))
  return h(
    'div',
    { class: 'table-scroll', tabindex: 0 },
    h(
      'table',
      null,
      h('thead', null, h('tr', null, h('th', null, 'Series'), ...['Newest', 'Least', 'Most', 'Mean'].map((name) => h('th', { class: 'number-cell' }, name)))),
      h(
        'tbody',
        null,
        ...data.series.map((one) => {
          const values = one.points.map((point) => point[1])
          const known = values.length > 0
          const mean = known ? values.reduce((sum, value) => sum + value, 0) / values.length : null
          return h('tr', null, h('td', null, one.label), cell(last(one), one.unit), cell(known ? Math.min(...values) : null, one.unit), cell(known ? Math.max(...values) : null, one.unit), cell(mean, one.unit))
        }),
      ),
    ),
  )
}
