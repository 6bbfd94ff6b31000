import { ConfigError, notWebSocket } from "../errors.js";

/**
 * parseAddress takes a URL apart into what node:http wants:
 * ws://HOST[:PORT]/PATH, wss://..., ws+unix:///PATH/TO.SOCK and
 * ws+unix:///PATH/TO.SOCK:/REQUEST/PATH; a colon of the socket's own path is
 * written %3A.
 */
export function parseAddress(url) {
  const bad = (why) => new ConfigError(`${url}: ${why}`);
  const unix = /^ws\+unix:\/\/(.*)$/is.exec(url);
  if (unix) {
    const [, escaped, request] = /^([^:?#]*):?([^#]*)$/s.exec(unix[1]) ?? [];
    if (escaped === undefined) throw bad("a WebSocket URL has no #fragment");
    let socketPath;
    try {
      socketPath = decodeURIComponent(escaped);
    } catch {
      throw bad("the socket's path has a % that is no escape");
    }
    if (!/^\/+[^/]/.test(socketPath)) throw bad("a socket's path is absolute: ws+unix:///path/to.sock");
    if (socketPath.includes("\0")) throw bad("the socket's path contains a NUL");
    if (request && !/^[/?]/.test(request)) throw bad("the request path after the colon begins with /");
    const u = new URL(request || "/", "http://localhost");
    return { tls: false, socketPath, path: u.pathname + u.search, host: "localhost" };
  }
  let u;
  try {
    u = new URL(url);
  } catch (cause) {
    throw new ConfigError(`${url} is not a URL`, { cause });
  }
  const scheme = u.protocol;
  if (scheme !== "ws:" && scheme !== "wss:") throw notWebSocket(url);
  if (u.hash || url.endsWith("#")) throw bad("a WebSocket URL has no #fragment");
  const auth = u.username || u.password ? `${decodeURIComponent(u.username)}:${decodeURIComponent(u.password)}` : undefined;
  return {
    tls: scheme === "wss:",
    hostname: u.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: u.port || (scheme === "wss:" ? 443 : 80),
    path: u.pathname + u.search,
    host: u.host,
    auth,
  };
}
