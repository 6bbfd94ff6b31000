// wss:// against a real daemon with a certificate of its own making.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "../dist/nvsess.mjs";
import { connect, daemon, once } from "./daemon.mjs";

const file = (name) => join(process.env.NVSESS_BIN, name);

test("a certificate is verified, unless told otherwise", async (t) => {
  const d = await daemon(t, { config: `tls_cert = "${file("cert.pem")}"\ntls_key = "${file("key.pem")}"\n` });
  const url = `wss://localhost:${d.port}/`;
  let errors = 0;
  const c = new Client();
  c.on("error", () => errors++);
  // Not tried again: it would not change.
  await assert.rejects(c.start(url), { name: "ConnectError", code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  assert.equal(errors, 1);
  const ca = readFileSync(file("cert.pem"));
  const ways = [
    [{}, { tls: { ca } }],
    [{ tlsOptions: { ca } }, {}],
    [{ rejectUnauthorized: false }, {}],
    [{ tlsOptions: { rejectUnauthorized: false } }, {}],
  ];
  for (const [cfg, options] of ways) {
    const c = await connect(t, Client, url, cfg, undefined, options);
    const back = once(c, "message");
    c.conn_.ssend("secret");
    assert.equal((await back).data, "secret");
  }
  const stock = await connect(t, Client, url, {}, undefined, "https://localhost", { "x-own": "1" }, { rejectUnauthorized: false });
  assert.equal(stock.conn_.state, "open");
  await assert.rejects(new Client().start(`wss://127.0.0.1:${d.port}/`, undefined, { tls: { ca } }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});
