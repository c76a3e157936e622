// A team's own backend: an HTTP server of the test that weir calls. It keeps the events it got.
import http from 'node:http'
import { atEnd, until } from './weir.mjs'

/** `answer(event, {request, path})` gives {status, body, headers} or a text, or nothing at all for no answer ever. */
export async function backend(t, answer) {
  const events = []
  const server = http.createServer(async (request, response) => {
    let text = ''
    for await (const piece of request) text += piece
    const event = text ? JSON.parse(text) : undefined
    events.push({ path: request.url, headers: request.headers, method: request.method, event })
    const given = await answer(event, { request, path: request.url })
    if (given === undefined) return
    const { status = 200, body = '', headers = {} } = typeof given === 'string' ? { body: given } : given
    response.writeHead(status, headers)
    response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(t, () => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    events,
    server,
    event: (path, count = 1) => until(`event ${count} at ${path}`, () => events.filter((e) => e.path === path)[count - 1]),
  }
}
