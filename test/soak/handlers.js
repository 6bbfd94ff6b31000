// The soak's handlers. They pass messages on, some of them after a while, or
// when the sender has answered a question; some throw. What is done with a
// message follows from its numbers, which script.go and message.go know, too.
// The soak writes two lines above this one: lenient is true where the daemon is
// replaced, which forgets what is noted here; version makes each file another.
const soak = (globalThis.soak = globalThis.soak || { told: [], before: 0, wrong: [], thrown: 0 });

// since forgets what the soak has: so many openings and closings in all.
soak.since = (have) => {
  soak.told.splice(0, have - soak.before);
  soak.before = have;
  return { told: soak.told, wrong: soak.wrong, thrown: soak.thrown };
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const wrong = (what) => { if (soak.wrong.length < 20) soak.wrong.push(what); };
const fail = (what) => {
  soak.thrown++;
  throw new Error(what + ', on purpose');
};

// numbers are those of a message: see message.go.
const numbers = (text) => /soak (-?\d+) (\d+) /.exec(text).slice(1).map(Number);

// ask wants the sender's own answer, unless it is gone.
async function ask(conn, sess, question) {
  let answer;
  try {
    answer = await conn.send_jrr_sreq({ question }, 60000);
  } catch (err) {
    if (err.name === 'ClosedError' || !sess.is_active()) return;
    throw err;
  }
  const { me, asked } = answer.___data___;
  if (me !== sess.id_ || asked.question !== question) wrong(`${sess.id_} was asked ${question}, and ${me} answered ${JSON.stringify(asked)}`);
}

async function pass(text, conn, sess, forward) {
  const [from, seq] = numbers(text);
  const before = sess.soak;
  if (!before && !lenient) wrong(`message ${seq} of ${from} before its session was opened`);
  if (before && (before.closed || seq <= before.seq)) wrong(`message ${seq} of ${from} after message ${before.seq}, closed: ${before.closed}`);
  if (before && before.busy) wrong(`message ${seq} of ${from} while another is handled`);
  const note = (sess.soak = { seq, busy: true, closed: false });
  try {
    if ((from + seq) % 3 > 0) await sleep((7 * seq) % 20);
    if ((from * 7 + seq) % 11 === 0) fail('not passed on'); // spoilt, in message.go
    if ((from + seq) % 5 === 0) {
      await ask(conn, sess, seq);
      await sleep(1);
    }
    forward();
    if ((from + seq) % 7 === 0) await sleep(seq % 10);
    if ((from + seq) % 14 === 0) fail('passed on');
  } finally {
    note.busy = false;
  }
}

srv.regis_$on_open$((conn, sess) => {
  if (sess.soak) wrong(`${sess.id_} was opened twice`);
  sess.soak = { seq: 0, busy: false, closed: false };
  soak.told.push([sess.id_, 0]);
});
srv.regis_$on_close$((code, reason, conn, sess) => {
  if (sess.soak && sess.soak.closed) wrong(`${sess.id_} was closed twice`);
  if (sess.soak) sess.soak.closed = true;
  soak.told.push([sess.id_, code]);
});
srv.regis_$str_handle$((s, conn, sess) => pass(s, conn, sess, () => srv.sforward(s, sess)));
srv.regis_$json_handle$((j, conn, sess) => pass(j.m, conn, sess, () => srv.jforward(j, sess)));
srv.regis_$bin_handle$((n, b, conn, sess) => pass(b.toString('latin1'), conn, sess, () => srv.bforward(b, sess)));
srv.regis_$creq_handle$(async (j, conn, sess) => {
  const { member, at } = j.___data___;
  if (at % 2 === 0) await sleep(at % 10);
  await conn.send_jrr_sres({ member, at }, j.___id___);
  if (at % 5 === 0) fail('answered');
});
