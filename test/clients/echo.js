'use strict';
// node echo.js LIBRARY URL [EXTENSIONS OPTIONS]: against a daemon in echo mode. OPTIONS
// are the library's, in JSON; EXTENSIONS is what must be agreed on.
const { assert, libraries, run } = require('./harness');

run(async ([library, url, extensions, options]) => {
  const c = await libraries[library](url, options && JSON.parse(options));
  if (extensions !== undefined) assert.equal(c.sock.extensions, extensions);

  // Text, JSON and binary come back as they went.
  for (const text of ['hello', 'héllo ☃ 😀', '5', '"quoted"', 'null', '{"broken":', '']) {
    c.send(text);
    assert.equal(await c.messages.next(`echo of ${text}`), text);
  }
  const json = '{"a": 1,  "b": [true, null, "<&>"], "a": 2, "n": 12345678901234567890}';
  c.send(json);
  assert.equal(await c.messages.next('JSON'), json, 'JSON comes back byte for byte');
  for (const bytes of [Buffer.from([10, 20, 30]), Buffer.alloc(0), Buffer.alloc(126, 1), Buffer.alloc(65536, 2)]) {
    c.send(bytes);
    assert.deepEqual(await c.messages.next('binary'), bytes);
  }

  // 200 KB, which comes back in fragments.
  const text = '0123456789'.repeat(20000);
  c.send(text);
  assert.equal(await c.messages.next('200 KB of text'), text);
  const bytes = Buffer.alloc(200000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7;
  c.send(bytes);
  assert.deepEqual(await c.messages.next('200 KB of binary'), bytes);

  // Sent in fragments.
  const snow = Buffer.from('a☃b');
  c.fragments(['x', 'y', 'z']);
  assert.equal(await c.messages.next('fragments'), 'xyz');
  c.fragments([snow, Buffer.from([0]), Buffer.alloc(70000, 9)]);
  assert.deepEqual(await c.messages.next('binary fragments'), Buffer.concat([snow, Buffer.from([0]), Buffer.alloc(70000, 9)]));

  // Pings are answered, in order, with what they carried.
  c.ping('one');
  assert.equal(await c.pongs.next('pong'), 'one');
  c.ping('two');
  assert.equal(await c.pongs.next('pong'), 'two');

  // Many messages keep their order.
  for (let i = 0; i < 1000; i++) c.send(`n${i}`);
  for (let i = 0; i < 1000; i++) assert.equal(await c.messages.next('order'), `n${i}`);

  c.close(4000, 'enough');
  assert.equal((await c.closed.next('the end'))[0], 4000);
});
