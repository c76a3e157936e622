// The first view: what this server is, who is connected and how much they say, which alarms are on, which dashboards there are.
import { alarmOf } from '../alarm.ts'
import { seriesColor } from '../charts/palette.ts'
import { sparkline } from '../charts/simple.ts'
import type { Context, Dict, Facts, View } from '../context.ts'
import { num, str, type Point } from '../data.ts'
import { h, replace } from '../dom.ts'
import { formatAge, formatBytes, formatDuration, formatInteger, formatValue } from '../format.ts'
import type { Json } from '../message.ts'
import { chooseRange } from '../time-range.ts'
import { statePill } from '../widgets/alarm.ts'
import { WidgetFrame } from '../widgets/frame.ts'

const SPARK_MS = 120_000
const SPARK_LEAST_MS = 20_000 // a young page's line does not begin as a dot at the right
const ALARMS_SHOWN = 6

const APIS_CHARTED = 12
const HOUR = chooseRange('PT1H', '')

type Moment = Facts['history'][number]

const chart = (title: string, metrics: Json[], stacked: boolean): Dict => ({ type: 'metric', width: 12, height: 6, properties: { title, view: 'timeSeries', stacked, period: 60, metrics } })

/** Widgets as a dashboard would have them, of the figures in docs/figures.md. */
function ownFigures(apis: readonly string[]): Dict[] {
  const each = (metric: string, stat: string): Json[] => apis.map((api) => ['AWS/ApiGateway', metric, 'ApiId', api, { stat, label: api }])
  const commit = (metric: string, stat: string, label: string): Json => ['Weir', metric, { stat, label }]
  return [
    chart('Messages a minute', each('MessageCount', 'Sum'), true),
    chart('Handlers, 99th percentile', each('IntegrationLatency', 'p99'), false),
    chart('Commits', [commit('TickDuration', 'p50', 'Commit, median'), commit('TickDuration', 'p99', 'Commit, p99'), commit('FsyncDuration', 'p99', 'Journal sync, p99')], false),
  ]
}

export class OverviewView implements View {
  readonly title = 'Overview'
  readonly element: HTMLElement
  private readonly context: Context
  private readonly tiles = h('div', { class: 'tiles' })
  private readonly facts = h('dl', { class: 'facts' })
  private readonly apis = h('tbody')
  private readonly alarms = h('div', { class: 'alarm-summary' })
  private readonly dashboards = h('ul', { class: 'plain-list' })
  private readonly figures = h('div', { class: 'figures' })
  private readonly ends: (() => void)[]
  private readonly timer: ReturnType<typeof setInterval>
  private frames: WidgetFrame[] = []
  private charted = ''

  constructor(context: Context) {
    this.context = context
    const column = (name: string, number = true): HTMLElement => h('th', { scope: 'col', class: number ? 'number-cell' : null }, name)
    this.element = h(
      'div',
      { class: 'view' },
      h('h1', { class: 'hidden-text' }, 'Overview'),
      this.tiles,
      h(
        'div',
        { class: 'overview' },
        h(
          'div',
          { class: 'wide' },
          h(
            'section',
            { class: 'panel', 'aria-label': 'APIs' },
            h('h2', null, 'APIs'),
            h('div', { class: 'table-scroll' }, h('table', { class: 'apis' }, h('thead', null, h('tr', null, column('API', false), column('Connections'), column('In / s'), column('Out / s'), column('Two minutes'))), this.apis)),
          ),
          this.figures,
        ),
        h(
          'div',
          { class: 'side' },
          h('section', { class: 'panel', 'aria-label': 'Alarms' }, h('h2', null, h('a', { href: '#alarms' }, 'Alarms')), this.alarms),
          h('section', { class: 'panel', 'aria-label': 'Dashboards' }, h('h2', null, 'Dashboards'), this.dashboards),
          h('section', { class: 'panel', 'aria-label': 'Server' }, h('h2', null, 'Server'), this.facts),
        ),
      ),
    )
    this.ends = [
      context.onFacts(() => this.drawFacts()),
      context.onTheme(() => {
        this.drawFacts()
        for (const frame of this.frames) frame.redraw()
      }),
      context.connection.onTable(context.alarms, () => this.drawAlarms()),
      context.connection.onTable(context.dashboards, () => this.drawDashboards()),
    ]
    this.timer = setInterval(() => {
      for (const frame of this.frames) frame.tick(context.session.now())
    }, 1000)
    this.drawFacts()
    this.drawAlarms()
    this.drawDashboards()
  }

  destroy(): void {
    clearInterval(this.timer)
    for (const frame of this.frames) frame.destroy()
    for (const end of this.ends) end()
  }

  /** Charts of the server's own figures, made once it is known which APIs there are. */
  private drawFigures(apis: readonly string[]): void {
    if (apis.join() === this.charted) return
    this.charted = apis.join()
    for (const frame of this.frames) frame.destroy()
    this.frames = ownFigures(apis.slice(0, APIS_CHARTED)).map((spec, index) => new WidgetFrame(this.context, { dashboard: null, index, spec }, HOUR))
    replace(this.figures, ...this.frames.map((frame) => frame.element))
  }

