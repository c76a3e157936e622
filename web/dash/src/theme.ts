// Light or dark: as the system says, or as the switch says, which this browser remembers.
const NAME = 'weir.theme'
type Theme = 'auto' | 'light' | 'dark'
const listeners = new Set<() => void>()
const system = matchMedia('(prefers-color-scheme: dark)')

function read(): Theme {
  const kept = localStorage.getItem(NAME)
  return kept === 'light' || kept === 'dark' ? kept : 'auto'
}

function apply(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme === 'auto' ? (system.matches ? 'dark' : 'light') : theme
  for (const listener of listeners) listener()
}

export function startTheme(): void {
  apply(read())
  system.addEventListener('change', () => read() === 'auto' && apply('auto'))
}

export const isDark = (): boolean => document.documentElement.dataset['theme'] === 'dark'

/** To the other one of what is seen; back to the system's when that is the same. */
export function switchTheme(): void {
  const wanted: Theme = isDark() ? 'light' : 'dark'
  if ((wanted === 'dark') === system.matches) localStorage.removeItem(NAME)
  else localStorage.setItem(NAME, wanted)
  apply(read())
}

export function onTheme(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
