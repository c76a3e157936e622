// Example WebSocket client connection
const ws = new WebSocket('wss://{api-id}.execute-api.{region}.amazonaws.com/prod');

ws.onopen = () => {
  console.log('Connected to WebSocket');
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  console.log('Received event:', data);
  
  switch (data.type) {
    case 'workflow.started':
      // Handle workflow started
      break;
    case 'tournament.registered':
      // Handle tournament registered
      break;
    case 'players.assigned':
      // Handle players assigned
      break;
    case 'teams.locked':
      // Handle teams locked
      break;
  }
};

ws.onerror = (error) => {
  console.error('WebSocket error:', error);
};

ws.onclose = () => {
  console.log('WebSocket disconnected');
  // Implement reconnection logic
};
