// The shapes of docs/dashboards.md, read carefully: what is not as it should be becomes what draws nothing.
import type { Json } from './message.ts'

export type Point = readonly [time: number, value: number]
export interface Series {
  id: string
  label: string
  color: string | null
  right: boolean
  unit: string
  stat: string
  period: number
  points: Point[]
}
export interface Mark {
  label: string
  color: string | null
  value: number
  fill: 'above' | 'below' | null
  right: boolean
}
export interface AxisLimits {
  min: number | null
  max: number | null
  label: string
}
export interface MetricData {
  view: string
  stacked: boolean
  start: number
  end: number
  period: number
  series: Series[]
  horizontal: Mark[]
  vertical: Mark[]
  left: AxisLimits
  right: AxisLimits
  legend: 'bottom' | 'right' | 'hidden'
  sparkline: boolean
  messages: string[]
}
export interface LogData {
  view: string
  fields: string[]
  rows: (string | null)[][]
  status: string
  message: string
  matched: number | null
  scanned: number | null
}
export interface AlarmState {
  name: string
  arn: string
  state: string
  reason: string
  updated: number
}

type Dict = { [name: string]: Json }
export const dict = (value: Json | undefined): Dict => (value && typeof value === 'object' && !Array.isArray(value) ? value : {})
export const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : [])
export const str = (value: Json | undefined, otherwise = ''): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : otherwise)
export const num = (value: Json | undefined): number | null => {
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  return Number.isFinite(number) ? number : null
}
/** #rgb, #rrggbb, #rrggbbaa, or nothing. */
export const color = (value: Json | undefined): string | null => (typeof value === 'string' && /^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(value) ? value : null)

export const points = (value: Json | undefined): Point[] =>
  list(value).flatMap((point): Point[] => {
    const [time, number] = list(point)
    return typeof time === 'number' && typeof number === 'number' ? [[time, number]] : []
  })

function limits(value: Json | undefined): AxisLimits {
  const given = dict(value)
  return { min: num(given['min']), max: num(given['max']), label: str(given['label']) }
}

function marks(value: Json | undefined, time: boolean): Mark[] {
  return list(value).flatMap((one) => (Array.isArray(one) ? one : [one])).flatMap((one): Mark[] => {
    const given = dict(one)
    const at = time ? (typeof given['value'] === 'number' ? given['value'] : Date.parse(str(given['value']))) : num(given['value'])
    if (at === null || Number.isNaN(at) || given['visible'] === false) return []
    const fill = given['fill'] === 'above' || given['fill'] === 'below' ? given['fill'] : null
    return [{ label: str(given['label']), color: color(given['color']), value: at, fill, right: given['yAxis'] === 'right' }]
  })
}

export function readMetric(data: Dict): MetricData {
  const yAxis = dict(data['yAxis'])
  const annotations = dict(data['annotations'])
  const position = str(dict(data['legend'])['position'], 'bottom')
  return {
    view: str(data['view'], 'timeSeries'),
    stacked: data['stacked'] === true,
    start: num(data['start']) ?? 0,
    end: num(data['end']) ?? 0,
    period: num(data['period']) ?? 60,
    series: list(data['series']).map((one, at): Series => {
      const given = dict(one)
      const id = str(given['id'], `s${at}`)
      return {
        id,
        label: str(given['label'], id),
        color: color(given['color']),
        right: given['yAxis'] === 'right',
        unit: str(given['unit'], 'None'),
        stat: str(given['stat']),
        period: num(given['period']) ?? num(data['period']) ?? 60,
        points: points(given['points']),
      }
    }),
    horizontal: marks(annotations['horizontal'], false),
    vertical: marks(annotations['vertical'], true),
    left: limits(yAxis['left']),
    right: limits(yAxis['right']),
    legend: position === 'right' || position === 'hidden' ? position : 'bottom',
    sparkline: data['sparkline'] !== false,
    messages: list(data['messages']).map((message) => str(message)).filter(Boolean),
  }
}

/** The points of an `append`: they replace those of the same times, or are added behind; what is before the start is forgotten. */
export function mergePoints(have: readonly Point[], come: readonly Point[], start: number): Point[] {
  const first = come[0]
  const keep = first === undefined ? have : have.filter((point) => point[0] < first[0])
  const later = first === undefined ? [] : have.filter((point) => point[0] >= first[0] && !come.some((other) => other[0] === point[0]))
  return [...keep, ...[...later, ...come].sort((a, b) => a[0] - b[0])].filter((point) => point[0] >= start)
}

export function applyAppend(data: MetricData, append: Dict): void {
  data.start = num(append['start']) ?? data.start
  data.end = num(append['end']) ?? data.end
  for (const one of list(append['series'])) {
    const given = dict(one)
    const series = data.series[num(given['index']) ?? -1]
    if (series) series.points = mergePoints(series.points, points(given['points']), data.start)
  }
  for (const series of data.series) if (series.points[0] && series.points[0][0] < data.start) series.points = mergePoints(series.points, [], data.start)
}

export function readLog(data: Dict): LogData {
  const statistics = dict(data['statistics'])
  return {
    view: str(data['view'], 'table'),
    fields: list(data['fields']).map((field) => str(field)),
    rows: list(data['rows']).map((row) => list(row).map((cell) => (cell === null ? null : str(cell)))),
    status: str(data['status']),
    message: str(data['message']),
    matched: num(statistics['recordsMatched']),
    scanned: num(statistics['recordsScanned']),
  }
}

/** Rows as the log view of a chart: the first field is the time, each other one a series. Times are UTC, as queries print them. */
export function logSeries(log: LogData): Series[] {
  return log.fields.slice(1).map((field, at): Series => {
    const found = log.rows.flatMap((row): Point[] => {
      const time = Date.parse(`${(row[0] ?? '').replace(' ', 'T')}Z`)
      const value = num(row[at + 1])
      return Number.isNaN(time) || value === null ? [] : [[time, value]]
    })
    found.sort((a, b) => a[0] - b[0])
    let period = Number.POSITIVE_INFINITY
    for (let i = 1; i < found.length; i++) period = Math.min(period, (found[i]?.[0] ?? 0) - (found[i - 1]?.[0] ?? 0) || period)
    return { id: field, label: field, color: null, right: false, unit: 'None', stat: '', period: Number.isFinite(period) ? period / 1000 : 60, points: found }
  })
}

export function readAlarm(value: Json | undefined): AlarmState {
  const given = dict(value)
  return {
    name: str(given['name']),
    arn: str(given['arn']),
    state: str(given['state'], 'UNKNOWN'),
    reason: str(given['reason']),
    updated: num(given['updated']) ?? 0,
  }
}

export const last = (series: Series): number | null => series.points[series.points.length - 1]?.[1] ?? null
