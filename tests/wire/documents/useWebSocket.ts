// apps/game/composables/useWebSocket.ts
import { ref } from 'vue'

export const useWebSocket = () => {
  const ws = ref<WebSocket | null>(null)
  const connected = ref(false)

  const connect = (userId: string) => {
    const wsUrl = `${process.env.WEBSOCKET_URL}?userId=${userId}`

    ws.value = new WebSocket(wsUrl)

    ws.value.onopen = () => {
      connected.value = true
      console.log('WebSocket connected')
    }

    ws.value.onclose = () => {
      connected.value = false
      console.log('WebSocket disconnected')
    }

    ws.value.onerror = (error) => {
      console.error('WebSocket error:', error)
    }

    ws.value.onmessage = (event) => {
      const message = JSON.parse(event.data)
      console.log('Message received:', message)
    }
  }

  const sendMessage = (action: string, data: any) => {
    if (ws.value && connected.value) {
      ws.value.send(JSON.stringify({ action, data }))
    }
  }

  const logPerformance = (metricName: string, duration: number, metadata = {}) => {
    sendMessage('logPerformance', {
      userId: 'current-user-id', // Get from auth
      metricName,
      duration,
      timestamp: Date.now(),
      metadata,
    })
  }

  const updateLeaderboard = (gameMode: string, score: number, playerName: string) => {
    sendMessage('updateLeaderboard', {
      userId: 'current-user-id',
      gameMode,
      score,
      playerName,
      timestamp: Date.now(),
    })
  }

  const getUserStats = (userId: string) => {
    sendMessage('getUserStats', { userId })
  }

  const disconnect = () => {
    if (ws.value) {
      ws.value.close()
    }
  }

  return {
    connected,
    connect,
    disconnect,
    logPerformance,
    updateLeaderboard,
    getUserStats,
  }
}
