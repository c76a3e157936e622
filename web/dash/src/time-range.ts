// The ranges that a dashboard can be seen in. The hash of the address holds the choice, so a link shows what was seen.
import { formatDuration, parseDuration } from './format.ts'

export interface Range {
  readonly name: string // "PT3H"
  readonly label: string
  readonly ms: number
}

const range = (name: string, label: string): Range => ({ name, label, ms: parseDuration(name) ?? 0 })

export const RANGES: readonly Range[] = [range('PT15M', '15 min'), range('PT1H', '1 h'), range('PT3H', '3 h'), range('PT12H', '12 h'), range('P1D', '1 d'), range('P1W', '1 w')]
const STANDARD = RANGES[2] as Range

/** The asked one, else the dashboard's own start ("-PT6H"), else three hours. */
export function chooseRange(asked: string | null, start: string): Range {
  for (const name of [asked ?? '', start.replace(/^-/, '')]) {
    const ms = parseDuration(name)
    if (ms !== null && ms > 0) return RANGES.find((one) => one.ms === ms) ?? { name, label: formatDuration(ms), ms }
  }
  return STANDARD
}
