// The client in Node against every case of internal/hostile, which the Go client
// is held to as well.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../dist/nvsess.mjs";

const control = process.env.NVSESS_HOSTILE;
if (!control) throw new Error("NVSESS_HOSTILE is not set: go test ./web sets it");

async function ask(path) {
  const res = await fetch(control + path);
  const body = await res.text();
  if (!res.ok) throw new Error(body);
  return JSON.parse(body);
}

const { url, maxMessage, cases } = await ask("/cases");

/** ended tells how a connection ended, in the words of the cases. */
function ended(code, error) {
  if (!error) return code === 1006 ? "broken" : "closed";
  if (error.name !== "ProtocolError") return code === 1006 ? "broken" : error.name;
  return code === 1009 || code === 1008 ? "too big" : "violation";
}

const failed = { HandshakeError: "refused", ConnectError: "unconnected", TimeoutError: "timeout" };

async function conform(index, c, split) {
  const run = `js-${index}-${split}`;
  const client = new Client({
    autoReconnect: false,
    keepalive: false,
    maxMessage,
    ...(c.hurry && { closeTimeout: 250 }),
    ...(c.end === "timeout" && { connectTimeout: 250 }),
  });
  const messages = [];
  let error, opened;
  client.on("message", ({ kind, data }) => messages.push(kind === "binary" ? `binary ${data.length}` : data));
  client.on("error", (err) => (error ??= err));
  client.on("open", () => (opened = true));
  const closed = new Promise((resolve) => client.on("close", resolve));
  let end, code;
  try {
    await client.start(`${url}/${index}/${run}/${split}`);
  } catch (err) {
    if (!opened) {
      end = failed[err.name] ?? String(err);
      // What is refused is not connected, and a parser may find fault first.
      if (end === "refused" && c.end === "unconnected") end = "unconnected";
      assert.doesNotMatch(err.message, /[\x00-\x1f\x7f]/);
      assert.ok(err.message.length < 1200, "a short message");
    }
  }
  if (opened) {
    const event = await closed;
    code = event.code;
    end = ended(code, error);
    assert.equal(event.wasClean, end === "closed");
  }
  const or = c.or !== undefined && end === c.or;
  if (!or) assert.deepEqual([end, code], [c.end, c.code], String(error?.stack));
  if (c.or === undefined) assert.deepEqual(messages, c.messages);
  else assert.deepEqual(messages, c.messages.slice(0, messages.length));
  const { told, illegal } = await ask(`/verdict?run=${run}`);
  assert.equal(illegal, "");
  if (c.or === undefined) assert.equal(told, c.end === "broken" ? 0 : (c.code ?? 0));
}

for (const [index, c] of cases.entries()) {
  // It does not offer compression.
  if (c.compression) continue;
  test(c.name, () => conform(index, c, 0));
  if (!c.whole) test(`${c.name}, byte by byte`, () => conform(index, c, 1));
}
