// CloudWatch's grid of 24 columns.
import { num } from './data.ts'
import type { Json } from './message.ts'

const COLUMNS = 24

export interface Cell {
  x: number
  y: number
  w: number
  h: number
}

const clamp = (value: number | null, low: number, high: number, otherwise: number): number => Math.min(high, Math.max(low, Math.round(value ?? otherwise)))

/** Where each widget lies. Those without a place of their own follow each other in rows below the others, as CloudWatch lays them out. */
export function layout(widgets: readonly { [name: string]: Json }[]): Cell[] {
  const sizes = widgets.map((spec) => ({ w: clamp(num(spec['width']), 1, COLUMNS, 6), h: clamp(num(spec['height']), 1, 1000, 6) }))
  const placed = widgets.map((spec) => num(spec['x']) !== null && num(spec['y']) !== null)
  let y = 0
  widgets.forEach((spec, at) => placed[at] && (y = Math.max(y, (num(spec['y']) ?? 0) + (sizes[at]?.h ?? 0))))
  let x = 0
  let row = 0
  return widgets.map((spec, at) => {
    const { w, h: height } = sizes[at] ?? { w: 6, h: 6 }
    if (placed[at]) return { x: clamp(num(spec['x']), 0, COLUMNS - w, 0), y: clamp(num(spec['y']), 0, 10000, 0), w, h: height }
    if (x + w > COLUMNS) {
      x = 0
      y += row
      row = 0
    }
    const cell = { x, y, w, h: height }
    x += w
    row = Math.max(row, height)
    return cell
  })
}
