'use strict';
// node close.js LIBRARY URL: close codes both ways. For each line on standard
// output the test closes the session from the server's side.
const { assert, libraries, run, say } = require('./harness');

run(async ([library, url]) => {
  for (const code of [1000, 3000, 3002, 4000, 4999]) {
    const c = await libraries[library](url);
    c.close(code, 'because');
    assert.equal((await c.closed.next(`the echo of ${code}`))[0], code);
  }
  for (const [code, reason] of [[1000, ''], [1001, 'going'], [1008, 'policy'], [1013, 'later'], [4001, 'because ☃']]) {
    const c = await libraries[library](url);
    say(`close ${code} ${reason}`);
    const [got, why] = await c.closed.next(`close ${code}`);
    assert.equal(got, code);
    if (reason) assert.equal(why, reason); // websocket puts its own words for none
  }
});
