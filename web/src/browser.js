import { ClosedError, ConfigError, ConnectError, UnsupportedError, notWebSocket } from "./errors.js";

// A browser tells nobody when bytes have left, only how many have not: below
// this an awaited send is done, above it is looked at again a little later.
const LOW_WATER = 65536;
const LOOK_AGAIN = 10;

/**
 * address makes a relative URL whole, with ws: for the page's http: and wss: for
 * its https:. A whole one is ws: or wss: itself: newer browsers would take
 * http: too, older ones and the other clients of nvsess do not.
 */
export function address(url) {
  if (/^\w+\+unix:/i.test(url)) throw new UnsupportedError(`a browser cannot connect to a unix socket: ${url}`);
  const relative = !/^\s*[a-z][a-z\d+.-]*:/i.test(url);
  let u;
  try {
    u = new URL(url, globalThis.location?.href);
  } catch (cause) {
    throw new ConfigError(`${url} is not a URL`, { cause });
  }
  if (relative) u.protocol = u.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(u.protocol)) throw notWebSocket(url);
  u.hash = "";
  return u.href;
}

/** BrowserSocket is one connection by the browser's own WebSocket. */
export class BrowserSocket {
  #events;
  #ended = false;

  constructor({ url, protocols }, cfg, events) {
    this.#events = events;
    try {
      this.raw = new WebSocket(address(url), protocols);
    } catch (err) {
      if (err instanceof ConfigError || err instanceof UnsupportedError) throw err;
      throw new ConfigError(err.message, { cause: err });
    }
    const ws = this.raw;
    ws.binaryType = "arraybuffer";
    ws.onopen = (event) => {
      this.response = event;
      events.open();
    };
    ws.onmessage = ({ data }) => events.message(typeof data === "string" ? data : new Uint8Array(data));
    let opened = false;
    ws.addEventListener("open", () => {
      opened = true;
    });
    ws.onclose = ({ code, reason, wasClean }) => {
      const error = opened ? undefined : new ConnectError(`cannot connect to ${url}: the console of the browser says why`);
      this.#end({ code, reason, wasClean, error });
    };
  }

  #end(info) {
    if (this.#ended) return;
    this.#ended = true;
    const ws = this.raw;
    ws.onopen = ws.onmessage = ws.onclose = null;
    this.#events.close(info);
  }

  get readyState() {
    return this.#ended ? 3 : this.raw.readyState;
  }

  get protocol() {
    return this.raw.protocol;
  }

  get bufferedAmount() {
    return this.raw.bufferedAmount;
  }

  send(data, done) {
    this.raw.send(data);
    if (done) this.#whenLow(done);
  }

  #whenLow(done) {
    if (this.#ended) done(new ClosedError("the connection ended before the message had left"));
    else if (this.raw.bufferedAmount <= LOW_WATER) done();
    else setTimeout(() => this.#whenLow(done), LOOK_AGAIN);
  }

  ping() {
    throw new UnsupportedError("a page in a browser cannot send ping frames");
  }

  close(code, reason) {
    this.raw.close(code, reason);
  }

  /** terminate ends it here and now; the browser goes on with it by itself. */
  terminate(code, reason, error) {
    try {
      this.raw.close(code >= 3000 ? code : 1000, reason);
    } catch {
      // Nothing to be done for it.
    }
    this.#end({ code, reason, wasClean: false, error });
  }

  describe() {
    const { binaryType, bufferedAmount, protocol, url } = this.raw;
    return { binaryType, bufferedAmount, protocol, state: ["CONNECTING", "OPEN", "CLOSING", "CLOSED"][this.readyState], url };
  }

  describeServer() {
    return this.describe();
  }
}
