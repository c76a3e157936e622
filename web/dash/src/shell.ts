// The frame of the page: name, ways to the views, the state of the connection (always in sight), light and dark. It shows the view that the address names.
// To add a view: a row in VIEWS.
import type { Status } from './connection.ts'
import type { Context, View } from './context.ts'
import { h, replace, svg, write } from './dom.ts'
import { formatClock } from './format.ts'
import { readPlace, type Place } from './place.ts'
import { isDark, switchTheme } from './theme.ts'
import { AlarmsView } from './views/alarms.ts'
import { DashboardView } from './views/dashboard.ts'
import { LogsView } from './views/logs.ts'
import { OverviewView } from './views/overview.ts'
import { SignInView } from './views/sign-in.ts'

interface Entry {
  readonly label: string | null // in the navigation; null: not there
  readonly make: (context: Context, place: Place) => View
}

const VIEWS: Readonly<Record<string, Entry>> = {
  overview: { label: 'Overview', make: (context) => new OverviewView(context) },
  alarms: { label: 'Alarms', make: (context, place) => new AlarmsView(context, place) },
  logs: { label: 'Logs', make: (context, place) => new LogsView(context, place) },
  dashboards: { label: null, make: (context, place) => (place.argument ? new DashboardView(context, place) : new OverviewView(context)) },
}

export class Shell {
  private readonly context: Context
  private readonly main = h('main', { id: 'main', tabindex: -1 })
  private readonly links = new Map<string, HTMLAnchorElement>()
  private readonly nav = h('nav', { 'aria-label': 'Views' })
  private readonly chooser: HTMLSelectElement
  private readonly statusText = h('span')
  private readonly status = h('div', { class: 'status', role: 'status' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), this.statusText)
  private readonly alarmBadge = h('span', { class: 'badge alarm', hidden: true })
  private readonly themeButton: HTMLButtonElement
  private readonly signOutButton: HTMLButtonElement
  private view: View | null = null
  private shown = ''

  constructor(context: Context, signOut: () => void) {
    this.context = context
    this.chooser = h('select', { class: 'chooser', 'aria-label': 'Dashboard', onchange: () => this.chooser.value && (location.hash = `#dashboards/${encodeURIComponent(this.chooser.value)}`) })
    this.themeButton = h('button', { type: 'button', class: 'icon', onclick: () => switchTheme() })
    this.signOutButton = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: signOut }, 'Sign out')
    for (const [name, entry] of Object.entries(VIEWS)) {
      if (entry.label === null) continue
      const link = h('a', { href: `#${name}` }, entry.label, name === 'alarms' && this.alarmBadge)
      this.links.set(name, link)
      this.nav.append(link)
    }
    this.nav.append(this.chooser)
    const logo = svg('svg', { viewBox: '0 0 32 32', 'aria-hidden': 'true' }, svg('path', { d: 'M3 9h9c5 0 4 13 9 13h8', class: 'wave' }), svg('path', { d: 'M3 16h6c4 0 4 7 8 9.5', class: 'wave second' }))
    document.body.replaceChildren(
      h('a', { class: 'skip', href: '#main', onclick: (event: Event) => (event.preventDefault(), this.main.focus()) }, 'To the content'),
      h('header', null, h('a', { class: 'brand', href: '#overview', 'aria-label': 'weir, overview' }, logo, h('span', null, 'weir')), this.nav, h('div', { class: 'right' }, this.status, this.signOutButton, this.themeButton)),
      this.main,
    )
    context.connection.onStatus((status) => this.showStatus(status))
    context.connection.onTable(context.dashboards, () => this.showDashboards())
    context.connection.onTable(context.alarms, () => this.showAlarms())
    context.onTheme(() => this.showTheme())
    addEventListener('hashchange', () => this.go())
    this.showTheme()
    this.go()
  }

  private go(): void {
    const place = readPlace(location.hash)
    const signedOut = this.context.connection.status.phase === 'signed-out'
    const wanted = signedOut ? 'sign-in' : location.hash
    if (this.view && wanted === this.shown) return
    this.shown = wanted
    this.view?.destroy()
    this.view = signedOut ? new SignInView(this.context) : (VIEWS[place.view] ?? (VIEWS['overview'] as Entry)).make(this.context, place)
    replace(this.main, this.view.element)
    document.title = `${this.view.title} · weir`
    for (const [name, link] of this.links) {
      if (!signedOut && name === place.view) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    this.nav.hidden = signedOut
    this.showDashboards()
    scrollTo(0, 0)
  }

  private showStatus(status: Status): void {
    const said = {
      connecting: 'connecting',
      live: 'live',
      reconnecting: `reconnecting since ${formatClock(status.since)}`,
      'signed-out': 'signed out',
    }[status.phase]
    this.status.dataset['phase'] = status.phase
    this.status.title = status.phase === 'reconnecting' ? `Attempt ${status.attempt}. What is shown is as it was; nothing is lost meanwhile.` : `since ${formatClock(status.since)}`
    write(this.statusText, said)
    this.main.classList.toggle('stale', status.phase === 'reconnecting')
    this.signOutButton.hidden = this.context.session.keys === null || status.phase === 'signed-out'
    if (this.view) this.go()
  }

  private showDashboards(): void {
    const names = this.context.dashboards.all().map((row) => String(row['name'])).sort((a, b) => a.localeCompare(b))
    const place = readPlace(location.hash)
    const current = place.view === 'dashboards' ? place.argument : ''
    replace(this.chooser, h('option', { value: '', selected: !current }, 'Dashboards…'), ...names.map((name) => h('option', { value: name, selected: name === current }, name)))
    this.chooser.classList.toggle('current', current !== '')
  }

  private showAlarms(): void {
    const on = this.context.alarms.all().filter((row) => row['state'] === 'ALARM').length
    this.alarmBadge.hidden = on === 0
    write(this.alarmBadge, String(on))
    this.alarmBadge.setAttribute('aria-label', `${on} in alarm`)
  }

  private showTheme(): void {
    const dark = isDark()
    this.themeButton.setAttribute('aria-label', dark ? 'Light colours' : 'Dark colours')
    replace(
      this.themeButton,
      dark
        ? svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('circle', { cx: 12, cy: 12, r: 4.5 }), svg('path', { d: 'M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2' }))
        : svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('path', { d: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z' })),
    )
  }
}
