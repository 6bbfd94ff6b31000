// The client in a page against the cases of internal/hostile, which the other
// clients are held to. There it is the browser that parses; what it must do is the
// same, what it tells a page is less.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { open } from "./chromium.mjs";

const control = process.env.NVSESS_HOSTILE;
if (!control) throw new Error("NVSESS_HOSTILE is not set: go test ./test/browser sets it");

async function ask(path) {
  const res = await fetch(control + path);
  const body = await res.text();
  if (!res.ok) throw new Error(body);
  return JSON.parse(body);
}

const { url, cases } = await ask("/cases");
const page = await open({ after }, "/module");
await page.waitForFunction("globalThis.nvsess");

/** play plays a case and gives what became of it. */
async function play(index, c) {
  const run = `browser-${index}`;
  const got = await page.evaluate(
    async ({ url, settings }) => {
      const client = new nvsess.Client({ autoReconnect: false, keepalive: false, ...settings });
      const messages = [];
      client.on("message", ({ kind, data }) => messages.push(kind === "binary" ? `binary ${data.length}` : data));
      let opened = false;
      client.on("open", () => (opened = true));
      const closed = new Promise((resolve) => client.on("close", resolve));
      try {
        await client.start(url);
      } catch (err) {
        if (!opened) return { failed: err.name };
      }
      const { code, wasClean } = await closed;
      return { code, wasClean, messages };
    },
    {
      url: `${url}/${index}/${run}/0`,
      settings: { ...(c.hurry && { closeTimeout: 250 }), ...(c.end === "timeout" && { connectTimeout: 250 }) },
    },
  );
  return got.failed ? got : { ...got, ...(await ask(`/verdict?run=${run}`)) };
}

/** otherwise are the cases that make no sense in a page, or in which Chromium is not as strict. */
const otherwise = [
  /^4\.1 compression that was not offered/, // it always offers it
  /^4\.1 HTTP\/1\.0/, // may upgrade
  /^RFC 7692, 7\.1: the answer "permessage-deflate"$/, // answers that
  /a context taken over against what was agreed$/, // is kept at any rate
  /informational answers/, // are none before an upgrade
  /that does not end$/, // a text is looked at when it is whole
  /the code (?!1005|1006|1015)\d+, which is none$/, // is echoed
  /after the close frame$|a close frame within a message$/, // what comes then is a violation
];

describe("a page's client conforms", { concurrency: 4 }, () => {
  for (const [index, c] of cases.entries()) {
    // A page sets no limits.
    if (c.end === "too big" || otherwise.some((name) => name.test(c.name))) continue;
    test(c.name, async () => {
      const ends = [c.end, c.or];
      const got = await play(index, c);
      if (got.failed) {
        // Why, only the console of the browser says.
        assert.ok(["refused", "unconnected", "timeout"].some((end) => ends.includes(end)), got.failed);
        assert.equal(got.failed, c.end === "timeout" ? "TimeoutError" : "ConnectError");
        return;
      }
      const { code, wasClean, messages, told, illegal } = got;
      assert.equal(illegal, "");
      assert.deepEqual(messages, c.messages.slice(0, messages.length));
      if (wasClean) {
        assert.ok(ends.includes("closed"), c.end);
        if (!c.or) assert.deepEqual([code, told, messages], [c.code, c.code, c.messages]);
        return;
      }
      // A violation, too, is a lost connection to a page, and may take messages
      // that came just before it along. The server is told one code for all.
      if (c.or !== "closed") assert.equal(code, 1006); // else the close frame may have come
      if (c.end === "violation") assert.equal(told, 1002);
      else assert.ok(ends.includes("broken"), c.end);
      if (c.end === "broken" && !c.or) assert.deepEqual([told, messages], [0, c.messages]);
    });
  }
});
