// An alarm as an item of the hidden table weir.alarms (docs/alarms.md); its `config` holds AWS's own members.
import { dict, num, str } from './data.ts'
import type { Row } from './live-table.ts'

export interface Alarm {
  name: string
  state: string
  reason: string
  description: string
  /** What it watches: "Namespace · Metric", a composite alarm's rule, or nothing. */
  what: string
  /** The state has been so since, epoch milliseconds; 0: unknown. */
  since: number
  actions: boolean
  suppressed: boolean
}

export function alarmOf(row: Row): Alarm {
  const config = dict(row['config'])
  const metric = [str(config['Namespace']), str(config['MetricName'])].filter(Boolean).join(' · ')
  return {
    name: str(row['name']),
    state: str(row['state'], 'UNKNOWN'),
    reason: str(row['reason']),
    description: str(config['AlarmDescription']),
    what: metric || str(config['AlarmRule']),
    since: num(row['transitioned']) ?? num(row['updated']) ?? 0,
    actions: row['enabled'] !== false,
    suppressed: str(row['suppressed']) !== '',
  }
}
