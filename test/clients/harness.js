'use strict';
// What the scenarios share: waiting with a deadline, and one face for the two
// libraries. A scenario is a process: status 0 is success, anything on standard
// error explains the rest.

const assert = require('node:assert/strict');
const WS = require('ws');
const { client: WebSocketClient } = require('websocket');

const PATIENCE = 15000; // longest wait; none is expected to last

// Inbox is a queue with a waiting end.
class Inbox {
  #items = [];
  #waiter = null;
  put(item) {
    if (this.#waiter) {
      const resolve = this.#waiter;
      this.#waiter = null;
      resolve(item);
    } else {
      this.#items.push(item);
    }
  }
  get size() { return this.#items.length; }
  next(what = 'anything') {
    if (this.#items.length) return Promise.resolve(this.#items.shift());
    return within(new Promise((resolve) => { this.#waiter = resolve; }), what);
  }
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// isControl tells nv-session's own messages, which a foreign client ignores.
function isControl(text) {
  return text.startsWith('{"___type___":"___');
}

// Both connections have: messages (Inbox of strings and Buffers), pings, pongs
// and closed (Inboxes), send(data), fragments(parts), ping(data), close(code,
// reason).

async function connectWS(url, options = {}) {
  const sock = new WS(url, options.protocols || [], options);
  const c = { name: 'ws', sock, messages: new Inbox(), control: new Inbox(), pings: new Inbox(), pongs: new Inbox(), closed: new Inbox() };
  sock.on('message', (data, binary) => {
    if (binary) c.messages.put(data);
    else if (isControl(data.toString())) c.control.put(JSON.parse(data.toString()));
    else c.messages.put(data.toString());
  });
  sock.on('ping', (data) => c.pings.put(data.toString()));
  sock.on('pong', (data) => c.pongs.put(data.toString()));
  sock.on('close', (code, reason) => c.closed.put([code, reason.toString()]));
  c.send = (data) => sock.send(data);
  c.fragments = (parts) => parts.forEach((p, i) => sock.send(p, { fin: i === parts.length - 1, binary: Buffer.isBuffer(p) }));
  c.ping = (data) => sock.ping(data);
  c.close = (code, reason) => sock.close(code, reason);
  await within(new Promise((resolve, reject) => {
    sock.on('open', resolve);
    sock.on('error', reject);
  }), 'open');
  return c;
}

async function connectWebSocket(url, options = {}) {
  const client = new WebSocketClient({ maxReceivedFrameSize: 1 << 24, maxReceivedMessageSize: 1 << 24, ...options });
  const conn = await within(new Promise((resolve, reject) => {
    client.on('connect', resolve);
    client.on('connectFailed', reject);
    client.connect(url, options.protocols, options.origin, options.headers);
  }), 'connect');
  // As stock nv-session clients do, the listeners come one turn of the loop
  // after the connection: what has arrived by then is lost on them.
  const c = { name: 'websocket', conn, messages: new Inbox(), control: new Inbox(), pings: new Inbox(), pongs: new Inbox(), closed: new Inbox() };
  conn.on('message', (m) => {
    if (m.type === 'binary') c.messages.put(m.binaryData);
    else if (isControl(m.utf8Data)) c.control.put(JSON.parse(m.utf8Data));
    else c.messages.put(m.utf8Data);
  });
  conn.on('ping', (cancel, data) => c.pings.put(data.toString()));
  conn.on('pong', (data) => c.pongs.put(data.toString()));
  conn.on('close', (code, reason) => c.closed.put([code, reason]));
  conn.on('error', () => {});
  c.send = (data) => (Buffer.isBuffer(data) ? conn.sendBytes(data) : conn.sendUTF(data));
  c.fragments = (parts) => parts.forEach((p, i) => {
    const frame = new (require('websocket').frame)(Buffer.alloc(4), Buffer.alloc(14), { maxReceivedFrameSize: 1 << 24 });
    frame.opcode = i > 0 ? 0 : Buffer.isBuffer(p) ? 2 : 1;
    frame.binaryPayload = Buffer.from(p);
    frame.fin = i === parts.length - 1;
    frame.mask = true;
    conn.sendFrame(frame);
  });
  c.ping = (data) => conn.ping(data);
  c.close = (code, reason) => conn.close(code, reason);
  return c;
}

const libraries = { ws: connectWS, websocket: connectWebSocket };

function run(main) {
  main(process.argv.slice(2)).then(
    () => process.exit(0),
    (err) => { console.error(err.stack || err); process.exit(1); },
  );
}

// say tells the test that started the process how far it is.
function say(line) { process.stdout.write(`${line}\n`); }

module.exports = { assert, Inbox, within, libraries, run, say };
