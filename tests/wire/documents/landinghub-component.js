import { initSocket, joinDashboard, onDashboardUpdate } from './utils/socket';

// Initialize connection
const socket = initSocket();

// Join dashboard room
joinDashboard();

// Listen for updates
const cleanup = onDashboardUpdate((data) => {
    console.log('Dashboard update:', data);
    // Refresh your data
});

// Cleanup on unmount
return () => cleanup();
