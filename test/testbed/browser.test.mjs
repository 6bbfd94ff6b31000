// Each member of the client in a page of the daemon's, in Chromium. NVSESS_URL is
// a daemon with driver.js, NVSESS_SITE its pages.
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "../browser/chromium.mjs";
import "./members.js";

const { NVSESS_URL: url } = process.env;
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
test("members", async (t) => {
  const page = await open(t, "/");
  await page.evaluate(read("../../web/dist/bwsess.js"));
  await page.evaluate(read("members.js"));
  for (const name of Object.keys(globalThis.members)) {
    if (globalThis.nodeOnly.includes(name)) continue;
    await t.test(name, () => page.evaluate(([name, url]) => runMember(name, Bwsess, url), [name, url]));
  }
});
