// The markdown of text widgets: headings, paragraphs, lists, quotes, code, tables, rules, emphasis, links, and CloudWatch's [button:Text](url). A parser that
// makes plain values and a renderer that makes nodes; HTML in the text is text, images are links, and a link leads to http, https or a place in this page.
import { append, h } from './dom.ts'

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'strong' | 'em' | 'strike'; content: Inline[] }
  | { kind: 'link' | 'button'; href: string; content: Inline[] }
  | { kind: 'break' }

export type Block =
  | { kind: 'heading'; level: number; content: Inline[] }
  | { kind: 'paragraph'; content: Inline[] }
  | { kind: 'list'; ordered: boolean; items: Inline[][] }
  | { kind: 'quote'; content: Block[] }
  | { kind: 'code'; text: string }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' }

const DEPTH_MAX = 8
const RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/
const ITEM = /^ {0,6}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/

/** The address when a link may lead there, else null. */
export function safeHref(given: string): string | null {
  const text = given.trim()
  if (/^https?:\/\//i.test(text) || /^[#/](?!\/)/.test(text)) return text
  return null
}

export function parseInline(text: string, depth = 0): Inline[] {
  const out: Inline[] = []
  let plain = ''
  const flush = (): void => {
    if (plain) out.push({ kind: 'text', text: plain })
    plain = ''
  }
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at)
    let match: RegExpExecArray | null
    if ((match = /^\\([\\`*_{}[\]()#+\-.!|~>])/.exec(rest))) {
      plain += match[1]
    } else if ((match = /^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/.exec(rest))) {
      flush()
      out.push({ kind: 'code', text: (match[2] ?? '').trim() })
    } else if (depth < DEPTH_MAX && (match = /^!?\[([^\]]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"]*")?\)/.exec(rest))) {
      const button = /^button:(?:primary:)?/.exec(match[1] ?? '')
      const label = (match[1] ?? '').slice(button ? button[0].length : 0) || (match[2] ?? '')
      const href = safeHref(match[2] ?? '')
      flush()
      if (href === null) out.push(...parseInline(label, depth + 1))
      else out.push({ kind: button ? 'button' : 'link', href, content: parseInline(label, depth + 1) })
    } else if (depth < DEPTH_MAX && (match = /^(\*\*|__)(?=\S)([\s\S]*?\S)\1/.exec(rest))) {
      flush()
      out.push({ kind: 'strong', content: parseInline(match[2] ?? '', depth + 1) })
    } else if (depth < DEPTH_MAX && (match = /^~~(?=\S)([\s\S]*?\S)~~/.exec(rest))) {
      flush()
      out.push({ kind: 'strike', content: parseInline(match[1] ?? '', depth + 1) })
    } else if (depth < DEPTH_MAX && (match = /^\*(?=\S)([^*]*?\S)\*/.exec(rest) ?? (/\w$/.test(text.slice(0, at)) ? null : /^_(?=\S)([^_]*?\S)_(?!\w)/.exec(rest)))) {
      flush()
      out.push({ kind: 'em', content: parseInline(match[1] ?? '', depth + 1) })
    } else if ((match = /^https?:\/\/[^\s<>"')\]]+/.exec(rest))) {
      flush()
      out.push({ kind: 'link', href: match[0], content: [{ kind: 'text', text: match[0] }] })
    } else if ((match = /^ {2,}\n/.exec(rest))) {
      flush()
      out.push({ kind: 'break' })
    } else {
      match = /^[\w\s,;:]+?(?=[^\w\s,;:]|https?:| {2,}\n|$)/.exec(rest)
      plain += (match?.[0] ?? rest[0] ?? '').replace(/\n/g, ' ')
    }
    at += match?.[0].length || 1
  }
  flush()
  return out
}

const cells = (line: string): Inline[][] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => parseInline(cell.trim()))

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.replace(/\r\n?/g, '\n').split('\n')
  const blocks: Block[] = []
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    let match: RegExpExecArray | null
    if (!line.trim()) {
      at++
    } else if ((match = /^ {0,3}(```+|~~~+)/.exec(line))) {
      const fence = match[1] ?? '```'
      const body: string[] = []
      for (at++; at < lines.length && !lines[at]?.trim().startsWith(fence); at++) body.push(lines[at] ?? '')
      at++
      blocks.push({ kind: 'code', text: body.join('\n') })
    } else if ((match = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line))) {
      blocks.push({ kind: 'heading', level: match[1]?.length ?? 1, content: parseInline(match[2] ?? '') })
      at++
    } else if (RULE.test(line)) {
      blocks.push({ kind: 'rule' })
      at++
    } else if (depth < DEPTH_MAX && /^ {0,3}>/.test(line)) {
      const body: string[] = []
      for (; at < lines.length && /^ {0,3}>/.test(lines[at] ?? ''); at++) body.push((lines[at] ?? '').replace(/^ {0,3}> ?/, ''))
      blocks.push({ kind: 'quote', content: parseMarkdown(body.join('\n'), depth + 1) })
    } else if ((match = ITEM.exec(line))) {
      const ordered = match[1] !== undefined
      const items: string[] = []
      for (; at < lines.length && lines[at]?.trim(); at++) {
        const item = ITEM.exec(lines[at] ?? '')
        if (item) items.push(item[2] ?? '')
        else items.push(`${items.pop() ?? ''} ${lines[at]?.trim()}`)
      }
      blocks.push({ kind: 'list', ordered, items: items.map((item) => parseInline(item)) })
    } else if (line.includes('|') && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? '') && (lines[at + 1] ?? '').includes('|')) {
      const head = cells(line)
      const rows: Inline[][][] = []
      for (at += 2; at < lines.length && lines[at]?.includes('|'); at++) rows.push(cells(lines[at] ?? ''))
      blocks.push({ kind: 'table', head, rows })
    } else {
      const body: string[] = []
      for (; at < lines.length && lines[at]?.trim() && (body.length === 0 || !/^ {0,3}(#{1,6}\s|>|```|~~~)/.test(lines[at] ?? '')) && !(body.length > 0 && ITEM.test(lines[at] ?? '')); at++)
        body.push(lines[at] ?? '')
      blocks.push({ kind: 'paragraph', content: parseInline(body.join('\n')) })
    }
  }
  return blocks
}

function inlineNodes(content: readonly Inline[]): Node[] {
  return content.map((piece): Node => {
    switch (piece.kind) {
      case 'text':
        return document.createTextNode(piece.text)
      case 'code':
        return h('code', null, piece.text)
      case 'break':
        return h('br')
      case 'strong':
        return h('strong', null, ...inlineNodes(piece.content))
      case 'em':
        return h('em', null, ...inlineNodes(piece.content))
      case 'strike':
        return h('s', null, ...inlineNodes(piece.content))
      default: {
        const away = /^https?:/i.test(piece.href)
        return h('a', { href: piece.href, class: piece.kind === 'button' ? 'button' : null, target: away ? '_blank' : null, rel: away ? 'noopener noreferrer' : null }, ...inlineNodes(piece.content))
      }
    }
  })
}

const HEADINGS = ['h3', 'h4', 'h5', 'h6', 'h6', 'h6'] as const // the page has its own first two levels

function blockNode(block: Block): Node {
  switch (block.kind) {
    case 'heading':
      return h(HEADINGS[block.level - 1] ?? 'h6', { class: `md-${block.level}` }, ...inlineNodes(block.content))
    case 'paragraph':
      return h('p', null, ...inlineNodes(block.content))
    case 'list':
      return h(block.ordered ? 'ol' : 'ul', null, ...block.items.map((item) => h('li', null, ...inlineNodes(item))))
    case 'quote':
      return h('blockquote', null, ...block.content.map(blockNode))
    case 'code':
      return h('pre', null, h('code', null, block.text))
    case 'rule':
      return h('hr')
    case 'table':
      return h(
        'table',
        null,
        h('thead', null, h('tr', null, ...block.head.map((cell) => h('th', null, ...inlineNodes(cell))))),
        h('tbody', null, ...block.rows.map((row) => h('tr', null, ...row.map((cell) => h('td', null, ...inlineNodes(cell)))))),
      )
  }
}

export function renderMarkdown(text: string): HTMLElement {
  const element = h('div', { class: 'markdown' })
  append(element, parseMarkdown(text).map(blockNode))
  return element
}
