// The page of web/demo.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "./chromium.mjs";

const ctl = (...args) =>
  new Promise((resolve, reject) => {
    execFile(join(process.env.NVSESS_BIN, "nvsessctl"), ["-s", process.env.NVSESS_ADMIN, ...args], { timeout: 30000 }, (err, stdout, stderr) =>
      err ? reject(new Error(stderr || err.message)) : resolve(stdout),
    );
  });

async function demo(t) {
  const page = await open(t, "/");
  await page.waitForSelector('[data-state="open"]');
  // Its own id is known once the daemon has greeted it.
  await page.waitForFunction(() => document.getElementById("sessid").textContent.length > 5);
  return page;
}

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

test("two tabs talk; what they say is text, never markup", async (t) => {
  const [a, b] = [await demo(t), await demo(t)];
  const hostile = '<img src=x onerror="document.title=`owned`"><b>bold</b>';
  await say(a, hostile);
  await b.locator(".msg.in .body", { hasText: hostile }).waitFor();
  await say(a, JSON.stringify({ "<b>key</b>": "<img src=x>" }));
  await b.locator(".msg.in .body.json", { hasText: '"<b>key</b>": "<img src=x>"' }).waitFor();
  assert.equal(await b.locator(".log img, .log b").count(), 0);
  assert.equal(await b.title(), "nvsess");
  await b.setInputFiles("#file", { name: "x.bin", mimeType: "application/octet-stream", buffer: Buffer.from([0, 1, 2, 255]) });
  await a.locator(".msg.in .hex", { hasText: "00 01 02 ff" }).waitFor();
});

test("a request of the console is a card, and is answered from it", async (t) => {
  const page = await demo(t);
  const answer = ctl("--json", "send_jrr_sreq", "lst", '{"question":"<i>ready?</i>"}');
  const card = page.locator(".ask");
  await card.waitFor();
  assert.match(await card.locator("pre").textContent(), /<i>ready\?<\/i>/);
  assert.equal(await page.title(), "(1) nvsess");
  await card.locator("textarea").fill("{broken");
  assert.ok(await card.locator("button", { hasText: "Answer" }).isDisabled());
  await card.locator("textarea").fill('{"yes": [1]}');
  await card.locator("button", { hasText: "Answer" }).click();
  assert.match((await answer).replace(/\s/g, ""), /"yes":\[1\]/);
  await card.waitFor({ state: "detached" });
});

test("it asks the server, and survives its restart", async (t) => {
  const page = await demo(t);
  const waiting = ctl("--json", "send_jrr_sreq", "lst", "{}").catch((err) => err.message);
  await page.locator(".ask").waitFor();
  await ctl("restart");
  assert.match(await waiting, /closed/);
  await page.locator(".ask.gone").waitFor();
  await page.locator(".event", { hasText: "connected again" }).waitFor();
  await page.click("#toggle");
  await page.waitForSelector('[data-state="closed"]');
  await page.click("#toggle");
  await page.waitForSelector('[data-state="open"]');
});

/** outside names what reaches beyond the window's right edge, and is not in a box that scrolls by itself. */
const outside = (page) =>
  page.evaluate(() => {
    const scrolls = (e) => e !== document.body && e !== document.documentElement && /auto|scroll/.test(getComputedStyle(e).overflowX) && !e.matches(".log, aside");
    const found = [];
    const look = (e) => {
      const box = e.getBoundingClientRect();
      if (box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5)) found.push(`${e.tagName}.${e.className}#${e.id} ${box.left}..${box.right}`);
      if (!scrolls(e)) for (const child of e.children) look(child);
    };
    look(document.body);
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth !== clientWidth) found.push(`the page is ${scrollWidth} wide`);
    return found;
  });

/** busy fills a page with what is long. */
async function busy(t, page) {
  const waiting = ctl("--json", "send_jrr_sreq", "lst", JSON.stringify({ ["q".repeat(200)]: "z".repeat(300) })).catch((err) => err.message);
  t.after(() => waiting);
  await page.locator(".ask").waitFor();
  await say(page, "x".repeat(300));
  await say(page, JSON.stringify({ long: "y".repeat(300) }));
  await page.setInputFiles("#file", { name: `${"n".repeat(200)}.bin`, mimeType: "application/octet-stream", buffer: Buffer.alloc(100, 200) });
  await page.locator(".msg.out .body.binary").waitFor();
  await page.fill("#text", "w".repeat(500));
}

test("it fits a phone", async (t) => {
  const page = await demo(t);
  await busy(t, page);
  for (const width of [390, 360, 320]) {
    await page.setViewportSize({ width, height: 640 });
    assert.deepEqual(await outside(page), [], `at ${width}`);
  }
});

test("it fits right after it was resized", async (t) => {
  const page = await demo(t);
  await page.setViewportSize({ width: 1200, height: 800 });
  await busy(t, page);
  assert.deepEqual(await outside(page), [], "at 1200");
  for (const width of [390, 1200, 861, 860, 390]) {
    await page.setViewportSize({ width, height: 800 });
    assert.deepEqual(await outside(page), [], `at ${width}`);
    // Nothing scrolls it sideways, not even focus.
    await page.locator("#send").focus();
    assert.equal(await page.evaluate(() => scrollX + document.body.scrollLeft), 0, `at ${width}`);
  }
});
