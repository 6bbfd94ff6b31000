// The client against a real daemon.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as module from "../dist/nvsess.mjs";
import { connect, daemon, once } from "./daemon.mjs";

const { Client, ClosedError, ConfigError, TimeoutError } = module;
const Bwsess = createRequire(import.meta.url)("../dist/bwsess.js");

for (const [name, C] of [["module", Client], ["script", Bwsess]]) {
  test(`${name}: what is sent comes back as its kind`, async (t) => {
    const d = await daemon(t);
    for (const url of [d.url, d.unix, `${d.unix}:/some/path?q=1`]) {
      const c = await connect(t, C, url);
      const got = [];
      let all;
      const done = new Promise((resolve) => (all = resolve));
      const note = (...what) => got.push(what) === 10 && all();
      c.regis_$str_handle$((s, conn, sess, self) => note("str", s, conn === c.conn_ && sess === c.sess_ && self === c));
      c.regis_$json_handle$((j) => note("json", j));
      c.regis_$bin_handle$((length, data) => note("bin", length, [...data], Buffer.isBuffer(data)));
      const { conn_: conn } = c.sess_;
      conn.ssend("grüße 👋");
      await conn.assend(7);
      conn.jsend({ a: [1, "ü"] });
      await conn.ajsend([1]);
      await conn.ajsend("a string is no JSON message");
      conn.bsend(new Uint8Array([1, 2]));
      conn.bsend(new Int16Array([258]).buffer);
      await conn.absend(new DataView(new Uint8Array([9, 8, 7]).buffer, 1, 2));
      await conn.absend(new Blob(["blob"]));
      conn.jsend({ ___type___: "other" });
      await done;
      assert.deepEqual(got, [
        ["str", "grüße 👋", true],
        ["str", "7", true],
        ["json", { a: [1, "ü"] }],
        ["json", [1]],
        ["str", '"a string is no JSON message"', true],
        ["bin", 2, [1, 2], true],
        ["bin", 2, [2, 1], true],
        ["bin", 2, [8, 7], true],
        ["bin", 4, [...Buffer.from("blob")], true],
        ["json", { ___type___: "other" }],
      ]);
      assert.deepEqual(await c.close(), [1000, ""]);
      assert.equal(c.conn_.state, "closed");
    }
  });
}

test("large messages go and come whole, in fragments and not", async (t) => {
  const d = await daemon(t, { config: "[message]\nmax_frame_bytes = 8388608\nmax_message_bytes = 8388608\n[outbound]\nqueue_bytes = 16777216\n" });
  for (const fragmentOutgoingMessages of [true, false]) {
    const c = await connect(t, Client, d.unix, { fragmentOutgoingMessages });
    const sent = Buffer.alloc(8000000, "0123456789é");
    const back = once(c, "message");
    await c.conn_.absend(sent);
    assert.ok((await back).data.equals(sent));
    const text = "é".repeat(100000);
    const again = once(c, "message");
    await c.conn_.assend(text);
    assert.equal((await again).data, text);
  }
});

test("forward: messages reach the others", async (t) => {
  const d = await daemon(t, { mode: "forward" });
  const [a, b, c] = [await connect(t, Client, d.unix), await connect(t, Client, d.url), await connect(t, Client, d.url)];
  const heard = Promise.all([once(b, "message"), once(c, "message")]);
  await a.sess_.conn_.ajsend({ from: "a" });
  assert.deepEqual((await heard).map((m) => m.data), [{ from: "a" }, { from: "a" }]);
});

test("the server's request is answered", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix);
  c.regis_$sreq_handle$(async (j, conn) => {
    await conn.send_jrr_cres({ got: j.___data___ }, j.___id___);
  });
  const answer = await d.ctl("--json", "send_jrr_sreq", "fst", '{"q":1}');
  assert.match(answer, /___cres___/);
  assert.match(answer.replace(/\s/g, ""), /"got":\{"q":1\}/);
  await assert.rejects(c.conn_.send_jrr_cres({}, undefined), TypeError);
});

