'use strict';
// node stock.js URL INTERVAL: what a stock nv-session Node client does on the
// wire with keepalive on: the envelopes of docs/protocol.md, on npm websocket.
// It says "ready", and the test asks it with ___sreq___; it says "silent", and
// the test waits until the server gives it up. A line of input ends each.
const { randomBytes } = require('node:crypto');
const { createInterface } = require('node:readline');
const { assert, libraries, run, say, within } = require('./harness');

const newID = () => randomBytes(48).toString('base64url');
const envelope = (type, data, id = newID()) => JSON.stringify({ ___type___: type, ___id___: id, ___data___: data });

run(async ([url, ms]) => {
  const interval = Number(ms);
  const c = await libraries.websocket(url);
  const seen = { ping: 0, pong: 0, sreq: 0 };
  const waiting = new Map();
  (async () => {
    for (;;) {
      const m = await c.control.next('a server that pings');
      const { ___type___: type, ___id___: id, ___data___: data } = m;
      if (type !== '___cfg___') assert.match(id, /^[\w-]{64}$/);
      switch (type) {
        case '___cfg___':
          break; // see cfg.js
        case '___ping___':
          assert.equal(data, String(interval), 'the interval is a string');
          seen.ping++;
          c.send(envelope('___pong___', JSON.stringify(interval)));
          break;
        case '___pong___':
          assert.equal(data, String(interval), 'the interval is a string');
          seen.pong++;
          break;
        case '___sreq___':
          seen.sreq++;
          c.send(envelope('___cres___', { echo: data }, id));
          break;
        case '___sres___':
          waiting.get(id)?.(m);
          waiting.delete(id);
          break;
        default:
          throw new Error(`a client never gets ${type}`);
      }
    }
  })().catch((err) => { console.error(err.stack); process.exit(1); });

  c.send(JSON.stringify({ ___type___: '___cfg___', ___data___: { sessid: newID(), keepaliveInterval: interval } }));
  const pinging = setInterval(() => {
    c.send(envelope('___ping___', JSON.stringify(interval)));
    c.ping('');
  }, interval / 4);


  // A must-reply request each way; the answer is the whole envelope.
  const id = newID();
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  c.send(envelope('___creq___', { kkkk: 'hi' }, id));
  assert.deepEqual(await within(answer, '___sres___'), { ___type___: '___sres___', ___id___: id, ___data___: { kkkk: 'hi' } });

  say('ready');
  const lines = createInterface(process.stdin)[Symbol.asyncIterator]();
  await lines.next();

  // Alive after three intervals and more, both sides pinging.
  while (seen.ping < 7 || seen.pong < 13) {
    assert.equal(c.closed.size, 0, 'closed by the server');
    await new Promise((resolve) => c.conn.once('message', resolve));
  }
  assert.equal(seen.sreq, 2);

  // As if the network were gone: no answer to anything, pongs of the library
  // included. The test says when the server has given it up.
  clearInterval(pinging);
  c.conn.socket.pause();
  say('silent');
  await lines.next();
  c.conn.socket.resume();
  await c.closed.next('the close of the server');
});
