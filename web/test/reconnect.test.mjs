// What happens when the connection does not hold.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client, ClosedError, QueueFull, TimeoutError } from "../dist/nvsess.mjs";
import { retryDelay, steadyAfter } from "../src/backoff.js";
import { connect, daemon, once } from "./daemon.mjs";

function directory(t) {
  const dir = mkdtempSync(join(tmpdir(), "nvw"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("a daemon restarts: the client comes back, and what was sent meanwhile arrives in order", async (t) => {
  const dir = directory(t);
  const first = await daemon(t, { dir });
  const c = await connect(t, Client, first.unix);
  const { conn_: conn, sess_: sess } = c;
  const closed = once(c, "close");
  await first.stop();
  assert.deepEqual({ ...(await closed), reason: "" }, { code: 1001, reason: "", wasClean: true, willReconnect: true });
  assert.notEqual(conn.state, "open");
  const got = [];
  const all = new Promise((resolve) => c.on("message", ({ data }) => got.push(data) === 3 && resolve()));
  conn.ssend("1");
  const written = conn.assend("2");
  const blob = conn.absend(new Blob(["3"]));
  const answer = conn.send_jrr_creq({ late: true });
  assert.ok(conn.bufferedAmount > 0);
  const opened = once(c, "open");
  await daemon(t, { dir });
  assert.equal((await opened).reconnected, true);
  await Promise.all([written, blob, all]);
  assert.deepEqual(got.slice(0, 2), ["1", "2"]);
  assert.equal(String(got[2]), "3");
  assert.deepEqual((await answer).___data___, { late: true });
  assert.equal(c.sess_.conn_, conn);
  assert.notEqual(c.sess_, sess);
  assert.ok(!sess.is_active() && c.sess_.is_active());
});

test("the queue is bounded, and told of the end", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix, { queueMessages: 3, queueBytes: 10 });
  const closed = once(c, "close");
  await d.stop();
  await closed;
  const { conn_: conn } = c;
  const waiting = conn.assend("12345");
  assert.throws(() => conn.ssend("123456"), QueueFull);
  conn.ssend("é123");
  await assert.rejects(conn.ajsend({}), { name: "QueueFull" });
  await assert.rejects(conn.send_jrr_creq({}), QueueFull);
  await assert.rejects(conn.send_jrr_cres({}, "id"), ClosedError);
  const end = assert.rejects(waiting, ClosedError);
  await c.close();
  await end;
  assert.throws(() => conn.ssend("x"), ClosedError);
  assert.equal(conn.bufferedAmount, 0);
});

test("a request that waits for a connection has a deadline, and is not sent after it", async (t) => {
  const dir = directory(t);
  const first = await daemon(t, { dir });
  const c = await connect(t, Client, first.unix);
  const closed = once(c, "close");
  await first.stop();
  await closed;
  await assert.rejects(c.conn_.send_jrr_creq({ q: 1 }, { timeout: 5 }), TimeoutError);
  assert.equal(c.conn_.bufferedAmount, 0);
});

test("a server's restart (1012) is followed", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix);
  for (let i = 0; i < 3; i++) {
    const [closed, opened] = [once(c, "close"), once(c, "open")];
    await d.ctl("restart");
    assert.equal((await closed).code, 1012);
    await opened;
  }
});

test("close() is for good; conn.close() is not; restart() begins anew", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.unix);
  const reasons = [];
  c.regis_$on_close$((code, reason) => reasons.push([code, reason]));
  let opened = once(c, "open");
  c.sess_.conn_.close(3001, "mine");
  await opened;
  opened = once(c, "open");
  await c.close(false, 3002, "again");
  await opened;
  assert.equal(await c.restart(), c);
  assert.equal(c.conn_.state, "open");
  const ended = once(c, "end");
  assert.deepEqual(await c.close(true, 4000, "bye"), [4000, ""]);
  assert.equal((await ended).error, undefined);
  assert.deepEqual(reasons, [[3001, ""], [3002, ""], [1000, ""], [4000, ""]]);
  assert.deepEqual(await c.close(), [4000, ""]);
  await c.start(d.url);
  assert.equal(c.conn_.state, "open");
});

test("close() while connecting, and while waiting, ends start()", async (t) => {
  const c = new Client({ reconnectMin: 60000, reconnectMax: 60000 });
  const nowhere = `ws+unix://${directory(t)}/nothing`;
  for (const event of ["error", "reconnecting"]) {
    const seen = once(c, event);
    const started = assert.rejects(c.start(nowhere), ClosedError);
    await seen;
    c.conn_.ssend("never");
    await c.close();
    await started;
    assert.equal(c.conn_.state, "closed");
  }
  const gone = assert.rejects(c.start(nowhere), ClosedError);
  await c.close();
  await gone;
});

