// Alarm widgets, and how an alarm's state looks everywhere: a word beside the colour, so that nobody depends on the colour.
import type { Dict } from '../context.ts'
import { list, readAlarm } from '../data.ts'
import { h, replace } from '../dom.ts'
import { formatAge, formatStamp } from '../format.ts'
import type { Body } from './body.ts'

const WORDS: Readonly<Record<string, [word: string, look: string]>> = {
  OK: ['OK', 'ok'],
  ALARM: ['In alarm', 'alarm'],
  INSUFFICIENT_DATA: ['No data', 'unknown'],
}

export function statePill(state: string): HTMLElement {
  const [word, look] = WORDS[state] ?? ['Unknown', 'unknown']
  return h('span', { class: `pill ${look}`, 'data-state': state }, word)
}

export class AlarmBody implements Body {
  readonly element = h('div', { class: 'alarm-body', tabindex: 0 })

  set(data: Dict, now: number): void {
    const alarms = list(data['alarms']).map(readAlarm)
    replace(
      this.element,
      alarms.length === 0 && h('p', { class: 'nothing' }, 'No alarms'),
      ...alarms.map((alarm) =>
        h(
          'a',
          { class: 'alarm-line', href: `#alarms?find=${encodeURIComponent(alarm.name)}`, title: alarm.reason || null },
          statePill(alarm.state),
          h('span', { class: 'name' }, alarm.name || alarm.arn),
          alarm.updated > 0 && h('time', { class: 'muted', title: formatStamp(alarm.updated) }, formatAge(now - alarm.updated)),
        ),
      ),
    )
  }
}