  private spark(read: (moment: Moment) => number, color: number): SVGSVGElement {
    const { history } = this.context.facts
    const now = history[history.length - 1]?.time ?? 0
    const from = Math.min(now - SPARK_LEAST_MS, Math.max(now - SPARK_MS, history[0]?.time ?? 0))
    return sparkline(history.map((moment): Point => [moment.time, read(moment)]), from, now, seriesColor(color, null))
  }

  private tile(name: string, value: string, spark: SVGSVGElement | null, id: string): HTMLElement {
    const space = value.search(/[\u202f ]/)
    const figure = space < 0 ? [value] : [value.slice(0, space), h('span', { class: 'unit' }, value.slice(space + 1))]
    return h('div', { class: 'panel tile', 'data-tile': id }, h('div', { class: 'name' }, name), h('div', { class: 'figure' }, ...figure), spark)
  }

  private drawFacts(): void {
    const { server, apis } = this.context.facts
    if (server) this.drawFigures(apis.map((api) => api.name))
    replace(
      this.tiles,
      this.tile('Connections', server ? formatInteger(server.connections) : '–', this.spark((moment) => moment.connections, 0), 'connections'),
      this.tile('Messages in', server ? `${formatValue(server.messagesIn)} /s` : '–', this.spark((moment) => moment.messagesIn, 2), 'in'),
      this.tile('Messages out', server ? `${formatValue(server.messagesOut)} /s` : '–', this.spark((moment) => moment.messagesOut, 1), 'out'),
      this.tile('Memory', server ? formatBytes(server.memory) : '–', this.spark((moment) => moment.memory, 6), 'memory'),
    )
    replace(
      this.apis,
      ...apis.map((api) => {
        return h(
          'tr',
          { 'data-api': api.name },
          h('td', { class: 'strong' }, api.name),
          h('td', { class: 'number-cell' }, formatInteger(api.connections)),
          h('td', { class: 'number-cell' }, formatValue(api.messagesIn)),
          h('td', { class: 'number-cell' }, formatValue(api.messagesOut)),
          h('td', { class: 'spark-cell' }, this.spark((moment) => moment.apis.get(api.name) ?? 0, 0)),
        )
      }),
      apis.length === 0 && h('tr', null, h('td', { colspan: 5, class: 'nothing' }, server ? 'No APIs are mounted.' : 'Waiting for the server')),
    )
    const rows: [string, string][] = server
      ? [
          ['Version', server.version],
          ['Environment', server.env],
          ['Region', server.region],
          ['Account', server.account],
          ['Running for', formatDuration(server.uptimeMs)],
          ['Disk free', formatBytes(server.diskFree)],
          ['Commits', formatInteger(server.sequence)],
        ]
      : []
    replace(this.facts, ...rows.flatMap(([name, value]) => [h('dt', null, name), h('dd', null, value)]))
  }

  private drawAlarms(): void {
    const { alarms } = this.context
    const all = alarms.all().map(alarmOf)
    const count = (state: string): number => all.filter((alarm) => alarm.state === state).length
    const on = all.filter((alarm) => alarm.state === 'ALARM').sort((a, b) => b.since - a.since)
    replace(
      this.alarms,
      h(
        'div',
        { class: 'counts' },
        ...[['ALARM', 'in alarm'], ['INSUFFICIENT_DATA', 'no data'], ['OK', 'OK']].map(([state, word]) =>
          h('a', { class: `count ${state === 'ALARM' && count('ALARM') > 0 ? 'alarm' : ''}`, href: `#alarms?state=${state}` }, h('span', { class: 'figure' }, alarms.ready ? count(state ?? '') : '–'), h('span', { class: 'name' }, word ?? '')),
        ),
      ),
      ...on.slice(0, ALARMS_SHOWN).map((alarm) => h('a', { class: 'alarm-line', href: `#alarms?find=${encodeURIComponent(alarm.name)}`, title: alarm.reason }, statePill(alarm.state), h('span', { class: 'name' }, alarm.name))),
      on.length > ALARMS_SHOWN && h('a', { class: 'muted', href: '#alarms?state=ALARM' }, `${on.length - ALARMS_SHOWN} more`),
      alarms.error !== null && h('p', { class: 'nothing' }, alarms.error),
    )
  }

  private drawDashboards(): void {
    const { dashboards, session } = this.context
    const rows = dashboards.all().sort((a, b) => str(a['name']).localeCompare(str(b['name'])))
    replace(
      this.dashboards,
      ...rows.map((row) => {
        const name = str(row['name'])
        const modified = num(row['modified'])
        return h('li', null, h('a', { href: `#dashboards/${encodeURIComponent(name)}` }, name), modified !== null && h('span', { class: 'muted small' }, formatAge(session.now() - modified)))
      }),
      rows.length === 0 && h('li', { class: 'nothing' }, dashboards.error ?? (dashboards.ready ? 'No dashboards. PutDashboard makes one.' : 'Waiting for the dashboards')),
    )
  }
}