test("a request's end: answer, deadline, signal, bound, close", async (t) => {
  const d = await daemon(t, { mode: "echo" });
  const c = await connect(t, Client, d.unix, { maxPending: 2 });
  const answer = await c.conn_.send_jrr_creq({ q: 1 });
  assert.equal(answer.___type___, "___sres___");
  assert.equal(answer.___id___.length, 64);
  assert.deepEqual(answer.___data___, { q: 1 });

  const silent = await daemon(t, { mode: "handlers" });
  const s = await connect(t, Client, silent.unix, { maxPending: 2, autoReconnect: false });
  const { conn_: conn } = s;
  await assert.rejects(conn.send_jrr_creq({}, { timeout: 10 }), { name: "TimeoutError" });
  await assert.rejects(conn.send_jrr_creq({}, { timeout: 10 }), TimeoutError);
  const gone = new AbortController();
  const aborted = conn.send_jrr_creq({}, { signal: gone.signal });
  assert.equal(Object.keys(s.sess_.cjrr_queue_).length, 1);
  gone.abort(new Error("changed my mind"));
  await assert.rejects(aborted, /changed my mind/);
  assert.equal(Object.keys(s.sess_.cjrr_queue_).length, 0);
  const waiting = [conn.send_jrr_creq({}), conn.send_jrr_creq({})];
  const ends = Promise.allSettled(waiting);
  await assert.rejects(conn.send_jrr_creq({}), { name: "TooManyPending" });
  await silent.ctl("restart");
  for (const end of await ends) {
    assert.equal(end.reason.name, "ClosedError");
    assert.equal(end.reason.code, 1012);
  }
});

test("the session and its greeting", async (t) => {
  const d = await daemon(t);
  const c = new Client();
  t.after(() => c.close());
  assert.equal(c.sess_, undefined);
  const cfg = new Promise((resolve) => c.regis_$cfg_handle$(resolve));
  assert.equal(await c.start(d.unix), c);
  assert.match((await cfg).___data___.sessid, /^[\w-]{64}$/);
  const { sess_: sess } = c;
  assert.match(sess.id_, /^[\w-]{64}$/);
  assert.ok(sess.is_active());
  assert.equal(sess.conn_.sess_, sess);
  assert.equal(sess.conn_.is_client_, true);
  assert.equal(sess.conn_.is_server_, false);
  assert.equal(sess.conn_.config, c.cfg_);
  assert.equal(sess.res_.statusCode, 101);
  assert.equal(JSON.parse(sess[Symbol.toStringTag]).id, sess.id_);
  assert.ok(sess.katsk_);
  assert.equal(sess.conn_.ka_.tmout_, 20000);
  sess.clear_katsk();
  assert.equal(sess.katsk_, undefined);
  await c.close();
  assert.ok(!sess.is_active());
  sess.clear();
  assert.equal(sess.id_, undefined);
});

test("a subprotocol is chosen among those offered", async (t) => {
  const d = await daemon(t, { config: 'subprotocols = ["v2"]\n' });
  const c = await connect(t, Client, d.unix, {}, ["v1", "v2"]);
  assert.equal(c.conn_.protocol, "v2");
  assert.deepEqual(c.sec_websocket_protocol_, ["v1", "v2"]);
  await assert.rejects(connect(t, Client, d.unix, { autoReconnect: false }, "v1"), { name: "HandshakeError" });
});

test("keepalive goes both ways, and the server hears ping frames", async (t) => {
  const d = await daemon(t, { config: '[keepalive]\ninterval = "100ms"\n' });
  const c = new Client({ keepaliveInterval: 80 });
  t.after(() => c.close());
  const seen = new Map();
  const all = new Promise((resolve) => {
    c.on("keepalive", ({ type, sent }) => seen.set(`${sent ? "sent" : "got"} ${type}`) && seen.size === 4 && resolve());
  });
  let closed = false;
  c.regis_$on_close$(() => (closed = true));
  await c.start(d.unix);
  await all;
  assert.equal(closed, false);
  assert.ok(c.conn_.ka_.lefted_ > 0);
  await c.conn_.asend_ping_frame();
});

