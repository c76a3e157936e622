// The address's hash names what is shown: `#dashboards/shop?range=PT1H`.

export interface Place {
  readonly view: string
  readonly argument: string
  readonly params: URLSearchParams
}

export function readPlace(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [view = '', ...rest] = path.split('/')
  let argument = rest.join('/')
  try {
    argument = decodeURIComponent(argument)
  } catch {
    // a hash that somebody typed: taken as it is
  }
  return { view: view || 'overview', argument, params: new URLSearchParams(query) }
}
