// The `ws` package as a peer: echo on /echo; /sub subscribes, what comes on /pub goes to all subscribers.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.WS_MODULES, 'x.js'));
const { WebSocketServer } = require('ws');
const subscribers = new Set();
const server = new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (socket, request) => {
  if (request.url.startsWith('/sub')) {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
  } else if (request.url.startsWith('/pub')) {
    socket.on('message', (data, binary) => {
      for (const subscriber of subscribers) subscriber.send(data, { binary });
    });
  } else {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  }
});