test("what makes no sense is said at once", async (t) => {
  for (const cfg of [{ reconnectMin: -1 }, { reconnectMin: 10, reconnectMax: 5 }, { requestTimeout: NaN }, { keepalive: "yes" }, { queueBytes: "1" }]) {
    assert.throws(() => new Client(cfg), ConfigError, JSON.stringify(cfg));
  }
  const c = new Client();
  for (const url of ["", "nowhere", "ftp://x/", "ws://x/#f", "ws+unix://", "ws+unix://relative", "ws+unix:///s:nope", "ws+unix:///%zz"]) {
    await assert.rejects(c.start(url), ConfigError, url);
  }
  for (const url of ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "HTTP://127.0.0.1:1/", new URL("http://127.0.0.1:1/"), "ftp://x/", "file:///s"]) {
    await assert.rejects(c.start(url), { name: "ConfigError", message: `${url} is not a WebSocket URL: ws://, wss:// or ws+unix://` });
  }
  await assert.rejects(c.start("ws://127.0.0.1:1/", "a b"), ConfigError);
  await assert.rejects(c.start("ws://127.0.0.1:1/", ["a", "a"]), ConfigError);
  assert.throws(() => c.conn_.ssend("x"), ClosedError);
  await assert.rejects(c.conn_.ajsend({}), ClosedError);
  await assert.rejects(c.conn_.send_jrr_creq({}), ClosedError);
  assert.throws(() => c.regis_$bin_handle$("no"), TypeError);
  assert.throws(() => c.on("nothing", () => {}), ConfigError);
  await assert.rejects(c.restart(), Error);
  const d = await daemon(t);
  await c.start(d.unix);
  assert.throws(() => c.conn_.jsend(undefined), TypeError);
  assert.throws(() => c.conn_.bsend(5), TypeError);
  assert.throws(() => c.conn_.bsend(new Blob(["x"])), TypeError);
  assert.throws(() => c.conn_.close(1001), ConfigError);
  await assert.rejects(c.close(true, 99), ConfigError);
  await assert.rejects(c.conn_.send_jrr_creq({}, { timeout: -1 }), ConfigError);
  await c.close();
});

test("a setting that is not one is told, with the nearest that is", async (t) => {
  const told = (cfg, ...words) => assert.throws(() => new Client(cfg), (err) => err instanceof ConfigError && words.every((w) => err.message.includes(w)), words[0]);
  told({ bogus: 1 }, "bogus", "nearest");
  told({ bogus: undefined }, "bogus");
  told({ keepAliveIntervall: 1 }, "keepAliveIntervall", "keepaliveInterval");
  told({ autoreconect: true }, "autoreconect", "autoReconnect");
  told({ toString: 1 }, "toString");
  told(JSON.parse('{"__proto__": {"keepalive": false}}'), "__proto__");
  told({ ["x".repeat(1e6)]: 1 }, "nearest");
  assert.ok(new Client(Client.DFLT_CFG()).cfg_.keepalive);
  assert.ok(new Client(null).cfg_.keepalive);
  assert.ok(new Client({ keepalive: undefined }).cfg_.keepalive);
  // Settings may be inherited; what else is inherited is nobody's setting.
  class Mine {
    get reconnectMax() {
      return 900;
    }
    bogus() {}
  }
  assert.equal(new Client(new Mine()).cfg_.reconnectMax, 900);
  for (const cfg of ["fast", 5, true, [], () => {}]) told(cfg, "object");
  const c = new Client({ autoReconnect: false });
  await assert.rejects(c.start("ws://127.0.0.1:1/", "", { sinal: 1 }), (err) => err instanceof ConfigError && /sinal.*signal/.test(err.message));
  for (const options of [{ headers: "a: b" }, { tls: [] }, { origin: 5 }, { signal: 1 }]) {
    await assert.rejects(c.start("ws://127.0.0.1:1/", "", options), ConfigError, JSON.stringify(options));
  }
  await assert.rejects(c.conn_.send_jrr_creq({}, { timout: 5 }), (err) => err instanceof ConfigError && /timout.*timeout/.test(err.message));
  await assert.rejects(c.conn_.send_jrr_creq({}, { timeout: "5" }), ConfigError);
  await assert.rejects(c.conn_.send_jrr_creq({}, 5), ConfigError);
  await assert.rejects(c.conn_.send_jrr_creq({}, { signal: {} }), ConfigError);
  // setTimeout would fire at once.
  await assert.rejects(c.conn_.send_jrr_creq({}, { timeout: 2 ** 31 }), ConfigError);
});

