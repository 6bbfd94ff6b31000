'use strict';

// The npm package websocket, set up and used as nv-session-simple does: two timers
// for each session, every text parsed as JSON, every JSON message printed again
// for each recipient, the request kept with its session. Two things are
// left out, both in its favour: the pacing of handshakes, which caps them at
// 2,500 a second, and a fresh timer for each renewal (refresh() costs less). In
// mode answer it forwards each JSON message as in mode forward and answers it.

const http = require('http');
const crypto = require('crypto');
const { server: WebSocketServer } = require('websocket');
const { parse, serve } = require('./flags');

const flags = parse({ keepalive: '20s' }, 'answer');
const interval = flags.keepaliveMillis;

const httpServer = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
const wsServer = new WebSocketServer({
  httpServer,
  autoAcceptConnections: false,
  maxReceivedFrameSize: 0x10000,
  maxReceivedMessageSize: 0x100000,
  fragmentationThreshold: 0x4000,
  keepalive: interval > 0,
  keepaliveInterval: interval || 20000,
  keepaliveGracePeriod: 10000,
  dropConnectionOnKeepaliveTimeout: true,
});

// Random bytes are drawn in bulk: one system call for many ids.
const pool = Buffer.allocUnsafe(48 * 256);
let used = pool.length;
function newID() {
  if (used === pool.length) {
    crypto.randomFillSync(pool);
    used = 0;
  }
  used += 48;
  return pool.toString('base64url', used - 48, used);
}

function envelope(type) {
  return JSON.stringify({ ___type___: type, ___id___: newID(), ___data___: JSON.stringify(interval) });
}

// asObject gives the object or array a text holds, nothing if it holds another value.
function asObject(text) {
  try {
    const value = JSON.parse(text);
    return value instanceof Object ? value : undefined;
  } catch {
    return undefined;
  }
}

const sessions = new Map();

class Session {
  constructor(request, conn) {
    this.id = newID();
    this.request = request;
    this.conn = conn;
    if (interval > 0) this.keepAlive();
  }

  keepAlive() {
    const ping = envelope('___ping___');
    this.pinger = setInterval(() => this.conn.connected && this.conn.send(ping), interval / 2);
    this.silence = setTimeout(() => {
      if (this.conn.connected) this.conn.send(ping);
      setTimeout(() => this.conn.close(), 0);
    }, interval);
    const cfg = { ___type___: '___cfg___', ___data___: { sessid: this.id, keepaliveInterval: interval } };
    this.conn.send(JSON.stringify(cfg));
  }

  end() {
    clearInterval(this.pinger);
    clearTimeout(this.silence);
    sessions.delete(this);
  }

  receive(message) {
    this.silence?.refresh();
    if (message.type === 'binary') {
      this.deliver((conn) => conn.sendBytes(message.binaryData));
      return;
    }
    const object = asObject(message.utf8Data);
    if (object === undefined) {
      this.deliver((conn) => conn.send(message.utf8Data));
      return;
    }
    switch (object.___type___) {
      case '___ping___':
        this.conn.send(envelope('___pong___'));
        break;
      case '___pong___':
      case '___cfg___':
        break;
      default:
        this.deliver((conn) => conn.send(JSON.stringify(object)));
        if (flags.mode === 'answer') this.conn.send(JSON.stringify({ answer: object.n }));
    }
  }

  deliver(send) {
    if (flags.mode === 'echo') {
      send(this.conn);
    } else if (flags.mode === 'forward' || flags.mode === 'answer') {
      const others = Array.from(sessions.keys()).filter((s) => s !== this);
      others.forEach((s) => send(s.conn));
    }
  }
}

wsServer.on('request', (request) => {
  const conn = request.accept(undefined, request.origin);
  const session = new Session(request, conn);
  sessions.set(session, session.id);
  conn.on('message', (message) => session.receive(message));
  conn.on('error', () => session.end());
  conn.on('close', () => session.end());
});

serve(httpServer, flags);
