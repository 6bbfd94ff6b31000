// The client in a page.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { daemon } from "../../web/test/daemon.mjs";
import { open } from "./chromium.mjs";

const pasted = readFileSync(new URL("../../web/dist/bwsess.js", import.meta.url), "utf8");

/** page opens one that has the client, loaded one way or another. */
async function page(t, how) {
  const p = await open(t, how === "pasted" ? "/blank" : `/${how}`);
  if (how === "pasted") {
    await p.evaluate(pasted);
    await p.evaluate(pasted); // twice does no harm
  }
  await p.waitForFunction("globalThis.Bwsess");
  return p;
}

for (const how of ["pasted", "script", "module"]) {
  test(`${how}: every kind is sent and comes back`, async (t) => {
    const d = await daemon(t);
    const p = await page(t, how);
    const got = await p.evaluate(async (url) => {
      const ws = new Bwsess(Bwsess.DFLT_CFG());
      const got = [];
      const all = new Promise((resolve) => {
        const note = (...what) => got.push(what) === 8 && resolve();
        ws.regis_$str_handle$((s, conn, sess, self) => note("str", s, conn === sess.conn_ && self === ws));
        ws.regis_$json_handle$((j) => note("json", j));
        ws.regis_$bin_handle$((length, data) => note("bin", length, [...data], data.constructor.name));
      });
      const self = await ws.start(url);
      const { conn_: conn } = ws.sess_;
      conn.ssend("string 👋");
      conn.jsend({ a: 200 });
      conn.bsend(new Uint8Array([10, 20, 30]));
      const ab = new ArrayBuffer(4);
      new Int32Array(ab)[0] = 7;
      conn.bsend(ab);
      // Messages stay in order around a Blob that is not awaited.
      const blob = conn.absend(new Blob([JSON.stringify({ hello: "world" })], { type: "application/json" }));
      await conn.assend("after");
      await conn.ajsend([1]);
      await conn.absend(new DataView(new Uint8Array([1, 2, 3]).buffer, 1));
      await blob;
      await all;
      return { got, self: self === ws, active: ws.sess_.is_active(), tag: JSON.parse(String(ws.sess_[Symbol.toStringTag])), end: await ws.close(), state: conn.state };
    }, d.url);
    assert.deepEqual(got.got, [
      ["str", "string 👋", true],
      ["json", { a: 200 }],
      ["bin", 3, [10, 20, 30], "Uint8Array"],
      ["bin", 4, [7, 0, 0, 0], "Uint8Array"],
      ["bin", 17, [...Buffer.from('{"hello":"world"}')], "Uint8Array"],
      ["str", "after", true],
      ["json", [1]],
      ["bin", 2, [2, 3], "Uint8Array"],
    ]);
    assert.ok(got.self && got.active);
    assert.equal(got.tag.state, "OPEN");
    assert.deepEqual(got.end, [1000, ""]);
    assert.equal(got.state, "closed");
  });

  test(`${how}: requests both ways`, async (t) => {
    const d = await daemon(t);
    const p = await page(t, how);
    const answer = await p.evaluate(async (url) => {
      window.c = new Bwsess();
      c.regis_$sreq_handle$((j, conn) => conn.send_jrr_cres({ seen: j.___data___ }, j.___id___));
      await c.start(url);
      return c.sess_.conn_.send_jrr_creq({ kkkk: "hi" });
    }, d.url);
    assert.equal(answer.___type___, "___sres___");
    assert.deepEqual(answer.___data___, { kkkk: "hi" });
    const reply = await d.ctl("--json", "send_jrr_sreq", "fst", '{"hi":"you must reply"}');
    assert.match(reply.replace(/\s/g, ""), /"seen":\{"hi":"youmustreply"\}/);
  });
}

test("a daemon that restarts is found again, and gets what was sent meanwhile", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "nvb"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const first = await daemon(t, { dir });
  const p = await page(t, "script");
  await p.evaluate(async (url) => {
    window.c = new Bwsess({ reconnectMin: 20, reconnectMax: 100 });
    window.ends = [];
    window.got = [];
    c.regis_$on_close$((code, reason) => ends.push([code, reason]));
    c.on("message", ({ data }) => got.push(data));
    await c.start(url);
  }, first.url);
  await p.evaluate(() => void (window.wasClosed = new Promise((resolve) => c.on("close", resolve))));
  await first.stop();
  assert.equal((await p.evaluate(() => wasClosed)).willReconnect, true);
  const answer = p.evaluate(async () => {
    c.sess_.conn_.ssend("waited");
    c.sess_.conn_.jsend({ waited: 2 });
    const answer = await c.sess_.conn_.send_jrr_creq({ waited: 3 });
    return { answer, got, ends, active: c.sess_.is_active() };
  });
  await daemon(t, { dir, port: first.port });
  const { answer: creq, got, ends, active } = await answer;
  assert.deepEqual(got, ["waited", { waited: 2 }]);
  assert.deepEqual(creq.___data___, { waited: 3 });
  assert.equal(ends.length, 1);
  assert.equal(ends[0][0], 1001);
  assert.ok(active);
});

