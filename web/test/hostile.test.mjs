// The client in Node against servers that do what none should; see conformance.test.mjs, too.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { test } from "node:test";
import { Client } from "../dist/nvsess.mjs";
import { once } from "./daemon.mjs";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** frame gives an unmasked frame of a server. */
function frame(opcode, payload = "", { fin = true, rsv = 0, length } = {}) {
  const p = Buffer.from(payload);
  const n = length ?? p.length;
  const head = n < 126 ? Buffer.from([0, n]) : n < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  if (head.length === 4) {
    head[1] = 126;
    head.writeUInt16BE(n, 2);
  } else if (head.length === 10) {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(n), 2);
  }
  return Buffer.concat([head, p]);
}

const closeFrame = (code, reason = "") => frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));

/** upgrade gives the right answer to a request's head. */
function upgrade(request) {
  const key = /sec-websocket-key: (\S+)/i.exec(request)[1];
  const headers = {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": createHash("sha1").update(key + GUID).digest("base64"),
  };
  const lines = Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`);
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`;
}

/** server runs talk(socket, request) for each connection, once the request is there. */
async function server(t, talk) {
  const sockets = new Set();
  const s = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let head = "";
    const collect = (chunk) => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", collect);
      talk(socket, head);
    };
    socket.on("data", collect);
  });
  await new Promise((resolve) => s.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    s.close();
  });
  return `ws://127.0.0.1:${s.address().port}/`;
}

/** received gives the frames a client sends, unmasked: [opcode, payload]. */
function received(socket, each) {
  let data = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    data = Buffer.concat([data, chunk]);
    while (data.length >= 6) {
      assert.ok(data[1] & 0x80, "a client's frame is masked");
      let n = data[1] & 0x7f;
      let at = 2;
      if (n === 126) [n, at] = [data.readUInt16BE(2), 4];
      if (n === 127) [n, at] = [Number(data.readBigUInt64BE(2)), 10];
      if (data.length < at + 4 + n) return;
      const payload = Buffer.from(data.subarray(at + 4, at + 4 + n));
      for (let i = 0; i < n; i++) payload[i] ^= data[at + (i & 3)];
      const opcode = data[0] & 0x0f;
      data = data.subarray(at + 4 + n);
      each(opcode, payload);
    }
  });
}

const alone = { autoReconnect: false, keepalive: false };

test("of a refusal's endless body the beginning is kept", async (t) => {
  const url = await server(t, (socket) => {
    socket.write("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n");
    const more = () => socket.writable && socket.write("x".repeat(65536), more);
    more();
  });
  await assert.rejects(new Client(alone).start(url), (err) => err.status === 503 && err.body.length <= 4096);
});

test("any split of legal frames gives the same messages", async (t) => {
  const bytes = Buffer.concat([
    frame(1, "grü", { fin: false }),
    frame(9, "ping"),
    frame(0, Buffer.from([0xf0, 0x9f]), { fin: false }),
    frame(0, "", { fin: false }),
    frame(0, Buffer.from([0x91, 0x8b])),
    frame(2, ""),
    frame(1, '{"a":1}'),
    frame(2, "x".repeat(70000)),
    frame(1, "y".repeat(200)),
    frame(10, "unasked"),
    closeFrame(4321, "ende"),
  ]);
  for (const split of [1, 2, 3, 7, 1000, 1e9]) {
    const pongs = [];
    const url = await server(t, async (socket, request) => {
      received(socket, (opcode, payload) => {
        if (opcode === 10) pongs.push(String(payload));
        if (opcode === 8) socket.end();
      });
      // The first frames come in the packet of the answer.
      const all = Buffer.concat([Buffer.from(upgrade(request)), bytes]);
      for (let i = 0; i < all.length; i += split) socket.write(all.subarray(i, i + split));
    });
    const c = new Client(alone);
    const got = [];
    c.on("message", ({ kind, data }) => got.push([kind, kind === "binary" ? data.length : data]));
    const closed = once(c, "close");
    await c.start(url);
    assert.deepEqual(await closed, { code: 4321, reason: "ende", wasClean: true, willReconnect: false });
    assert.deepEqual(got, [["string", "grü👋"], ["binary", 0], ["json", { a: 1 }], ["binary", 70000], ["string", "y".repeat(200)]]);
    assert.deepEqual(pongs, ["ping"]);
  }
});

test("a server that does not answer the close frame is left", async (t) => {
  const url = await server(t, (socket, request) => {
    socket.resume();
    socket.write(upgrade(request));
  });
  const c = new Client({ ...alone, closeTimeout: 30 });
  await c.start(url);
  assert.deepEqual(await c.close(), [1000, ""]);
  assert.equal(c.conn_.state, "closed");
});

