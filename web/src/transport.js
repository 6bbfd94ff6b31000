import { BrowserSocket, address } from "./browser.js";
import { ConfigError } from "./errors.js";
import { builtins } from "./node/builtins.js";
import { NodeSocket } from "./node/socket.js";
import { parseAddress } from "./node/address.js";

/** Whether this is Node, rather than a page or a worker of one. */
export const inNode = () => globalThis.process?.release?.name === "node" && typeof document === "undefined";

/**
 * connector gives a function that makes one connection: the browser's WebSocket,
 * or in Node our own. An address that makes no sense throws at once.
 *
 * What it makes has send(data, done), ping(payload, done), close(code, reason),
 * terminate(code, reason, error), readyState, bufferedAmount, protocol, response,
 * raw, describe(), describeServer(); and calls open(), message(text or bytes),
 * heard() for anything else that arrives, and close({code, reason, wasClean,
 * error, retryAfter}) once.
 */
export async function connector(target, cfg) {
  for (const p of target.protocols) {
    // RFC 6455, section 4.1: a token, and none twice.
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(p)) throw new ConfigError(`${JSON.stringify(p)} is not a subprotocol's name`);
    if (target.protocols.indexOf(p) !== target.protocols.lastIndexOf(p)) throw new ConfigError(`the subprotocol ${p} is offered twice`);
  }
  if (!inNode()) {
    address(target.url);
    return (events) => new BrowserSocket(target, cfg, events);
  }
  parseAddress(target.url);
  const node = await builtins();
  return (events) => new NodeSocket(node, target, cfg, events);
}