test("a daemon that falls silent is noticed", async (t) => {
  const d = await daemon(t);
  const p = await page(t, "module");
  await p.evaluate(async (url) => {
    window.c = new Bwsess({ keepaliveInterval: 200, reconnectMin: 20, reconnectMax: 100 });
    await c.start(url);
    window.wasClosed = new Promise((resolve) => c.on("close", resolve));
    window.again = new Promise((resolve) => c.on("open", resolve));
    window.failed = new Promise((resolve) => c.on("error", (err) => resolve(err.name)));
  }, d.url);
  process.kill(d.pid, "SIGSTOP");
  const closed = await p.evaluate(() => wasClosed);
  assert.deepEqual(closed, { code: 3002, reason: "keepalive", wasClean: false, willReconnect: true });
  assert.equal(await p.evaluate(() => failed), "KeepaliveError");
  process.kill(d.pid, "SIGCONT");
  assert.equal((await p.evaluate(() => again.then((e) => e.reconnected))), true);
});

test("what a page cannot do is said", async (t) => {
  const d = await daemon(t);
  const p = await page(t, "module");
  const said = await p.evaluate(async (url) => {
    const name = (err) => `${err.name}: ${err instanceof nvsess.NvsessError}`;
    const c = await new nvsess.Client({ autoReconnect: false }).start(url);
    const said = {};
    try {
      c.conn_.send_ping_frame();
    } catch (err) {
      said.ping = name(err);
    }
    said.aping = await c.conn_.asend_ping_frame().catch(name);
    await c.close();
    said.unix = await new Bwsess().start("ws+unix:///x").catch(name);
    said.url = await new Bwsess().start("ws://[").catch(name);
    said.refused = await new Bwsess({ autoReconnect: false }).start("ws://127.0.0.1:1/").catch(name);
    said.aborted = await new Bwsess().start("ws://127.0.0.1:1/", undefined, { signal: AbortSignal.timeout(50) }).catch((err) => err.name);
    return said;
  }, d.url);
  assert.deepEqual(said, {
    ping: "UnsupportedError: true",
    aping: "UnsupportedError: true",
    unix: "UnsupportedError: true",
    url: "ConfigError: true",
    refused: "ConnectError: true",
    aborted: "TimeoutError",
  });
});

test("a page's URL is relative, ws: or wss:", async (t) => {
  const p = await page(t, "module");
  const said = await p.evaluate(async () => {
    const said = [];
    const wrong = [location.href, new URL("/", location.href), location.href.replace("http", "https"), "http:blank", " http://x/", "ftp://x/", "mailto:x", "data:,x"];
    for (const url of wrong) {
      said.push(await new Bwsess({ autoReconnect: false }).start(url).then(() => "taken", (err) => `${err.name}: ${err.message.replace(String(url), "X")}`));
    }
    // What the page's own server speaks, by its relative names and its whole one.
    for (const url of ["/", "./", "/?name=x:y", `//${location.host}/`, location.origin.replace("http", "ws")]) {
      const c = new Bwsess({ autoReconnect: false });
      await c.start(url);
      said.push(c.conn_.state);
      await c.close();
    }
    return said;
  });
  const refused = "ConfigError: X is not a WebSocket URL: ws://, wss:// or ws+unix://";
  assert.deepEqual(said, [...Array(8).fill(refused), ...Array(5).fill("open")]);
});

test("a worker keeps a session too", async (t) => {
  const d = await daemon(t);
  const p = await open(t, "/blank");
  const got = await p.evaluate(async (url) => {
    const program = `
      const { Client } = await import("${location.origin}/nvsess.mjs");
      const c = new Client({ keepaliveInterval: 100 });
      const got = new Set();
      c.on("keepalive", ({ type, sent }) => {
        got.add(type + sent);
        if (got.has("pongfalse") && got.has("pingtrue")) c.conn_.ssend("done");
      });
      c.on("message", ({ data }) => postMessage(data));
      await c.start("${url}");`;
    const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (err) => reject(new Error(err.message));
    });
  }, d.url);
  assert.equal(got, "done");
});
