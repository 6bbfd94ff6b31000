// What Node.js's prompt does, for a program: each line of standard input is JSON
// {n, code}; each line of standard output is JSON too: {log} for what the code
// writes with console.log, and {n, value} or {n, error} for its end. require
// begins where the client is.
"use strict";
const { createRequire } = require("node:module");
const { createInterface } = require("node:readline");
const repl = require("node:repl");
const { PassThrough } = require("node:stream");
const util = require("node:util");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
for (const name of ["log", "error", "warn", "info"]) console[name] = (...args) => say({ log: util.format(...args) });
console.dir = (value, options) => say({ log: util.inspect(value, { customInspect: false, ...options }) });
process.on("uncaughtException", (err) => say({ log: "Uncaught " + util.inspect(err) }));
process.chdir(process.argv[2]);

const r = repl.start({ prompt: "", input: new PassThrough(), output: new PassThrough(), useGlobal: true });
globalThis.require = createRequire(process.argv[2] + "/");
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { n, code } = JSON.parse(line);
    r.eval(code + "\n", r.context, "node", (err, value) => say(err ? { n, error: util.inspect(err) } : { n, value: util.inspect(value) }));
  })
  .on("close", () => process.exit());
