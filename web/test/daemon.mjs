// A real nvsessd for the tests. NVSESS_BIN is where nvsessd and nvsessctl are.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const bin = process.env.NVSESS_BIN;
if (!bin) throw new Error("NVSESS_BIN is not set: go test ./web sets it");

/** daemon starts nvsessd and ends it with the test t. */
export async function daemon(t, { mode = "echo", config = "", dir, port = 0 } = {}) {
  const own = dir === undefined;
  dir ??= mkdtempSync(join(tmpdir(), "nvw"));
  const file = join(dir, "nvsess.toml");
  writeFileSync(file, config);
  const sock = join(dir, "s");
  const admin = join(dir, "a");
  const child = spawn(join(bin, "nvsessd"), [
    ...["-config", file, "-mode", mode, "-admin", admin, "-listen", `unix:${sock}`, "-listen", `tcp:127.0.0.1:${port}`],
  ]);
  let stderr = "";
  child.stderr.on("data", (b) => (stderr += b));
  const exited = new Promise((resolve) => child.on("exit", resolve));
  const stop = async (signal = "SIGTERM") => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      child.kill("SIGCONT"); // a test may have stopped it
    }
    return exited;
  };
  t.after(async () => {
    await stop();
    if (own) rmSync(dir, { recursive: true, force: true });
  });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const m = /clients:\s+(wss?:\/\/\S+)/.exec(line);
      if (m) resolve(m[1]);
    });
    exited.then((code) => reject(new Error(`nvsessd ended with ${code}: ${stderr}`)));
  });
  const ctl = (...args) =>
    new Promise((resolve, reject) => {
      execFile(join(bin, "nvsessctl"), ["-s", admin, ...args], { timeout: 30000 }, (err, stdout, errout) => {
        if (err) reject(new Error(`nvsessctl ${args.join(" ")}: ${errout || err.message}`));
        else resolve(stdout);
      });
    });
  return { url, unix: `ws+unix://${sock}`, dir, port: Number(new URL(url).port), ctl, stop, pid: child.pid };
}

/** once gives the next event of a client for which match holds. */
export function once(client, event, match = () => true) {
  return new Promise((resolve) => {
    const off = client.on(event, (e) => {
      if (!match(e)) return;
      off();
      resolve(e);
    });
  });
}

/** connect starts a client and closes it with the test. */
export async function connect(t, Client, url, cfg = {}, ...rest) {
  const c = new Client({ reconnectMin: 5, reconnectMax: 100, ...cfg });
  t.after(() => c.close());
  await c.start(url, ...rest);
  return c;
}
