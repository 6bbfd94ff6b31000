'use strict';
// node cfg.js LIBRARY URL INTERVAL COUNT: the server's ___cfg___ reaches every one
// of so many clients, those too that listen, as stock nv-session Node clients do,
// a turn of the event loop after the connection is there.
const { assert, libraries, run, say } = require('./harness');

run(async ([library, url, ms, count]) => {
  const ids = new Set();
  for (let i = 0; i < Number(count); i++) {
    const c = await libraries[library](url);
    const m = await c.control.next(`___cfg___ of client ${i}`);
    assert.equal(m.___type___, '___cfg___', 'it was missed');
    assert.deepEqual(Object.keys(m), ['___type___', '___data___']);
    assert.deepEqual(Object.keys(m.___data___), ['sessid', 'keepaliveInterval']);
    assert.match(m.___data___.sessid, /^[\w-]{64}$/);
    assert.equal(m.___data___.keepaliveInterval, Number(ms));
    ids.add(m.___data___.sessid);
  }
  assert.equal(ids.size, Number(count), 'each its own');
  say([...ids].at(-1));
});