test("a signal ends start()", async (t) => {
  const c = new Client();
  const nowhere = `ws+unix://${directory(t)}/nothing`;
  await assert.rejects(c.start(nowhere, undefined, { signal: AbortSignal.abort() }), { name: "AbortError" });
  await assert.rejects(c.start(nowhere, undefined, { signal: AbortSignal.timeout(20) }), { name: "TimeoutError" });
  const abort = new AbortController();
  const d = await daemon(t);
  await c.start(d.unix, undefined, { signal: abort.signal });
  abort.abort();
  assert.equal(c.conn_.state, "open");
  await c.close();
});

test("retries are counted, and without autoReconnect there are none", async (t) => {
  const nowhere = `ws+unix://${directory(t)}/nothing`;
  for (const [cfg, attempts] of [[{ maxRetries: 3 }, 4], [{ maxRetries: 0 }, 1], [{ autoReconnect: false }, 1]]) {
    const c = new Client({ reconnectMin: 1, reconnectMax: 2, ...cfg });
    let errors = 0;
    c.regis_$on_error$((code, description) => {
      assert.equal(code, "ENOENT");
      assert.match(description, /cannot connect/);
      errors++;
    });
    await assert.rejects(c.start(nowhere), { name: "ConnectError", code: "ENOENT" });
    assert.equal(errors, attempts);
    assert.equal(c.conn_.state, "closed");
  }
});

test("a refusal that will not change is not tried again, unless told", async (t) => {
  const d = await daemon(t, { config: 'paths = ["/chat"]\n' });
  const c = new Client({ reconnectMin: 1, reconnectMax: 2 });
  t.after(() => c.close());
  let errors = 0;
  c.on("error", () => errors++);
  await assert.rejects(c.start(`${d.unix}:/other`), { name: "HandshakeError", status: 404 });
  await assert.rejects(c.start(`${d.unix}:/chat`, undefined, { origin: "https://elsewhere.example" }), { status: 403 });
  assert.equal(errors, 2);
  c.cfg_.fatalStatus = [];
  c.cfg_.maxRetries = 2;
  await assert.rejects(c.start(`${d.unix}:/other`), { status: 404 });
  assert.equal(errors, 5);
  await c.start(`${d.unix}:/chat`);
});

test("the network is asked before each attempt", async (t) => {
  const dir = directory(t);
  const c = new Client({ reconnectMin: 1, reconnectMax: 2 });
  t.after(() => c.close());
  let asked = 0;
  const answers = [false, () => Promise.reject(new Error("no")), () => Promise.resolve(true)];
  c.regis_$check_network_before_reconn$((x) => {
    assert.equal(x, "x");
    const a = answers[asked++] ?? true;
    return typeof a === "function" ? a() : a;
  }, "x");
  const errors = [once(c, "error")];
  const started = c.start(`ws+unix://${dir}/s`);
  await errors[0];
  await daemon(t, { dir });
  await started;
  assert.ok(asked >= 3, String(asked));
});

test("a closed client lets its process end", async (t) => {
  const d = await daemon(t);
  const { spawn } = await import("node:child_process");
  const program = `
    const Bwsess = require(${JSON.stringify(new URL("../dist/bwsess.js", import.meta.url).pathname)});
    (async () => {
      const c = await new Bwsess().start(${JSON.stringify(d.unix)});
      c.sess_.conn_.send_jrr_creq({}).catch(() => {});
      await c.close();
      const n = new Bwsess({ reconnectMin: 60000, reconnectMax: 60000 });
      n.start("ws+unix:///nowhere/at/all").catch(() => {});
      n.on("reconnecting", () => n.close());
    })();`;
  const child = spawn(process.execPath, ["-e", program], { stdio: "inherit" });
  assert.equal(await new Promise((resolve) => child.on("exit", resolve)), 0);
});

test("delays grow, are random, and heed the server", () => {
  const cfg = new Client({ reconnectMin: 100, reconnectMax: 3000 }).cfg_;
  const range = (n, end) => [0, 1].map((r) => retryDelay(cfg, n, end, () => r));
  assert.deepEqual(range(1), [100, 400]);
  assert.deepEqual(range(2), [100, 800]);
  assert.deepEqual(range(9), [100, 3000]);
  assert.deepEqual(range(1e6), [100, 3000]);
  assert.deepEqual(range(1, { code: 1012, reason: "service restart" }), [100, 400]);
  assert.deepEqual(range(1, { code: 1013, reason: "" }), [1500, 3000]);
  assert.deepEqual(range(1, { code: 1013, reason: "retry_after_ms=100" }), [100, 500]);
  assert.deepEqual(range(1, { code: 1012, reason: "restart; retry_after_ms=2000" }), [2000, 3000]);
  assert.deepEqual(range(1, { code: 1012, reason: "retry_after_ms=9999999999" }), [300000, 303000]);
  assert.deepEqual(range(1, { reason: "xretry_after_ms=2000" }), [100, 400]);
  assert.deepEqual(range(1, { reason: "retry_after_ms=-1" }), [100, 400]);
  assert.deepEqual(range(1, { retryAfter: 1000 }), [1000, 1500]);
  assert.deepEqual(range(3, { code: 1012, reason: "retry_after_ms=0" }), [0, 1600]);
  assert.equal(steadyAfter(cfg), 3000);
});
