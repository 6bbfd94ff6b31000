// Each member of the client in Node.js. NVSESS_URL is a daemon with driver.js.
import { createRequire } from "node:module";
import { test } from "node:test";
import { Client } from "../../web/dist/nvsess.mjs";
import "./members.js";

const { NVSESS_URL: url } = process.env;
const Bwsess = createRequire(import.meta.url)("../../web/dist/bwsess.js");
for (const name of Object.keys(globalThis.members)) {
  test(name, async () => {
    await globalThis.runMember(name, Client, url);
    await globalThis.runMember(name, Bwsess, url);
  });
}
