'use strict';

// The Node servers take the flags of the Go ones: -listen unix:/path or
// tcp:host:port, -mode echo|forward|idle, -keepalive 10s. A server may have more
// modes than those.

function parse(defaults, ...moreModes) {
  const modes = ['echo', 'forward', 'idle', ...moreModes];
  const flags = { mode: 'echo', ...defaults };
  const args = process.argv.slice(2);
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--?/, '');
    if (!['listen', 'mode', 'keepalive'].includes(name) || args[i + 1] === undefined) {
      throw new Error(`unknown flag or no value: ${args[i]}`);
    }
    flags[name] = args[i + 1];
  }
  const place = /^unix:(.+)$|^tcp:(.+):(\d+)$/.exec(flags.listen ?? '');
  if (!place) throw new Error('-listen unix:/path or tcp:host:port');
  const seconds = /^(\d+(?:\.\d+)?)s?$/.exec(flags.keepalive ?? '0');
  if (!seconds) throw new Error('-keepalive: seconds, like 10s');
  if (!modes.includes(flags.mode)) throw new Error('-mode ' + modes.join('|'));
  return {
    mode: flags.mode,
    keepaliveMillis: Number(seconds[1]) * 1000,
    listen: place[1] ? { path: place[1] } : { host: place[2], port: Number(place[3]) },
  };
}

// serve listens and ends the process on a signal, without waiting for clients.
function serve(httpServer, flags) {
  httpServer.listen({ ...flags.listen, backlog: 4096 });
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      httpServer.close();
      process.exit(0);
    });
  }
}

module.exports = { parse, serve };
