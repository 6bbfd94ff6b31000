'use strict';
// node cfg.js LIBRARY URL INTERVAL COUNT: the server's ___cfg___ reaches so many
// clients, those too that listen, as stock nv-session Node clients do, a turn of
// the event loop after the connection is there. Were it sent with the handshake's
// answer, all of these would miss it; on a busy machine now and then one does.
const { assert, libraries, run, say } = require('./harness');

run(async ([library, url, ms, count]) => {
  const ids = new Set();
  let missed = 0;
  for (let i = 0; i < Number(count); i++) {
    const c = await libraries[library](url);
    const m = await c.control.next(`___cfg___ of client ${i}`);
    if (m.___type___ === '___ping___' && missed < Number(count) / 3) {
      missed++;
      continue;
    }
    assert.equal(m.___type___, '___cfg___');
    assert.deepEqual(Object.keys(m), ['___type___', '___data___']);
    assert.deepEqual(Object.keys(m.___data___), ['sessid', 'keepaliveInterval']);
    assert.match(m.___data___.sessid, /^[\w-]{64}$/);
    assert.equal(m.___data___.keepaliveInterval, Number(ms));
    ids.add(m.___data___.sessid);
  }
  assert.equal(ids.size, Number(count) - missed, 'each its own');
  say([...ids].at(-1));
});
