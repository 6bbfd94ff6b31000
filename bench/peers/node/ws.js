'use strict';

// A plain server on ws, as its documentation shows it: no compression (its
// default), messages sent on as they came. It has no keepalive of its own.

const http = require('http');
const { WebSocketServer, WebSocket } = require('ws');
const { parse, serve } = require('./flags');

const flags = parse({});
if (flags.keepaliveMillis) throw new Error('ws.js has no -keepalive');

const server = http.createServer();
const wss = new WebSocketServer({ server });

wss.on('connection', (conn) => {
  conn.on('error', () => {});
  if (flags.mode === 'echo') {
    conn.on('message', (data, isBinary) => conn.send(data, { binary: isBinary }));
  } else if (flags.mode === 'forward') {
    conn.on('message', (data, isBinary) => {
      for (const other of wss.clients) {
        if (other !== conn && other.readyState === WebSocket.OPEN) {
          other.send(data, { binary: isBinary });
        }
      }
    });
  }
});

serve(server, flags);
