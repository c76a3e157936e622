// utils/socket as the LandingHub document describes it: the connection and the emitter under the names that its components use.
const listeners = new Map()
let ws = null

const on = (event, callback) => {
  if (!listeners.has(event)) listeners.set(event, new Set())
  listeners.get(event).add(callback)
  return () => listeners.get(event).delete(callback)
}

export const initSocket = () => {
  ws = new WebSocket(url + '?token=' + token)
  ws.onmessage = (message) => {
    const { event, data } = JSON.parse(message.data)
    for (const callback of listeners.get(event) ?? []) callback(data)
  }
  return ws
}

const emit = (event, data) => {
  const send = () => ws.send(JSON.stringify({ action: event, ...data }))
  if (ws.readyState === WebSocket.OPEN) send()
  else ws.addEventListener('open', send)
}

export const joinDashboard = () => emit('dashboard:join')
export const onDashboardUpdate = (callback) => on('dashboard:update', callback)
