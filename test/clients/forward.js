'use strict';
// node forward.js LIBRARY URL: three clients of a daemon in forward mode, as in
// nv-session-simple's first example.
const { assert, libraries, run, say } = require('./harness');

run(async ([library, url]) => {
  const connect = libraries[library];
  // Of each library one is there at least.
  const all = [await connect(url), await connect(url), await libraries[library === 'ws' ? 'websocket' : 'ws'](url)];
  const big = 'x'.repeat(200000);
  for (const [i, c] of all.entries()) {
    const others = all.filter((o) => o !== c);
    for (const message of [`{"forward":true,"src":"c${i}"}`, `plain ${i}`, Buffer.from([i, 0, 255]), `${i}${big}`, Buffer.alloc(200000, i)]) {
      c.send(message);
      for (const o of others) assert.deepEqual(await o.messages.next(`message of c${i}`), message);
    }
    // Its own never come back, and protocol messages go to nobody.
    c.send('{"___type___":"___pong___","___id___":"x","___data___":"20000"}');
    c.send('{"___type___":"___other___","src":' + i + '}');
    for (const o of others) {
      for (let m = {}; m.___type___ !== '___other___';) {
        m = await o.control.next('a message of unknown type, which is ordinary JSON');
        assert.notEqual(m.___id___, 'x', 'a protocol message was forwarded');
      }
    }
    c.ping('sync');
    await c.pongs.next('pong');
    assert.equal(c.messages.size, 0, 'a message came back to its sender');
  }
  say('done');
  for (const c of all) c.close(1000, '');
  for (const c of all) assert.equal((await c.closed.next('the end'))[0], 1000);
});
