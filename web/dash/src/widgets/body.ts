// What is inside a widget, by its type and view. To add a kind, write a Body and name it in bodyFor.
import type { Dict } from '../context.ts'
import { str } from '../data.ts'
import { h, replace } from '../dom.ts'
import { renderMarkdown } from '../markdown.ts'
import type { Range } from '../time-range.ts'
import { AlarmBody } from './alarm.ts'
import { LogBody } from './log.ts'
import { FiguresBody, LineBody } from './metric.ts'

export interface Body {
  readonly element: HTMLElement
  /** The whole data. */
  set(data: Dict, now: number, range: Range): void
  /** What is new (metrics). */
  append?(data: Dict, now: number, range: Range): void
  /** The visible range has moved. */
  window?(from: number, to: number): void
  /** Colours have changed. */
  redraw?(): void
  destroy?(): void
}

class TextBody implements Body {
  readonly element = h('div', { class: 'text-body', tabindex: 0 })

  set(data: Dict): void {
    this.element.classList.toggle('solid', str(data['background']) === 'solid')
    replace(this.element, renderMarkdown(str(data['markdown'])))
  }
}

/** Kinds that weir stores but does not draw: they say so. */
class SentenceBody implements Body {
  readonly element = h('div', { class: 'state' })

  set(data: Dict): void {
    replace(this.element, h('p', null, str(data['message']) || `A widget of the type “${str(data['type'])}” is not drawn.`))
  }
}

const FIGURES = ['singleValue', 'gauge', 'bar', 'pie', 'table']

export function bodyFor(data: Dict): { kind: string; make: (sync: string) => Body } {
  const type = str(data['type'])
  const view = str(data['view'])
  if (type === 'text') return { kind: 'text', make: () => new TextBody() }
  if (type === 'log') return { kind: `log ${view}`, make: (sync) => new LogBody(sync) }
  if (type === 'alarm') return { kind: 'alarm', make: () => new AlarmBody() }
  if (type === 'metric') return FIGURES.includes(view) ? { kind: 'figures', make: () => new FiguresBody() } : { kind: 'lines', make: (sync) => new LineBody(sync) }
  return { kind: 'sentence', make: () => new SentenceBody() }
}
