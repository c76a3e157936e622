// How numbers, units and times read. Units are those of CloudWatch; what has none is a plain number.

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const SPACE = '\u202f' // narrow, does not break: between a number and its unit

const SECONDS: Readonly<Record<string, number>> = { Seconds: 1000, Milliseconds: 1, Microseconds: 0.001 }
const BYTES: Readonly<Record<string, number>> = { Bytes: 1, Kilobytes: 1024, Megabytes: 1024 ** 2, Gigabytes: 1024 ** 3, Terabytes: 1024 ** 4 }
const BITS: Readonly<Record<string, number>> = { Bits: 1, Kilobits: 1e3, Megabits: 1e6, Gigabits: 1e9, Terabits: 1e12 }

function scaled(value: number, step: number, names: readonly string[]): [number, string] {
  let at = 0
  let size = Math.abs(value)
  while (size >= step && at < names.length - 1) {
    size /= step
    value /= step
    at++
  }
  return [value, names[at] ?? '']
}

/** Three significant digits, no trailing zeroes; whole numbers below 10,000 stay whole. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 10000) return String(value)
  const places = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size === 0 ? 0 : Math.min(6, 2 - Math.floor(Math.log10(size)))
  const text = value.toFixed(places)
  return places > 0 ? text.replace(/\.?0+$/, '') : text
}

function time(ms: number): [number, string] {
  const size = Math.abs(ms)
  if (size === 0) return [0, 'ms']
  if (size < 1) return [ms * 1000, 'µs']
  if (size < 1000) return [ms, 'ms']
  if (size < 120_000) return [ms / 1000, 's']
  if (size < 7_200_000) return [ms / 60_000, 'min']
  return [ms / 3_600_000, 'h']
}

function parts(value: number, unit: string): [number, string] {
  const rate = unit.endsWith('/Second')
  const plain = rate ? unit.slice(0, -7) : unit
  const behind = rate ? '/s' : ''
  if (SECONDS[plain] !== undefined) return time(value * SECONDS[plain])
  if (BYTES[plain] !== undefined) {
    const [number, name] = scaled(value * BYTES[plain], 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
    return [number, name + behind]
  }
  if (BITS[plain] !== undefined) {
    const [number, name] = scaled(value * BITS[plain], 1000, ['bit', 'kbit', 'Mbit', 'Gbit', 'Tbit'])
    return [number, name + behind]
  }
  if (plain === 'Percent') return [value, '%']
  const [number, name] = Math.abs(value) >= 10000 ? scaled(value, 1000, ['', 'k', 'M', 'G', 'T']) : [value, '']
  return [number, name + behind]
}

/** A number and the unit that it is shown in, for large type: ["12.3", "ms"]. */
export function valueParts(value: number | null | undefined, unit = 'None'): [string, string] {
  if (value === null || value === undefined || !Number.isFinite(value)) return ['–', '']
  const [number, name] = parts(value, unit)
  return [digits(number), name]
}

export function formatValue(value: number | null | undefined, unit = 'None'): string {
  const [number, name] = valueParts(value, unit)
  return name === '' ? number : /^[kMGT]?(\/s)?$/.test(name) ? number + name : number + SPACE + name
}

export function formatInteger(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

export const formatBytes = (bytes: number): string => formatValue(bytes, 'Bytes')

/** "3 d 4 h", "2 min 5 s", "800 ms": the two largest parts. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  let rest = Math.floor(ms / 1000)
  const out: string[] = []
  for (const [size, name] of [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']] as const) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) out.push(`${count} ${name}`)
    else if (out.length > 0) break
    if (out.length === 2) break
  }
  return out.join(' ')
}

export function formatAge(ms: number): string {
  if (ms < 1500) return 'just now'
  const [number, unit] = formatDuration(ms).split(' ') as [string, string]
  return `${number} ${unit} ago`
}

const two = (number: number): string => String(number).padStart(2, '0')

/** Local times, 24 hours. */
export function formatClock(ms: number): string {
  const date = new Date(ms)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export function formatClockMs(ms: number): string {
  return `${formatClock(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}`
}

export function formatDay(ms: number): string {
  const date = new Date(ms)
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`
}

export function formatStamp(ms: number): string {
  return `${formatDay(ms)} ${formatClock(ms)}`
}

/** The labels of a time axis: the clock, and the day where a day begins. `step`: milliseconds between two labels. */
export function axisTimes(splits: readonly number[], step: number): string[] {
  return splits.map((ms) => {
    const date = new Date(ms)
    if (step >= 86_400_000 || (date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0)) return formatDay(ms)
    return step < 60_000 ? formatClock(ms) : formatClock(ms).slice(0, 5)
  })
}

/** "PT3H", "-P1DT12H", "P1W": milliseconds, or null when it is no such duration. */
export function parseDuration(text: string): number | null {
  const match = /^-?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(text)
  if (!match || !match.slice(1).some(Boolean)) return null
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number]
  return ((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}
