// A daemon that sends its sessions away says when they may come back.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "../dist/nvsess.mjs";
import { askedDelay } from "../src/backoff.js";
import { connect, daemon, once } from "./daemon.mjs";

function directory(t) {
  const dir = mkdtempSync(join(tmpdir(), "nvw"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The end of a client's connection, and how long it stayed away then. */
async function away(c) {
  const { code, reason } = await once(c, "close");
  const since = performance.now();
  await once(c, "open");
  return { code, asked: Number(/^service restart; retry_after_ms=(\d+)$/.exec(reason)?.[1]), took: performance.now() - since };
}

test("a rolling restart at the same address: everybody comes back, nobody early", async (t) => {
  const dir = directory(t);
  const first = await daemon(t, { dir });
  const clients = [];
  for (let i = 0; i < 12; i++) clients.push(await connect(t, Client, first.url));
  const ids = new Set(clients.map((c) => c.sess_.id_));
  const ends = Promise.all(clients.map(away));
  assert.match(await first.ctl("drain", "--rate", "100", "--back-in", "300ms"), /^drained: 12 sessions closed in /m);
  assert.equal(await first.stop(), 0);
  await daemon(t, { dir, port: first.port });
  const asked = new Set();
  for (const end of await ends) {
    assert.equal(end.code, 1012);
    assert.ok(end.asked >= 300 && end.asked < 2000, `asked for ${end.asked} ms`);
    assert.ok(end.took >= end.asked - 2, `away for ${end.took} ms, asked for ${end.asked}`); // a timer may be early by its rounding
    asked.add(end.asked);
  }
  assert.ok(asked.size > 3, `all were told the same: ${[...asked]}`);
  assert.ok(clients.every((c) => c.sess_.is_active() && !ids.has(c.sess_.id_)));
});

test("undrain: who is refused meanwhile comes back when he was told to", async (t) => {
  const d = await daemon(t);
  const c = await connect(t, Client, d.url);
  const end = away(c);
  await d.ctl("drain");
  await d.ctl("drain", "--detach"); // it is done, and stays so
  assert.equal((await fetch(d.url.replace(/^ws/, "http") + "healthz")).status, 503);
  await d.ctl("undrain");
  await d.ctl("undrain");
  assert.equal((await fetch(d.url.replace(/^ws/, "http") + "healthz")).status, 200);
  const { code, asked, took } = await end;
  assert.equal(code, 1012);
  assert.ok(asked < 1000 && took >= asked - 2, `away for ${took} ms, asked for ${asked}`);
});

test("a network that comes back does not shorten what the server asked for", async (t) => {
  const window = new EventTarget(); // Node has none of its own
  const add = globalThis.addEventListener;
  let listening;
  const listens = new Promise((resolve) => (listening = resolve));
  globalThis.addEventListener = (...args) => (window.addEventListener(...args), listening());
  globalThis.removeEventListener = (...args) => window.removeEventListener(...args);
  t.after(() => ((globalThis.addEventListener = add), delete globalThis.removeEventListener));
  const d = await daemon(t);
  // Else it would wait for a minute.
  const c = await connect(t, Client, d.url, { reconnectMin: 60000, reconnectMax: 60000 });
  const end = away(c);
  await d.ctl("drain", "--back-in", "1s");
  await d.ctl("undrain");
  await listens;
  t.mock.method(Math, "random", () => 0);
  window.dispatchEvent(new Event("online"));
  const { asked, took } = await end;
  assert.ok(took >= asked - 2, `away for ${took} ms, asked for ${asked}`);
});

test("no server parks a client for longer than retryAfterMax", () => {
  const cfg = new Client().cfg_;
  assert.equal(askedDelay(cfg, { reason: "service restart; retry_after_ms=4217" }), 4217);
  assert.equal(askedDelay(cfg, { reason: "service restart; retry_after_ms=9999999999" }), 300000);
  assert.equal(askedDelay(cfg, { reason: "retry_after_ms=99999999999" }), 300000);
  assert.equal(askedDelay(cfg, { retryAfter: 1e9 }), 300000);
  assert.equal(askedDelay(new Client({ retryAfterMax: 100 }).cfg_, { reason: "retry_after_ms=101" }), 100);
  assert.equal(askedDelay(cfg, { reason: "service restart" }), undefined);
  assert.equal(askedDelay(cfg, {}), undefined);
});

// The most of all that a client can be set to follow is the most that a reason says.
test("a close reason says the same to both clients", () => {
  const { cfg_ } = new Client({ retryAfterMax: 2 ** 31 - 1 });
  const table = JSON.parse(readFileSync(new URL("../../client/testdata/retry_after_ms.json", import.meta.url), "utf8"));
  assert.ok(table.length > 20);
  for (const { reason, ms } of table) assert.equal(askedDelay(cfg_, { reason }) ?? null, ms, JSON.stringify(reason));
});
