// Elements without a framework. Text always becomes a text node, and attributes are set one by one: nothing that comes from outside is ever parsed as HTML.
// There is no `style` attribute here, since the page's policy forbids it; styles of one element go through `element.style`.

export type Child = Node | string | number | null | undefined | false
type Listener = (event: never) => void
export type Props = Record<string, string | number | boolean | null | undefined | Listener>

const SVG = 'http://www.w3.org/2000/svg'

function dress(element: Element, props: Props | null, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2).toLowerCase(), value as EventListener)
    else element.setAttribute(name === 'className' ? 'class' : name, value === true ? '' : String(value))
  }
  append(element, children)
}

export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) if (child !== null && child !== undefined && child !== false) parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)))
}

/** An element: `h('button', {class: 'quiet', onclick: f}, 'Pause')`. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props | null = null, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  dress(element, props, children)
  return element
}

export function svg<K extends keyof SVGElementTagNameMap>(tag: K, props: Props | null = null, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag)
  dress(element, props, children)
  return element
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren()
  append(parent, children)
}

/** Writes a text only when it is another one, so that what a screen reader follows stays quiet. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