test("every setting of the wrong kind is told by its name", () => {
  const theirs = ["autoReconnectInterval", "maxReceivedMessageSize", "disableNagleAlgorithm", "maxReceivedFrameSize", "assembleFragments", "webSocketVersion"];
  const names = [...Object.keys(Client.DFLT_CFG()), ...theirs];
  assert.ok(names.length > 25);
  for (const name of names) {
    for (const wrong of ["1", null, NaN, -1, [[]], Symbol("s"), Object.create(null), ...(name === "debug" ? [] : [() => {}])]) {
      if (name === "tlsOptions" && Object.prototype.toString.call(wrong) === "[object Object]") continue;
      assert.throws(() => new Client({ [name]: wrong }), (err) => err instanceof ConfigError && err.message.startsWith(`${name} is `), `${name}: ${typeof wrong}`);
    }
  }
  assert.throws(() => new Client({ fatalStatus: [403, "404"] }), ConfigError);
  assert.throws(() => new Client({ webSocketVersion: 8 }), ConfigError);
});

test("what is no text and no bytes is refused, and nothing of it is sent", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix);
  const got = [];
  const end = once(c, "message", ({ data }) => got.push(data) && data === "end");
  for (const s of [{}, [], null, undefined, Symbol("s"), () => {}, new Date(), Buffer.from("x"), Object.create(null)]) {
    assert.throws(() => c.conn_.ssend(s), { name: "TypeError", message: /jsend is for JSON/ }, typeof s);
    await assert.rejects(c.conn_.assend(s), { name: "TypeError", message: /jsend is for JSON/ });
  }
  for (const a of [[300], [-1], [1.5], ["x"], ["1"], [null], [NaN], [1, , 2], [1n], [[1]]]) {
    assert.throws(() => c.conn_.bsend(a), { name: "TypeError", message: /0 to 255/ });
    assert.throws(() => Client.to_u8ary(a), TypeError);
    await assert.rejects(c.conn_.absend(a), TypeError);
  }
  c.conn_.ssend(5);
  await c.conn_.assend(true);
  c.conn_.ssend(2n ** 64n);
  c.conn_.ssend("");
  c.conn_.bsend([0, 255]);
  c.conn_.bsend([]);
  c.conn_.ssend("end");
  await end;
  // What reads as JSON comes to the JSON handler.
  assert.deepEqual(got.map((m) => (typeof m === "object" ? [...m] : String(m))), ["5", "true", String(2n ** 64n), "", [0, 255], [], "end"]);
});

test("nv-session-simple's settings and statics", () => {
  // What its client/client-cfg.js has.
  const theirs = { maxReceivedFrameSize: 0x100000, fragmentOutgoingMessages: true, fragmentationThreshold: 0x4000, webSocketVersion: 13 };
  Object.assign(theirs, { assembleFragments: true, disableNagleAlgorithm: true, closeTimeout: 5000, tlsOptions: { rejectUnauthorized: false } });
  Object.assign(theirs, { keepalive: false, keepaliveInterval: 20000, autoReconnect: true });
  const c = new Client({ ...theirs, autoReconnectInterval: 60000, maxReceivedMessageSize: 99 });
  assert.equal(c.cfg_.reconnectMin, 60000);
  assert.equal(c.cfg_.reconnectMax, 60000);
  assert.equal(c.cfg_.maxMessage, 99);
  c.disable_auto_reconn();
  assert.equal(c.cfg_.autoReconnect, false);
  c.enable_auto_reconn();
  assert.equal(c.cfg_.autoReconnect, true);
  assert.equal(c.json_handle_, Client.DFLT_JSON_HANDLE);
  const str = () => {};
  c.regis_$str_handle$(str);
  assert.equal(c.str_handle_, str);
  assert.equal(c.json_handle_, Client.DFLT_JSON_HANDLE);
  c.regis_$check_network_before_reconn$((a, b) => a === b, 1, 2);
  assert.equal(c.check_network_before_reconn_(), false);
  assert.equal(Client.CLOSE_ERRORS[Client.CLOSE_ERRORS.keepalive], "keepalive");
  assert.deepEqual([...Client.to_u8ary("é")], [0xc3, 0xa9]);
  assert.deepEqual(Object.prototype.toString.call(c).includes("idle"), true);
});

test("a handler that throws is an uncaught error, and the connection lives", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix);
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
  c.regis_$str_handle$(() => {
    throw new Error("mine");
  });
  c.conn_.ssend("x");
  assert.equal((await uncaught).message, "mine");
  for (const l of listeners) process.on("uncaughtException", l);
  const back = once(c, "message", (m) => m.kind === "json");
  c.conn_.jsend({ still: "here" });
  assert.deepEqual((await back).data, { still: "here" });
});
