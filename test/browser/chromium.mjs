// A Chromium of its own for each test file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { chromium } from "playwright-core";

const { CHROMIUM: executablePath, NVSESS_SITE: site } = process.env;
if (!executablePath || !site) throw new Error("CHROMIUM and NVSESS_SITE are not set: go test ./test/browser sets them");
export { site };

const profile = mkdtempSync(join(tmpdir(), "nvb-profile"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  ],
});
after(async () => {
  await browser.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});

/** open gives a page; the test t fails if an error goes uncaught in it. */
export async function open(t, path) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (err) => errors.push(err));
  await page.goto(new URL(path, site).href);
  t.after(async () => {
    await page.close();
    if (errors.length) throw new AggregateError(errors, "uncaught errors in the page");
  });
  return page;
}