test("a silent server gets a last ping, and is left for a new connection", async (t) => {
  let connections = 0;
  const heard = [];
  const url = await server(t, (socket, request) => {
    connections++;
    received(socket, (opcode, payload) => heard.push([opcode, String(payload)]));
    socket.write(upgrade(request));
  });
  const c = new Client({ keepaliveInterval: 40, reconnectMin: 1, reconnectMax: 5 });
  t.after(() => c.close());
  const [error, closed] = [once(c, "error"), once(c, "close")];
  await c.start(url);
  assert.equal((await error).name, "KeepaliveError");
  assert.deepEqual(await closed, { code: 3002, reason: "keepalive", wasClean: false, willReconnect: true });
  assert.equal((await once(c, "open")).reconnected, true);
  assert.equal(connections, 2);
  const [first] = heard;
  assert.deepEqual(JSON.parse(first[1]).___data___.keepaliveInterval, 40);
  assert.ok(heard.some(([opcode]) => opcode === 9), "ping frames");
  const ping = heard.map(([opcode, text]) => (opcode === 1 ? JSON.parse(text) : {})).find((j) => j.___type___ === "___ping___");
  assert.equal(ping.___data___, "40");
  assert.equal(ping.___id___.length, 64);
});

test("envelopes in the wrong direction, unknown answers and odd ones do no harm", async (t) => {
  const url = await server(t, (socket, request) => {
    socket.write(upgrade(request));
    for (const j of [
      { ___type___: "___creq___", ___id___: "x", ___data___: 1 },
      { ___type___: "___cres___", ___id___: "x", ___data___: 1 },
      { ___type___: "___sres___", ___id___: "__proto__", ___data___: 1 },
      { ___type___: "___sres___", ___data___: 1 },
      { ___type___: "___pong___" },
      { ___type___: ["___ping___"] },
      { ___type___: "___nope___" },
    ]) {
      socket.write(frame(1, JSON.stringify(j)));
    }
    for (const s of ["null", "5", '"s"', "{broken", " [1]", "\ufeff{}", "[".repeat(100000)]) socket.write(frame(1, s));
    socket.write(frame(1, "end"));
  });
  const ignored = [];
  const c = new Client({ ...alone, debug: (...what) => ignored.push(what.join(" ")) });
  t.after(() => c.close());
  const got = [];
  c.on("message", ({ kind, data }) => got.push(kind === "json" ? data : data.slice(0, 9)));
  const end = once(c, "message", (m) => m.data === "end");
  await c.start(url);
  await end;
  assert.deepEqual(got, [{ ___type___: ["___ping___"] }, { ___type___: "___nope___" }, "null", "5", '"s"', "{broken", [1], "\ufeff{}", "[[[[[[[[[", "end"]);
  assert.equal(ignored.filter((s) => s.startsWith("ignored")).length, 4);
});

test("a server that reads nothing: awaited sends wait, others meet a bound", async (t) => {
  const url = await server(t, (socket, request) => {
    socket.pause();
    socket.write(upgrade(request));
  });
  const c = new Client({ ...alone, maxBuffered: 1 << 20, closeTimeout: 30 });
  await c.start(url);
  const chunk = Buffer.alloc(512 << 10);
  assert.throws(() => {
    for (let i = 0; i < 100; i++) c.conn_.bsend(chunk);
  }, { name: "QueueFull" });
  assert.ok(c.conn_.bufferedAmount <= (1 << 20) + 4096 * 4, String(c.conn_.bufferedAmount));
  const small = c.conn_.absend(Buffer.alloc(0)).then(() => "written", (err) => err.name);
  await c.close();
  assert.equal(await small, "ClosedError");
});

test("a server that accepts and closes at once is met ever more slowly", async (t) => {
  let connections = 0;
  const url = await server(t, (socket, request) => {
    connections++;
    socket.write(upgrade(request));
    socket.end(closeFrame(1012, "retry_after_ms=7"));
  });
  const c = new Client({ reconnectMin: 1, reconnectMax: 2000, maxRetries: 3, keepalive: false });
  const delays = [];
  c.on("reconnecting", ({ attempt, delay }) => delays.push([attempt, delay >= 7]));
  const ended = once(c, "end");
  await c.start(url).catch(() => {});
  const { error } = await ended;
  assert.equal(error.name, "ClosedError");
  assert.equal(error.code, 1012);
  assert.deepEqual(delays, [[1, true], [2, true], [3, true]]);
  assert.equal(connections, 4);
});
