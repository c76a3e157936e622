// All alarms, live from the table weir.alarms: those in alarm first, then those without data, then the others.
import type { Context, View } from '../context.ts'
import { str } from '../data.ts'
import { alarmOf, type Alarm } from '../alarm.ts'
import type { Place } from '../place.ts'
import { h, replace, write } from '../dom.ts'
import { formatAge, formatStamp } from '../format.ts'
import { statePill } from '../widgets/alarm.ts'

const STATES = [['', 'All'], ['ALARM', 'In alarm'], ['INSUFFICIENT_DATA', 'No data'], ['OK', 'OK']] as const
const ORDER: Readonly<Record<string, number>> = { ALARM: 0, INSUFFICIENT_DATA: 1, OK: 2 }

export class AlarmsView implements View {
  readonly title = 'Alarms'
  readonly element: HTMLElement
  private readonly context: Context
  private readonly rows = h('tbody')
  private readonly states = h('div', { class: 'segments', role: 'group', 'aria-label': 'State' })
  private readonly count = h('p', { class: 'foot', role: 'status' })
  private readonly find: HTMLInputElement
  private readonly ends: (() => void)[]
  private readonly timer: ReturnType<typeof setInterval>
  private state: string

  constructor(context: Context, place: Place) {
    this.context = context
    this.state = place.params.get('state') ?? ''
    this.find = h('input', { type: 'search', placeholder: 'Find by name or reason', 'aria-label': 'Find by name or reason', value: place.params.get('find') ?? '', oninput: () => this.draw() })
    this.element = h(
      'div',
      { class: 'view' },
      h('div', { class: 'bar-top' }, h('h1', null, 'Alarms'), this.find, this.states),
      h(
        'div',
        { class: 'panel table-scroll' },
        h('table', { class: 'alarm-table' }, h('thead', null, h('tr', null, ...['State', 'Alarm', 'Reason', 'Since'].map((name) => h('th', { scope: 'col' }, name)))), this.rows),
      ),
      this.count,
    )
    this.ends = [context.connection.onTable(context.alarms, () => this.draw())]
    this.timer = setInterval(() => this.draw(), 30_000)
    this.draw()
  }

  destroy(): void {
    clearInterval(this.timer)
    for (const end of this.ends) end()
  }

  private draw(): void {
    const { alarms } = this.context
    const all = alarms.all().map(alarmOf)
    const wanted = this.find.value.trim().toLowerCase()
    const shown = all
      .filter((alarm) => (this.state === '' || alarm.state === this.state) && `${alarm.name} ${alarm.reason} ${alarm.description}`.toLowerCase().includes(wanted))
      .sort((a, b) => (ORDER[a.state] ?? 3) - (ORDER[b.state] ?? 3) || b.since - a.since || a.name.localeCompare(b.name))
    replace(
      this.states,
      ...STATES.map(([state, word]) => {
        const count = state === '' ? all.length : all.filter((alarm) => alarm.state === state).length
        return h('button', { type: 'button', 'aria-pressed': String(state === this.state), onclick: () => this.choose(state) }, word, ' ', h('span', { class: 'badge' }, count))
      }),
    )
    const nothing = alarms.error ?? (!alarms.ready ? 'Waiting for the alarms' : all.length === 0 ? 'No alarms are defined. PutMetricAlarm makes one.' : 'No alarm is like that.')
    replace(this.rows, ...shown.map((alarm) => this.row(alarm)), shown.length === 0 && h('tr', null, h('td', { colspan: 4, class: 'nothing' }, nothing)))
    write(this.count, shown.length === all.length ? '' : `${shown.length} of ${all.length} alarms`)
  }

  private row(alarm: Alarm): HTMLElement {
    const age = this.context.session.now() - alarm.since
    const notes = [!alarm.actions && 'its actions are off', alarm.suppressed && 'its actions are suppressed'].filter(Boolean).join(', ')
    return h(
      'tr',
      { 'data-alarm': alarm.name },
      h('td', null, statePill(alarm.state)),
      h('td', { class: 'strong' }, alarm.name, alarm.what && h('div', { class: 'muted small' }, alarm.what), notes && h('div', { class: 'muted small' }, notes)),
      h('td', { class: 'wrap' }, alarm.reason || alarm.description || '–'),
      h('td', { class: 'time-cell' }, alarm.since > 0 ? h('time', { title: formatStamp(alarm.since), datetime: new Date(alarm.since).toISOString() }, formatAge(age)) : '–'),
    )
  }

  private choose(state: string): void {
    this.state = str(state)
    this.draw()
  }
}
