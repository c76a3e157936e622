// A page in Chromium: it shows its token as a message, asks, is cut off, comes back and finds the conversation.
// CH-1 … CH-3, AU-5, CL-1
import test from 'node:test'
import assert from 'node:assert/strict'
import { quiet, start, until } from './lib/weir.mjs'
import { browserPage } from './lib/browser.mjs'
import { backend } from './lib/backend.mjs'
import { seconds, secret, token } from './lib/token.mjs'

/* In the page. */
function converse({ url, given, action }) {
  globalThis.events = []
  globalThis.ws = new WebSocket(url)
  globalThis.ws.onmessage = ({ data }) => {
    const event = JSON.parse(data)
    globalThis.events.push(event)
    if (event.type === 'ack' && event.action === 'auth') globalThis.ws.send(JSON.stringify(action))
  }
  globalThis.ws.onclose = () => globalThis.events.push({ type: 'closed' })
  globalThis.ws.onopen = () => globalThis.ws.send(JSON.stringify({ type: 'auth', token: given }))
}

test('a conversation in Chromium, over a crash', { timeout: 600000 }, async (t) => {
  let alive = false
  const bot = await backend(t, ({ message }) => (alive ? { body: { message: `You said: ${message}` } } : undefined))
  const server = await start(t, { config: `
apps:
  conversation:
    jwt: {secret: "${secret}"}
    bot: {webhook: "${bot.url}"}
` })
  const page = await browserPage(t)
  const begin = async (action) => page.evaluate(converse, { url: `${server.ws}/conversation`, given: token({ sub: 'ada', exp: seconds(await server.now(), 600) }), action })
  const event = (type, more = () => true) => until(`${type} in the page`, () => page.evaluate('events').then((events) => events.find((e) => e.type === type && more(e))))
  await begin({ type: 'message', message: 'Hello 👋' })
  const { messageId, sessionId } = await event('ack', (e) => e.messageId)
  await until('the question', () => bot.events.length)
  await server.kill9()
  await event('closed')
  alive = true
  await server.restart()
  await until('the answer', async () => {
    await begin({ type: 'history' })
    const { sessionId: found, messages } = await event('history')
    await page.evaluate('ws.close()')
    await event('closed')
    assert.equal(found, sessionId)
    assert.deepEqual([messages[0].messageId, messages[0].message], [messageId, 'Hello 👋'])
    return messages[1]?.message === 'You said: Hello 👋' && messages[1].replyTo === messageId
  }, { every: 200 })
  await quiet(server)
})
