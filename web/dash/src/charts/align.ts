// Series with times of their own on one axis of times, as uPlot wants them: `undefined` where a series has nothing to say, `null` where it has a gap. A period without
// data is a gap: a line that joined the neighbours would show values that nobody measured.
import type { Series } from '../data.ts'

export type Column = (number | null | undefined)[]
export interface Aligned {
  times: number[]
  columns: Column[]
}

/** More than one and a half periods without a point. */
const isGap = (from: number, to: number, periodMs: number): boolean => to - from > periodMs * 1.5

export function align(series: readonly Series[]): Aligned {
  const all = new Set<number>()
  for (const one of series) {
    const step = one.period * 1000
    one.points.forEach(([time], at) => {
      all.add(time)
      const next = one.points[at + 1]
      if (next && isGap(time, next[0], step)) all.add(time + step)
    })
  }
  const times = [...all].sort((a, b) => a - b)
  const place = new Map(times.map((time, at) => [time, at]))
  const columns = series.map((one) => {
    const column: Column = new Array<undefined>(times.length).fill(undefined)
    const step = one.period * 1000
    one.points.forEach(([time, value], at) => {
      column[place.get(time) ?? 0] = value
      const next = one.points[at + 1]
      if (next && isGap(time, next[0], step)) column[place.get(time + step) ?? 0] = null
    })
    return column
  })
  return { times, columns }
}

export const isEmpty = (column: Column): boolean => column.every((value) => value === undefined || value === null)

/** Each column on top of those before it; what is missing counts as nothing. The first column lies at the bottom; one without any value has no place. */
export function stack(columns: readonly Column[], times: number): Column[] {
  const sum = new Array<number>(times).fill(0)
  return columns.map((column) => (isEmpty(column) ? column : column.map((value, at) => (sum[at] = (sum[at] ?? 0) + (value ?? 0)))))
}

/** Points with a gap on both sides: a line would not show them. */
export function lonely(column: Column): number[] {
  const known: number[] = []
  column.forEach((value, at) => value !== undefined && known.push(at))
  return known.filter((at, i) => {
    const before = known[i - 1]
    const after = known[i + 1]
    return column[at] !== null && (before === undefined || column[before] === null) && (after === undefined || column[after] === null)
  })
}
