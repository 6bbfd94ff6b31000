// src/bytes.js
var encoder = new TextEncoder();
var isBlob = (v) => typeof Blob === "function" && v instanceof Blob;
var isShared = (v) => typeof SharedArrayBuffer === "function" && v instanceof SharedArrayBuffer;
function octet(v, at) {
  if (Number.isInteger(v) && v >= 0 && v <= 255) return v;
  throw new TypeError(`element ${at} of the array is no byte: it must be a whole number from 0 to 255`);
}
function to_u8ary(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || isShared(data)) return new Uint8Array(data);
  if (Object.prototype.toString.call(data) === "[object ArrayBuffer]") return new Uint8Array(data);
  if (Array.isArray(data)) return Uint8Array.from(data, octet);
  if (typeof data === "string") return encoder.encode(data);
  if (isBlob(data)) throw new TypeError("a Blob's bytes come later: await ato_u8ary(blob), or absend(blob)");
  throw new TypeError(`${data === null ? "null" : typeof data} is not bytes: give a typed array, DataView, ArrayBuffer, array or string`);
}
async function ato_u8ary(data) {
  return isBlob(data) ? new Uint8Array(await data.arrayBuffer()) : to_u8ary(data);
}
function sizeOf(data) {
  if (typeof data === "string") return encoder.encode(data).length;
  return data.byteLength ?? data.size;
}

// src/errors.js
var NvsessError = class extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = this.constructor.errorName;
  }
};
NvsessError.errorName = "NvsessError";
var kind = (name, Base = NvsessError) => {
  const C = class extends Base {
  };
  C.errorName = name;
  Object.defineProperty(C, "name", { value: name });
  return C;
};
var ConfigError = kind("ConfigError");
var notWebSocket = (url) => new ConfigError(`${url} is not a WebSocket URL: ws://, wss:// or ws+unix://`);
var ClosedError = kind("ClosedError");
var TimeoutError = kind("TimeoutError");
var QueueFull = kind("QueueFull");
var TooManyPending = kind("TooManyPending");
var ConnectError = kind("ConnectError");
var HandshakeError = kind("HandshakeError", ConnectError);
var ProtocolError = kind("ProtocolError");
var KeepaliveError = kind("KeepaliveError");
var UnsupportedError = kind("UnsupportedError");
var withFields = (err, fields) => Object.assign(err, fields);

// src/config.js
var DFLT_CFG = () => ({
  // Reconnecting: see backoff.js.
  autoReconnect: true,
  reconnectMin: 500,
  reconnectMax: 3e4,
  reconnectFactor: 2,
  maxRetries: Infinity,
  retryAfterMax: 3e5,
  fatalStatus: [401, 403, 404],
  // What waits while there is no connection, and in one that is slow.
  queueMessages: 256,
  queueBytes: 1048576,
  maxBuffered: 16777216,
  requestTimeout: 15e3,
  maxPending: 1024,
  keepalive: true,
  keepaliveInterval: 2e4,
  connectTimeout: 15e3,
  closeTimeout: 5e3,
  // Node only.
  maxMessage: 16777216,
  fragmentOutgoingMessages: true,
  fragmentationThreshold: 16384,
  rejectUnauthorized: true,
  tlsOptions: {},
  // true: console.debug; or a function that takes what happened.
  debug: false
});
var MAX_DELAY = 2 ** 31 - 1;
var between = (min, max, whole = true) => (v) => typeof v === "number" && v >= min && v <= max && (!whole || v === Infinity || Number.isInteger(v)) || `a number from ${min} to ${max}`;
var isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
var flag = (v) => typeof v === "boolean" || "true or false";
var aMessage = between(1, 2 ** 30);
var rules = {
  autoReconnect: flag,
  reconnectMin: between(0, MAX_DELAY, false),
  reconnectMax: between(0, MAX_DELAY, false),
  reconnectFactor: between(1, 100, false),
  maxRetries: between(0, Infinity),
  retryAfterMax: between(0, MAX_DELAY, false),
  fatalStatus: (v) => Array.isArray(v) && v.every((s) => Number.isInteger(s) && s > 99 && s < 600) || "a list of HTTP status codes",
  queueMessages: between(0, Infinity),
  queueBytes: between(0, Infinity),
  maxBuffered: between(1, Infinity),
  requestTimeout: between(0, MAX_DELAY, false),
  maxPending: between(1, Infinity),
  keepalive: flag,
  keepaliveInterval: between(20, MAX_DELAY, false),
  connectTimeout: between(1, MAX_DELAY, false),
  closeTimeout: between(1, MAX_DELAY, false),
  maxMessage: aMessage,
  fragmentOutgoingMessages: flag,
  fragmentationThreshold: between(1, Infinity),
  rejectUnauthorized: flag,
  tlsOptions: (v) => isObject(v) || "an object",
  debug: (v) => typeof v === "boolean" || typeof v === "function" || "true, false or a function"
};
var theirs = {
  autoReconnectInterval: rules.reconnectMin,
  maxReceivedMessageSize: aMessage,
  disableNagleAlgorithm: flag,
  maxReceivedFrameSize: between(1, Infinity),
  assembleFragments: flag,
  webSocketVersion: (v) => v === 13 || "13"
};
function distance(a, b) {
  let row = [...b, ""].map((_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) next.push(Math.min(row[j] + (a[i] !== b[j]), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row[b.length];
}
function onlyKnown(given, known, what) {
  if (!isObject(given)) throw new ConfigError(`every ${what} is given in an object, not in ${shown(given)}`);
  for (const k of Object.keys(given)) {
    if (known.includes(k)) continue;
    const name = k.slice(0, 64);
    const far = (to) => distance(name.toLowerCase(), to.toLowerCase());
    const nearest = known.reduce((a, b) => far(b) < far(a) ? b : a);
    throw new ConfigError(`there is no ${what} ${name}; the nearest is ${nearest}`);
  }
}
function configure(given) {
  const cfg = DFLT_CFG();
  given ??= {};
  const known = { ...rules, ...theirs };
  onlyKnown(given, Object.keys(known), "setting");
  for (const k in known) {
    if (given[k] !== void 0) cfg[k] = given[k];
  }
  if (cfg.keepaliveInterval === 0) {
    cfg.keepalive = false;
    cfg.keepaliveInterval = DFLT_CFG().keepaliveInterval;
  }
  for (const k in known) {
    const verdict = cfg[k] === void 0 || known[k](cfg[k]);
    if (verdict !== true) throw new ConfigError(`${k} is ${shown(cfg[k])}: it must be ${verdict}`);
  }
  if (cfg.autoReconnectInterval !== void 0 && given.reconnectMin === void 0) {
    cfg.reconnectMin = cfg.autoReconnectInterval;
    if (given.reconnectMax === void 0) cfg.reconnectMax = Math.max(cfg.reconnectMax, cfg.reconnectMin);
  }
  if (cfg.maxReceivedMessageSize !== void 0 && given.maxMessage === void 0) cfg.maxMessage = cfg.maxReceivedMessageSize;
  if (cfg.reconnectMax < cfg.reconnectMin) {
    throw new ConfigError(`reconnectMax (${cfg.reconnectMax}) is less than reconnectMin (${cfg.reconnectMin})`);
  }
  return cfg;
}
function shown(v) {
  if (typeof v === "string") return JSON.stringify(v.slice(0, 64));
  if (Array.isArray(v)) return "an array";
  return typeof v === "object" && v !== null ? "an object" : typeof v === "function" ? "a function" : String(v);
}

// src/envelope.js
var CFG = "___cfg___";
var PING = "___ping___";
var PONG = "___pong___";
var CREQ = "___creq___";
var SRES = "___sres___";
var SREQ = "___sreq___";
var CRES = "___cres___";
var ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
function newID() {
  let id = "";
  for (const b of globalThis.crypto.getRandomValues(new Uint8Array(64))) id += ALPHABET[b & 63];
  return id;
}
function envelope(type, data, id = newID()) {
  return JSON.stringify({ ___type___: type, ___id___: id, ___data___: data });
}
function ownCfg(sessid, keepaliveInterval) {
  return JSON.stringify({ ___type___: CFG, ___data___: { sessid, keepaliveInterval } });
}
function parseText(text) {
  if (!/^[ \t\r\n]*[[{]/.test(text)) return void 0;
  try {
    return JSON.parse(text);
  } catch {
    return void 0;
  }
}

// src/browser.js
var LOW_WATER = 65536;
var LOOK_AGAIN = 10;
function address(url) {
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
var BrowserSocket = class {
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
      const error = opened ? void 0 : new ConnectError(`cannot connect to ${url}: the console of the browser says why`);
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
      this.raw.close(code >= 3e3 ? code : 1e3, reason);
    } catch {
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
};

// src/node/builtins.js
var found;
async function builtins() {
  if (found) return found;
  const get = globalThis.process.getBuiltinModule;
  const load = async (name) => get ? get(name) : import(
    /* webpackIgnore: true */
    /* @vite-ignore */
    name
  );
  const [http, https, crypto, buffer] = await Promise.all(["node:http", "node:https", "node:crypto", "node:buffer"].map(load));
  found = { http, https, crypto, isUtf8: buffer.isUtf8 };
  return found;
}

// src/node/address.js
function parseAddress(url) {
  const bad = (why) => new ConfigError(`${url}: ${why}`);
  const unix = /^ws\+unix:\/\/(.*)$/is.exec(url);
  if (unix) {
    const [, escaped, request] = /^([^:?#]*):?([^#]*)$/s.exec(unix[1]) ?? [];
    if (escaped === void 0) throw bad("a WebSocket URL has no #fragment");
    let socketPath;
    try {
      socketPath = decodeURIComponent(escaped);
    } catch {
      throw bad("the socket's path has a % that is no escape");
    }
    if (!/^\/+[^/]/.test(socketPath)) throw bad("a socket's path is absolute: ws+unix:///path/to.sock");
    if (socketPath.includes("\0")) throw bad("the socket's path contains a NUL");
    if (request && !/^[/?]/.test(request)) throw bad("the request path after the colon begins with /");
    const u2 = new URL(request || "/", "http://localhost");
    return { tls: false, socketPath, path: u2.pathname + u2.search, host: "localhost" };
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
  const auth = u.username || u.password ? `${decodeURIComponent(u.username)}:${decodeURIComponent(u.password)}` : void 0;
  return {
    tls: scheme === "wss:",
    hostname: u.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: u.port || (scheme === "wss:" ? 443 : 80),
    path: u.pathname + u.search,
    host: u.host,
    auth
  };
}

// src/node/frame.js
var CONT = 0;
var TEXT = 1;
var BINARY = 2;
var CLOSE = 8;
var PING2 = 9;
var PONG2 = 10;
function encodeFrame(opcode, payload, fin, mask) {
  const n = payload.length;
  const head = n < 126 ? 2 : n < 65536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + 4 + n);
  frame[0] = (fin ? 128 : 0) | opcode;
  if (head === 2) {
    frame[1] = 128 | n;
  } else if (head === 4) {
    frame[1] = 128 | 126;
    frame.writeUInt16BE(n, 2);
  } else {
    frame[1] = 128 | 127;
    frame.writeBigUInt64BE(BigInt(n), 2);
  }
  frame.set(mask, head);
  const at = head + 4;
  for (let i = 0; i < n; i++) frame[at + i] = payload[i] ^ mask[i & 3];
  return frame;
}
function closePayload(code, reason = "") {
  if (code === void 0 || code === 1005) return Buffer.alloc(0);
  let text = Buffer.from(reason);
  if (text.length > 123) {
    let cut = 123;
    while ((text[cut] & 192) === 128) cut--;
    text = text.subarray(0, cut);
  }
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code, 0);
  payload.set(text, 2);
  return payload;
}
var legalCloseCode = (code) => code >= 1e3 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006 || code >= 3e3 && code <= 4999;

// src/node/decoder.js
var MAX_FRAGMENTS = 131072;
var violation = (message, code = 1002) => withFields(new ProtocolError(`the server broke RFC 6455: ${message}`), { code });
var Decoder = class {
  #max;
  #isUtf8;
  #out;
  #head = Buffer.alloc(10);
  // a frame's header as it comes
  #have = 0;
  #frame;
  // {fin, opcode, left} while its payload comes
  #kind = 0;
  // opcode of the message under way
  #fragments = 0;
  // of it
  #body = Buffer.alloc(0);
  // its payload so far, at the beginning of a larger buffer
  #used = 0;
  #valid = 0;
  // bytes of it that are whole characters
  #control = Buffer.alloc(125);
  // a control frame's payload so far
  #controlUsed = 0;
  #closed = false;
  /** out: text(string), binary(Buffer), ping(payload), pong(payload), close(code, reason). */
  constructor(maxMessage, isUtf8, out) {
    this.#max = maxMessage;
    this.#isUtf8 = isUtf8;
    this.#out = out;
  }
  /** push takes bytes; a ProtocolError is thrown after what came before it was given out. */
  push(chunk) {
    let at = 0;
    while (!this.#closed) {
      if (!this.#frame) {
        const need = this.#headerLength() - this.#have;
        const n2 = Math.min(need, chunk.length - at);
        chunk.copy(this.#head, this.#have, at, at + n2);
        this.#have += n2;
        at += n2;
        if (this.#have < 2) return;
        if (this.#have === 2 && n2) this.#checkStart();
        if (this.#have < this.#headerLength()) {
          if (at === chunk.length) return;
          continue;
        }
        this.#begin();
      }
      const frame = this.#frame;
      const n = Math.min(frame.left, chunk.length - at);
      const part = chunk.subarray(at, at + n);
      at += n;
      frame.left -= n;
      if (frame.opcode >= CLOSE) {
        this.#controlUsed += part.copy(this.#control, this.#controlUsed);
      } else if (frame.left === 0 && frame.fin && this.#used === 0) {
        this.#frame = void 0;
        this.#message(part);
        continue;
      } else {
        this.#append(part);
      }
      if (frame.left > 0) return;
      this.#frame = void 0;
      if (frame.opcode >= CLOSE) this.#controlFrame(frame.opcode);
      else if (frame.fin) this.#finish();
    }
  }
  #headerLength() {
    if (this.#have < 2) return 2;
    const n = this.#head[1] & 127;
    return n < 126 ? 2 : n === 126 ? 4 : 10;
  }
  /** What the first two bytes already tell. */
  #checkStart() {
    const [first, second] = this.#head;
    const opcode = first & 15;
    if (first & 112) throw violation("a reserved bit without an extension");
    if (second & 128) throw violation("a masked frame");
    if (opcode > BINARY && opcode < CLOSE || opcode > 10) throw violation(`the unknown opcode ${opcode}`);
    if (opcode >= CLOSE) {
      if (!(first & 128)) throw violation("a control frame in fragments");
      if ((second & 127) > 125) throw violation("a control frame of more than 125 bytes");
    } else if (opcode === CONT) {
      if (!this.#kind) throw violation("a continuation of nothing");
    } else if (this.#kind) {
      throw violation("a new message inside another");
    }
  }
  #begin() {
    const head = this.#head;
    let length = head[1] & 127;
    if (length === 126) {
      length = head.readUInt16BE(2);
      if (length < 126) throw violation("a length in more bytes than it needs");
    } else if (length === 127) {
      const big = head.readBigUInt64BE(2);
      if (big < 65536n) throw violation("a length in more bytes than it needs");
      if (big >> 63n) throw violation("a length of 2^63 or more");
      length = Number(big);
    }
    const opcode = head[0] & 15;
    if (opcode < CLOSE) {
      if (this.#used + length > this.#max) throw violation(`a message of more than ${this.#max} bytes`, 1009);
      if (opcode !== CONT) this.#kind = opcode;
      if (++this.#fragments > MAX_FRAGMENTS) throw violation(`a message of more than ${MAX_FRAGMENTS} frames`, 1008);
    }
    this.#have = 0;
    this.#frame = { fin: (head[0] & 128) !== 0, opcode, left: length };
  }
  #append(part) {
    const need = this.#used + part.length;
    if (need > this.#body.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#max, Math.max(need, 2 * this.#body.length, 4096)));
      this.#body.copy(grown, 0, 0, this.#used);
      this.#body = grown;
    }
    part.copy(this.#body, this.#used);
    this.#used = need;
    if (this.#kind === TEXT) this.#checkText();
  }
  /** Text that cannot become UTF-8 any more need not come to its end: RFC 6455, section 8.1. */
  #checkText() {
    const text = this.#body.subarray(this.#valid, this.#used);
    let end = text.length;
    for (let n = 1; n < 4 && n <= text.length; n++) {
      const lead = text[text.length - n];
      if ((lead & 192) === 128) continue;
      const missing = (lead > 239) + (lead > 223) + (lead > 191) + 1 - n;
      if (missing > 0) {
        const second = n > 1 ? text[text.length - n + 1] : lead === 224 ? 160 : lead === 240 ? 144 : 128;
        const rest = [second, ...text.subarray(text.length - n + 2), 128, 128].slice(0, n + missing - 1);
        if (!this.#isUtf8(Buffer.from([lead, ...rest]))) this.#notText();
        end -= n;
      }
      break;
    }
    if (!this.#isUtf8(text.subarray(0, end))) this.#notText();
    this.#valid += end;
  }
  #notText() {
    throw violation("text that is not UTF-8", 1007);
  }
  #finish() {
    const payload = this.#body.subarray(0, this.#used);
    this.#body = Buffer.alloc(0);
    this.#used = this.#valid = 0;
    this.#message(payload);
  }
  #message(payload) {
    const kind2 = this.#kind;
    this.#kind = this.#fragments = 0;
    if (kind2 === TEXT) {
      if (!this.#isUtf8(payload)) this.#notText();
      this.#out.text(payload.toString("utf8"));
    } else {
      this.#out.binary(payload);
    }
  }
  #controlFrame(opcode) {
    const payload = Buffer.from(this.#control.subarray(0, this.#controlUsed));
    this.#controlUsed = 0;
    if (opcode === PING2) {
      this.#out.ping(payload);
    } else if (opcode !== CLOSE) {
      this.#out.pong(payload);
    } else {
      this.#closed = true;
      if (payload.length === 0) {
        this.#out.close(1005, "");
        return;
      }
      const code = payload.length > 1 ? payload.readUInt16BE(0) : 0;
      if (!legalCloseCode(code)) throw violation("a close frame with no legal code");
      const reason = payload.subarray(2);
      if (!this.#isUtf8(reason)) throw violation("a close reason that is not UTF-8", 1007);
      this.#out.close(code, reason.toString("utf8"));
    }
  }
};

// src/node/handshake.js
var GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
var MAX_BODY = 4096;
function requestOptions(address2, target, cfg, key) {
  const headers = {};
  for (const [name, value] of Object.entries(target.headers ?? {})) headers[name.toLowerCase()] = value;
  headers.host ??= address2.host;
  if (target.origin) headers.origin = target.origin;
  Object.assign(headers, { upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13", "sec-websocket-key": key });
  if (target.protocols.length) headers["sec-websocket-protocol"] = target.protocols.join(", ");
  const where = address2.socketPath ? { socketPath: address2.socketPath } : { hostname: address2.hostname, port: address2.port, auth: address2.auth };
  const tls = address2.tls ? { rejectUnauthorized: cfg.rejectUnauthorized, ...cfg.tlsOptions, ...target.tls } : {};
  return { ...tls, ...where, method: "GET", path: address2.path, headers, agent: false };
}
function checkUpgrade(res, key, protocols, crypto) {
  const bad = (what) => new HandshakeError(`the server did not follow RFC 6455: ${what}`);
  const header = (name) => (res.headers[name] ?? "").toLowerCase();
  if (res.httpVersion !== "1.1") throw bad(`its answer is HTTP/${res.httpVersion}`);
  if (header("upgrade") !== "websocket") throw bad("no Upgrade: websocket in its answer");
  if (!header("connection").split(",").some((w) => w.trim() === "upgrade")) throw bad("no Connection: Upgrade in its answer");
  const accept = crypto.createHash("sha1").update(key + GUID).digest("base64");
  if (res.headers["sec-websocket-accept"] !== accept) throw bad("its Sec-WebSocket-Accept is not that of our key");
  if (res.headers["sec-websocket-extensions"] !== void 0) throw bad("an extension that was not offered");
  const chosen = res.headers["sec-websocket-protocol"];
  if (chosen === void 0 && protocols.length) throw bad(`it speaks none of the subprotocols ${protocols.join(", ")}`);
  if (chosen !== void 0 && !protocols.includes(chosen)) throw bad("a subprotocol that was not offered");
  return chosen ?? "";
}
function refusal(res, done) {
  let body = Buffer.alloc(0);
  const finish = () => {
    res.removeAllListeners("data");
    const text = body.toString("utf8").trim();
    const err = new HandshakeError(`the server answered ${res.statusCode}${text ? `: ${JSON.stringify(text.slice(0, 200))}` : ""}`);
    withFields(err, { status: res.statusCode, headers: res.headers, body: text });
    const seconds = Number(res.headers["retry-after"]);
    done(err, seconds > 0 ? seconds * 1e3 : void 0);
  };
  res.on("data", (chunk) => {
    body = Buffer.concat([body, chunk.subarray(0, MAX_BODY - body.length)]);
    if (body.length >= MAX_BODY) finish();
  });
  res.on("error", finish);
  res.on("end", finish);
  res.on("close", finish);
}

// src/node/socket.js
var EMPTY = new Uint8Array(0);
var [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
var MAX_INFORMATION = 64;
var CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_)/;
var NodeSocket = class {
  readyState = CONNECTING;
  protocol = "";
  raw = this;
  #node;
  #url;
  #address;
  #cfg;
  #events;
  #request;
  #decoder;
  #masks = EMPTY;
  #masksUsed = 0;
  #error;
  #peerClose;
  // what the server's close frame said
  #closing;
  // timer of the closing handshake
  #where = {};
  constructor(node, target, cfg, events) {
    this.#node = node;
    this.#url = target.url;
    this.#cfg = cfg;
    this.#events = events;
    this.#address = parseAddress(target.url);
    const key = node.crypto.randomBytes(16).toString("base64");
    const request = (this.#address.tls ? node.https : node.http).request(requestOptions(this.#address, target, cfg, key));
    this.#request = request;
    request.on("upgrade", (res, socket, head) => {
      if (this.readyState !== CONNECTING) {
        socket.destroy();
        return;
      }
      this.response = res;
      try {
        this.protocol = checkUpgrade(res, key, target.protocols, node.crypto);
      } catch (error) {
        socket.destroy();
        this.#end({ code: 1006, reason: "", wasClean: false, error });
        return;
      }
      this.#opened(socket, head);
    });
    let before = 0;
    request.on("information", () => {
      if (++before > MAX_INFORMATION) request.destroy(new Error("informational answers without end"));
    });
    request.on("response", (res) => {
      this.response = res;
      refusal(res, (error, retryAfter) => {
        request.destroy();
        this.#end({ code: 1006, reason: "", wasClean: false, error, retryAfter });
      });
    });
    request.on("error", (cause) => {
      const error = new ConnectError(`cannot connect to ${this.#url}: ${cause.message || cause.code}`, { cause });
      this.#end({ code: 1006, reason: "", wasClean: false, error: withFields(error, { code: cause.code, certificate: CERTIFICATE.test(cause.code) }) });
    });
    request.end();
  }
  #opened(socket, head) {
    this.socket = socket;
    this.readyState = OPEN;
    const { remoteAddress, remoteFamily, remotePort, localAddress, localPort } = socket;
    this.#where = { server: { address: remoteAddress, family: remoteFamily, port: remotePort }, local: { localAddress, localPort } };
    socket.setTimeout(0);
    socket.setNoDelay(this.#cfg.disableNagleAlgorithm ?? true);
    this.#decoder = new Decoder(this.#cfg.maxMessage, this.#node.isUtf8, {
      text: (s) => this.readyState === OPEN && this.#events.message(s),
      binary: (b) => this.readyState === OPEN && this.#events.message(b),
      ping: (payload) => {
        this.#events.heard();
        if (this.readyState === OPEN && socket.writableLength <= this.#cfg.maxBuffered) this.#write(PONG2, payload, true);
      },
      pong: () => this.#events.heard(),
      close: (code, reason) => this.#closedByPeer(code, reason)
    });
    socket.on("error", (err) => {
      this.#error ??= err;
    });
    socket.on("close", () => this.#gone());
    this.#events.open();
    socket.on("data", (chunk) => this.#read(chunk));
    if (head.length) this.#read(head);
  }
  #read(chunk) {
    if (this.readyState === CLOSED || this.#peerClose) return;
    try {
      this.#decoder.push(chunk);
    } catch (err) {
      this.#fail(err);
    }
  }
  /** The server broke the protocol: it is told, and the connection is over. */
  #fail(error) {
    if (this.readyState === OPEN) this.#write(CLOSE, closePayload(error.code), true);
    this.#hangUp(this.#cfg.closeTimeout);
    this.#end({ code: error.code, reason: "", wasClean: false, error });
  }
  /** hangUp ends this side, and reads on: unread bytes would cost the server the close frame. */
  #hangUp(limit) {
    const { socket } = this;
    const timer = setTimeout(() => socket.destroy(), limit);
    socket.once("close", () => clearTimeout(timer));
    socket.end();
  }
  #closedByPeer(code, reason) {
    this.#peerClose = { code, reason };
    if (this.readyState === OPEN) {
      this.readyState = CLOSING;
      this.#write(CLOSE, closePayload(code), true);
      this.#limitClosing();
    }
    this.socket.end();
  }
  #limitClosing() {
    this.#closing ??= setTimeout(() => this.socket.destroy(), this.#cfg.closeTimeout);
  }
  /** The socket has ended, one way or another. */
  #gone() {
    const { code, reason } = this.#peerClose ?? { code: 1006, reason: "" };
    this.#end({ code, reason, wasClean: this.#peerClose !== void 0, error: this.#peerClose ? void 0 : this.#error });
  }
  #end(info) {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    clearTimeout(this.#closing);
    this.#events.close(info);
  }
  #mask() {
    if (this.#masksUsed === this.#masks.length) {
      this.#masks = this.#node.crypto.randomBytes(1024);
      this.#masksUsed = 0;
    }
    this.#masksUsed += 4;
    return this.#masks.subarray(this.#masksUsed - 4, this.#masksUsed);
  }
  #write(opcode, payload, fin, done) {
    this.socket.write(encodeFrame(opcode, payload, fin, this.#mask()), done);
  }
  get bufferedAmount() {
    return this.socket?.writableLength ?? 0;
  }
  send(data, done) {
    if (isBlob(data)) {
      data.arrayBuffer().then((b) => this.send(new Uint8Array(b), done)).catch(done);
      return;
    }
    const written = done && ((err) => done(err && new ClosedError("the connection ended before the message had left", { cause: err })));
    if (this.readyState !== OPEN) {
      written?.(new Error("it is being closed"));
      return;
    }
    const payload = typeof data === "string" ? Buffer.from(data) : data;
    const { fragmentOutgoingMessages, fragmentationThreshold } = this.#cfg;
    const size = fragmentOutgoingMessages ? fragmentationThreshold : Infinity;
    const kind2 = typeof data === "string" ? TEXT : BINARY;
    if (payload.length <= size) {
      this.#write(kind2, payload, true, written);
      return;
    }
    this.socket.cork();
    for (let at = 0; at < payload.length; at += size) {
      const fin = at + size >= payload.length;
      this.#write(at === 0 ? kind2 : CONT, payload.subarray(at, at + size), fin, fin ? written : void 0);
    }
    this.socket.uncork();
  }
  ping(payload = EMPTY, done) {
    if (this.readyState !== OPEN) throw new ClosedError("not connected");
    this.#write(PING2, payload, true, done);
  }
  close(code, reason) {
    if (this.readyState === CONNECTING) {
      this.terminate(1006, "");
    } else if (this.readyState === OPEN) {
      this.readyState = CLOSING;
      this.#write(CLOSE, closePayload(code, reason), true);
      this.#limitClosing();
    }
  }
  /** terminate ends it here and now; a server that still listens is told. */
  terminate(code, reason, error) {
    if (this.readyState === CLOSED) return;
    const socket = this.socket;
    if (!socket) {
      this.#request.on("error", () => {
      });
      this.#end({ code, reason, wasClean: false, error });
      this.#request.destroy();
      return;
    }
    if (this.readyState === OPEN && code !== 1006) {
      this.#write(CLOSE, closePayload(code, reason), true);
      this.#hangUp(1e3);
    } else {
      socket.destroy();
    }
    this.#end({ code, reason, wasClean: false, error });
  }
  /** describe is what a Sess shows of it, describeServer what a Client does. */
  describe() {
    return { local: this.describeServer().local };
  }
  describeServer() {
    return this.#address.socketPath ? { server: this.#url, local: { localAddress: null, localPort: null } } : this.#where;
  }
};

// src/transport.js
var inNode = () => globalThis.process?.release?.name === "node" && typeof document === "undefined";
async function connector(target, cfg) {
  for (const p of target.protocols) {
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

// src/conn.js
function toJSON(value) {
  const text = JSON.stringify(value);
  if (text === void 0) throw new TypeError(`${typeof value} is not JSON`);
  return text;
}
function toText(s) {
  if (["string", "number", "boolean", "bigint"].includes(typeof s)) return String(s);
  throw new TypeError(`${s === null ? "null" : typeof s} is no text: jsend is for JSON, bsend for bytes`);
}
var Conn = class {
  #client;
  #lifecycle;
  #outbox;
  #requests;
  /** Not for users: c.sess_.conn_ and c.conn_ give it. */
  constructor(client, lifecycle, outbox, requests) {
    this.#client = client;
    this.#lifecycle = lifecycle;
    this.#outbox = outbox;
    this.#requests = requests;
  }
  /** Sends text: a string, or a number or boolean as one. */
  ssend(s) {
    this.#send(toText(s));
  }
  /** Sends JSON. An object or array arrives as JSON, any other value as a string. */
  jsend(j) {
    this.#send(toJSON(j));
  }
  /** Sends bytes: a typed array, DataView, ArrayBuffer, Buffer, array of numbers from 0 to 255, or string. */
  bsend(data) {
    this.#send(to_u8ary(data));
  }
  async assend(s) {
    await this.#written(toText(s));
  }
  async ajsend(j) {
    await this.#written(toJSON(j));
  }
  /** As bsend, and Blobs. */
  async absend(data) {
    if (!isBlob(data)) await this.#written(to_u8ary(data));
    else await this.#written(inNode() ? await ato_u8ary(data) : data);
  }
  /**
   * Sends a request that the server must answer, and gives its whole answer:
   * {___type___, ___id___, ___data___}. Ends with TimeoutError after timeout ms,
   * with the signal's reason, or with ClosedError at the end of the connection.
   * @param {unknown} j
   * @param {{timeout?: number, signal?: AbortSignal}} [options]
   */
  async send_jrr_creq(j, options = {}) {
    toJSON(j);
    onlyKnown(options, ["timeout", "signal"], "option of a request");
    const { timeout, signal } = options;
    if (timeout !== void 0 && !(typeof timeout === "number" && timeout >= 0 && (timeout <= MAX_DELAY || timeout === Infinity))) {
      throw new ConfigError(`timeout must be a number of milliseconds, up to ${MAX_DELAY}, or Infinity`);
    }
    if (signal != null && typeof signal.addEventListener !== "function") throw new ConfigError("signal is not an AbortSignal");
    const id = newID();
    return this.#requests.add(id, options, (sent) => {
      const text = envelope(CREQ, j, id);
      if (this.#open()) {
        this.#now(text);
        sent();
        return void 0;
      }
      const item = this.#later(text, void 0, sent);
      return () => this.#outbox.remove(item);
    });
  }
  /** Answers the server's request with that id. It must be the connection the request came by. */
  async send_jrr_cres(j, id) {
    if (typeof id !== "string" || id === "") throw new TypeError("the second argument is the request's ___id___");
    toJSON(j);
    if (!this.#open()) throw this.#closed("the connection the request came by has ended");
    await new Promise((resolve, reject) => this.#now(envelope(CRES, j, id), (err) => err ? reject(err) : resolve()));
  }
  /** Sends a ping frame. Node only. */
  send_ping_frame() {
    this.#ping();
  }
  async asend_ping_frame() {
    await new Promise((resolve, reject) => this.#ping((err) => err ? reject(err) : resolve()));
  }
  #ping(done) {
    if (!inNode()) throw new UnsupportedError("a page in a browser cannot send ping frames");
    if (!this.#open()) throw this.#closed();
    this.#lifecycle.link.ping(void 0, done);
  }
  /**
   * Closes this connection; with autoReconnect another follows. (The client's
   * close() is for good.) Codes are 1000 and 3000 to 4999.
   */
  close(code = 1e3, reason = "") {
    checkClose(code, reason);
    this.#lifecycle.close(code, reason);
  }
  #open() {
    return this.#lifecycle.state === "open" && this.#lifecycle.link.readyState === 1;
  }
  #send(data) {
    if (this.#open()) this.#now(data);
    else this.#later(data);
  }
  #written(data) {
    return new Promise((resolve, reject) => {
      const done = (err) => err ? reject(err) : resolve();
      if (this.#open()) this.#now(data, done);
      else this.#later(data, done);
    });
  }
  #now(data, done) {
    const { link } = this.#lifecycle;
    const waiting = link.bufferedAmount;
    if (waiting > 0 && waiting + sizeOf(data) > this.#client.cfg_.maxBuffered) {
      throw new QueueFull(`the connection is slow: ${waiting} bytes wait to be written already`);
    }
    link.send(data, done);
  }
  #later(data, done, handed) {
    if (!this.#lifecycle.promising) throw this.#closed();
    return this.#outbox.add(data, done, handed);
  }
  #closed(why) {
    const idle = this.#lifecycle.state === "idle";
    const { code, reason } = this.#client.ended_ ?? {};
    return withFields(new ClosedError(why ?? (idle ? "not started" : "the connection is closed")), { code, reason });
  }
  get config() {
    return this.#client.cfg_;
  }
  get is_client_() {
    return true;
  }
  get is_server_() {
    return false;
  }
  /** The keepalive of the current session. */
  get ka_() {
    return this.sess_?.ka_;
  }
  /** The subprotocol the server chose, or "". */
  get protocol() {
    return this.#lifecycle.link?.protocol ?? "";
  }
  get sess_() {
    return this.#client.sess_;
  }
  /** "idle", "connecting", "open", "closing", "reconnecting" or "closed". */
  get state() {
    return this.#lifecycle.state;
  }
  /** As a WebSocket's: 0 connecting, 1 open, 2 closing, 3 closed. */
  get readyState() {
    return { connecting: 0, reconnecting: 0, open: 1, closing: 2 }[this.state] ?? 3;
  }
  /** Bytes that wait to be sent, with and without a connection. */
  get bufferedAmount() {
    return (this.#lifecycle.link?.bufferedAmount ?? 0) + this.#outbox.bytes;
  }
  get url() {
    return this.#client.url_;
  }
};
function checkClose(code, reason) {
  if (code !== 1e3 && !(Number.isInteger(code) && code >= 3e3 && code <= 4999)) {
    throw new ConfigError(`the close code ${code} is not a client's: use 1000, or 3000 to 4999`);
  }
  if (typeof reason !== "string" || sizeOf(reason) > 123) throw new ConfigError("a close reason is a string of up to 123 bytes");
}

// src/events.js
function call(fn, ...args) {
  try {
    return fn(...args);
  } catch (err) {
    queueMicrotask(() => {
      throw err;
    });
    return void 0;
  }
}
var Events = class {
  #listeners = /* @__PURE__ */ new Map();
  on(name, fn) {
    if (typeof fn !== "function") throw new TypeError("a listener must be a function");
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, [...list, fn]);
  }
  off(name, fn) {
    const list = this.#listeners.get(name) ?? [];
    const i = list.indexOf(fn);
    if (i >= 0) this.#listeners.set(name, list.filter((_, j) => j !== i));
  }
  emit(name, event) {
    for (const fn of this.#listeners.get(name) ?? []) call(fn, event);
  }
};

// src/keepalive.js
var Keepalive = class {
  #interval;
  #ping;
  #giveUp;
  #heard = performance.now();
  #pinging;
  #watching;
  #timedOut = false;
  #cancelled = false;
  constructor(interval, { ping: ping2, giveUp }) {
    this.#interval = interval;
    this.#ping = ping2;
    this.#giveUp = giveUp;
    this.#pinging = setInterval(ping2, interval / 4);
    this.#watch(interval);
  }
  #watch(delay, last = false) {
    this.#watching = setTimeout(() => {
      const left = this.lefted_;
      if (left > 0) {
        this.#watch(left);
      } else if (!last) {
        this.#ping();
        this.#watch(this.#interval / 4, true);
      } else {
        this.#timedOut = true;
        this.#stop();
        this.#giveUp();
      }
    }, delay);
  }
  #stop() {
    clearInterval(this.#pinging);
    clearTimeout(this.#watching);
  }
  /** The timer that pings. */
  get timer() {
    return this.#pinging;
  }
  /** renew says that the server was heard. */
  renew() {
    this.#heard = performance.now();
    return !this.#cancelled && !this.#timedOut;
  }
  /** cancel stops it for good. */
  cancel() {
    this.#cancelled = true;
    this.#stop();
  }
  is_canceled() {
    return this.#cancelled;
  }
  is_tmouted() {
    return this.#timedOut;
  }
  /** The interval, the time since the server was heard, and what is left of the interval. */
  get tmout_() {
    return this.#interval;
  }
  get passed_() {
    return Math.max(0, performance.now() - this.#heard);
  }
  get lefted_() {
    return this.#interval - this.passed_;
  }
};

// src/backoff.js
function retryDelay(cfg, n, end = {}, random = Math.random) {
  const { reconnectMin: min, reconnectMax: max, reconnectFactor: factor } = cfg;
  const ceiling = Math.max(min, Math.min(max, Math.max(min, 1) * factor ** (n + 1)));
  const wait = askedDelay(cfg, end);
  if (wait !== void 0) {
    const longer = random() * Math.min(max, Math.max(ceiling, wait / 2));
    return Math.min(wait + longer, MAX_DELAY);
  }
  const [low, high] = end.code === 1013 ? [Math.max(min, max / 2), max] : [min, ceiling];
  return low + random() * (high - low);
}
function askedDelay(cfg, { reason, retryAfter: header }) {
  const m = /(?:^|[^\w])retry_after_ms=(\d+)(?!\w)/.exec(reason ?? "");
  const asked = m ? Number(m[1]) : header;
  return asked === void 0 ? void 0 : Math.min(asked, cfg.retryAfterMax);
}
var steadyAfter = (cfg) => Math.min(cfg.reconnectMax, 1e4);

// src/lifecycle.js
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}
var Lifecycle = class {
  state = "idle";
  link;
  // the connection that is open, or being closed
  #cfg;
  #host;
  #run;
  // what start began and stop ends
  constructor(cfg, host) {
    this.#cfg = cfg;
    this.#host = host;
  }
  /** Whether a connection is, or will be, without anybody's doing. */
  get promising() {
    if (!this.#run || this.#run.stopped) return false;
    return this.state === "open" || this.state === "connecting" || this.#cfg.autoReconnect;
  }
  /** start gives a promise of the first connection. */
  async start(target, signal) {
    signal?.throwIfAborted();
    const run = { target, stopped: false, ready: deferred(), over: deferred(), wake: void 0, dialing: void 0, replaced: false };
    const before = this.#run;
    this.#run = run;
    this.state = "connecting";
    run.ready.promise.catch(() => {
    });
    const aborted = () => void this.#stop(run, 1e3, "", signal.reason);
    signal?.addEventListener("abort", aborted);
    try {
      if (before) {
        before.replaced = true;
        await this.#stop(before, 1e3, "", new ClosedError("started anew"));
      }
      if (!run.stopped) this.#loop(run);
      await run.ready.promise;
    } finally {
      signal?.removeEventListener("abort", aborted);
    }
  }
  /** stop ends the connection, and there will be no other. It gives the close code and reason. */
  async stop(code, reason) {
    if (!this.#run) return [void 0, void 0];
    return this.#stop(this.#run, code, reason, new ClosedError("closed by close()"));
  }
  async #stop(run, code, reason, why) {
    if (!run.stopped) {
      run.stopped = true;
      run.why = why;
      if (!run.replaced) this.state = "closing";
      run.ready.reject(why);
      run.wake?.();
      run.dialing?.terminate(1006, "", why);
      if (run.link) this.close(code, reason, run.link);
      else if (!run.looping) this.#finish(run, why);
    }
    return run.over.promise;
  }
  /** close ends this connection with a handshake; what follows is the policy's. */
  close(code, reason, link = this.link) {
    if (!link || link.readyState > 1) return;
    if (this.state === "open") this.state = "closing";
    link.close(code, reason);
    link.limit = setTimeout(() => link.terminate(code, reason), this.#cfg.closeTimeout);
  }
  /** drop ends this connection without waiting for the server. */
  drop(code, reason, error) {
    this.link?.terminate(code, reason, error);
  }
  async #loop(run) {
    run.looping = true;
    let attempt = 0;
    let error;
    try {
      const connect = await connector(run.target, this.#cfg);
      while (!run.stopped) {
        const end = await this.#once(run, connect, attempt);
        error = end.error ?? withFields(new ClosedError(`closed with ${end.code}${end.reason ? ` ${end.reason}` : ""}`), { code: end.code, reason: end.reason });
        if (run.stopped || !end.again) break;
        if (end.lasted >= steadyAfter(this.#cfg)) attempt = 0;
        await this.#wait(run, ++attempt, end, error);
      }
    } catch (err) {
      error = err;
      if (!run.stopped) this.#host.failed(err);
    }
    this.#finish(run, run.stopped ? run.why : error);
  }
  #finish(run, error) {
    run.looping = false;
    const stopped = run.stopped;
    run.stopped = true;
    run.ready.reject(error);
    run.over.resolve(run.closed ?? [void 0, void 0]);
    if (this.#run !== run) return;
    this.state = "closed";
    this.#host.over(error, stopped);
  }
  /** Whether to try again after the end of a connection that lasted so long, or a failure. */
  #retry(run, { error, lasted }, attempt) {
    if (run.stopped || !this.#cfg.autoReconnect) return false;
    if ((lasted >= steadyAfter(this.#cfg) ? 0 : attempt) >= this.#cfg.maxRetries) return false;
    if (lasted !== void 0) return true;
    if (this.#cfg.fatalStatus.includes(error?.status)) return false;
    return run.opened || !error?.certificate;
  }
  /** once makes one connection and gives its end: lasted is undefined if it never opened. */
  #once(run, connect, attempt) {
    const { promise, resolve } = deferred();
    let opened;
    const link = connect({
      open: () => {
        clearTimeout(limit);
        opened = performance.now();
        run.dialing = void 0;
        run.link = this.link = link;
        run.opened = true;
        this.state = "open";
        this.#host.opened(link);
        run.ready.resolve();
      },
      message: (data) => this.#host.received(link, data),
      heard: () => this.#host.heard(link),
      close: (info) => {
        clearTimeout(limit);
        clearTimeout(link.limit);
        run.dialing = run.link = void 0;
        const end = { ...info, lasted: opened === void 0 ? void 0 : performance.now() - opened };
        end.again = this.#retry(run, end, attempt);
        if (info.error && !run.stopped) this.#host.failed(info.error);
        if (opened !== void 0) {
          run.closed = [info.code, info.reason];
          if (this.#run === run) this.state = end.again ? "reconnecting" : "closing";
          this.#host.ended(link, info, end.again || run.replaced);
        }
        resolve(end);
      }
    });
    const limit = setTimeout(() => {
      link.terminate(1006, "", new TimeoutError(`no connection to ${run.target.url} within ${this.#cfg.connectTimeout} ms`));
    }, this.#cfg.connectTimeout);
    run.dialing = link;
    return promise;
  }
  /** wait is over when the delay is, and the check of the network agrees. */
  async #wait(run, attempt, end, error) {
    const delay = retryDelay(this.#cfg, attempt, end);
    this.state = run.opened ? "reconnecting" : "connecting";
    this.#host.waiting({ attempt, delay: Math.round(delay), error });
    await this.#sleep(run, delay, askedDelay(this.#cfg, end));
    for (let n = attempt; !run.stopped && !await this.#checked(run); ) {
      await this.#sleep(run, retryDelay(this.#cfg, ++n));
    }
  }
  /** sleep waits for delay; of what the server asked for nothing is left out. */
  async #sleep(run, delay, asked = 0) {
    if (run.stopped) return;
    const due = performance.now() + asked;
    const { promise, resolve } = deferred();
    const timer = setTimeout(resolve, delay);
    const soon = () => setTimeout(resolve, Math.max(due - performance.now(), 0) + Math.random() * Math.min(delay, this.#cfg.reconnectMin));
    run.wake = resolve;
    globalThis.addEventListener?.("online", soon, { once: true });
    await promise;
    run.wake = void 0;
    clearTimeout(timer);
    globalThis.removeEventListener?.("online", soon);
  }
  /** A check that fails, or never ends, says no. */
  async #checked(run) {
    const { promise, resolve } = deferred();
    const timer = setTimeout(() => resolve(false), this.#cfg.connectTimeout);
    run.wake = () => resolve(false);
    Promise.resolve().then(() => this.#host.check()).then((ok2) => resolve(ok2 !== false), () => resolve(false));
    const ok = await promise;
    run.wake = void 0;
    clearTimeout(timer);
    return ok;
  }
};

// src/outbox.js
var Outbox = class {
  #cfg;
  #items = /* @__PURE__ */ new Set();
  #bytes = 0;
  constructor(cfg) {
    this.#cfg = cfg;
  }
  get length() {
    return this.#items.size;
  }
  get bytes() {
    return this.#bytes;
  }
  /**
   * add takes a message, or throws QueueFull. done(err) is called once: when it
   * was written, or will not be; handed() when a connection has it. The item
   * given back is for remove.
   */
  add(data, done, handed) {
    const size = sizeOf(data);
    const { queueMessages, queueBytes } = this.#cfg;
    if (this.#items.size >= queueMessages || this.#bytes + size > queueBytes) {
      throw new QueueFull(`not connected, and ${this.#items.size} messages of ${this.#bytes} bytes wait already`);
    }
    const item = { data, done, handed, size };
    this.#items.add(item);
    this.#bytes += size;
    return item;
  }
  /** remove takes an item out without a word. */
  remove(item) {
    if (this.#items.delete(item)) this.#bytes -= item.size;
  }
  /** flush gives all messages to send, in order. One that cannot be sent is told so. */
  flush(send) {
    for (const item of this.#items) {
      this.remove(item);
      try {
        send(item.data, item.done);
        item.handed?.();
      } catch (err) {
        item.done?.(err);
      }
    }
  }
  /** fail tells all that wait that they will not be sent. */
  fail(err) {
    for (const item of this.#items) {
      this.remove(item);
      item.done?.(err);
    }
  }
};

// src/receive.js
var CLOGGED = 1048576;
function receive(client, link, requests, data, { emit, debug }) {
  const sess = client.sess_;
  const { conn_: conn, cfg_: cfg } = client;
  if (typeof data !== "string") {
    emit("message", { kind: "binary", data, sess });
    call(client.bin_handle_, data.length, data, conn, sess, client);
    return;
  }
  const j = parseText(data);
  if (j === void 0) {
    emit("message", { kind: "string", data, sess });
    call(client.str_handle_, data, conn, sess, client);
    return;
  }
  switch (j.___type___) {
    case CFG:
      emit("cfg", j);
      call(client.cfg_handle_, j, conn, sess, client);
      break;
    case PING:
      emit("keepalive", { type: "ping", sent: false });
      if (link.readyState === 1 && link.bufferedAmount < CLOGGED) {
        link.send(envelope(PONG, String(cfg.keepaliveInterval)));
        emit("keepalive", { type: "pong", sent: true });
      }
      break;
    case PONG:
      emit("keepalive", { type: "pong", sent: false });
      break;
    case SREQ:
      emit("request", j);
      call(client.sreq_handle_, j, conn, sess, client);
      break;
    case SRES:
      if (!requests.settle(j.___id___, j)) debug("ignored: an answer nobody waits for", j.___id___);
      break;
    case CREQ:
    case CRES:
      debug("ignored: a server does not send", j.___type___);
      break;
    default:
      emit("message", { kind: "json", data: j, sess });
      call(client.json_handle_, j, conn, sess, client);
  }
}
function ping(client, link, emit) {
  if (link.readyState !== 1 || link.bufferedAmount >= CLOGGED) return;
  link.send(envelope(PING, String(client.cfg_.keepaliveInterval)));
  if (inNode()) link.ping();
  emit("keepalive", { type: "ping", sent: true });
}

// src/requests.js
var Requests = class {
  #cfg;
  #pending = /* @__PURE__ */ new Map();
  constructor(cfg) {
    this.#cfg = cfg;
  }
  /**
   * add notes a request and gives its promise. send(sent) hands it over, calls
   * sent() when it has left this queue for a connection (so that the end of the
   * connection is its end too), and gives back how to withdraw it before.
   */
  add(id, { timeout = this.#cfg.requestTimeout, signal } = {}, send) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#pending.size >= this.#cfg.maxPending) {
        throw new TooManyPending(`${this.#pending.size} requests wait for their answer already`);
      }
      let timer;
      let withdraw;
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        this.#pending.delete(id);
      };
      const entry = {
        sent: false,
        rs: (answer) => (end(), resolve(answer)),
        rj: (err) => (end(), withdraw?.(), reject(err))
      };
      const aborted = () => entry.rj(signal.reason);
      this.#pending.set(id, entry);
      try {
        withdraw = send(() => {
          entry.sent = true;
        });
      } catch (err) {
        entry.rj(err);
        return;
      }
      signal?.addEventListener("abort", aborted);
      if (timeout > 0 && timeout !== Infinity) {
        timer = setTimeout(() => entry.rj(new TimeoutError(`no answer within ${timeout} ms`)), timeout);
      }
    });
  }
  /** settle gives an answer to the request with its id, if one waits. */
  settle(id, answer) {
    const entry = this.#pending.get(id);
    if (!entry?.sent) return false;
    entry.rs(answer);
    return true;
  }
  /** fail ends the requests: those that were sent, or all. */
  fail(err, all) {
    for (const entry of this.#pending.values()) {
      if (all || entry.sent) entry.rj(err);
    }
  }
  /** An object as nv-session-simple shows it: by id, how to settle. */
  table() {
    const table = /* @__PURE__ */ Object.create(null);
    for (const [id, { rs, rj }] of this.#pending) table[id] = { rs, rj };
    return table;
  }
};

// src/sess.js
var Sess = class {
  #id = newID();
  #conn;
  #link;
  #requests;
  #keepalive;
  /** Not for users: c.sess_ gives it. */
  constructor(conn, link, requests) {
    this.#conn = conn;
    this.#link = link;
    this.#requests = requests;
  }
  /** This side's id of the session. The server's own is in its ___cfg___. */
  get id_() {
    return this.#id;
  }
  get conn_() {
    return this.#conn;
  }
  /** What the server answered to the handshake: its response in Node, the open event in a browser. */
  get res_() {
    return this.#link?.response;
  }
  /** The requests that wait for an answer, by id. */
  get cjrr_queue_() {
    return this.#requests?.table() ?? {};
  }
  /** The keepalive: of the session its timer, of the connection the object. */
  get ka_() {
    return this.#keepalive;
  }
  set ka_(keepalive) {
    this.#keepalive = keepalive;
  }
  get katsk_() {
    return this.#keepalive?.timer;
  }
  /** clear_katsk stops the keepalive of this session. */
  clear_katsk() {
    this.#keepalive?.cancel();
    this.#keepalive = void 0;
  }
  is_active() {
    return this.#link?.readyState === 1;
  }
  /** clear forgets everything; the connection goes on. */
  clear() {
    this.clear_katsk();
    this.#id = this.#conn = this.#link = this.#requests = void 0;
  }
  get [Symbol.toStringTag]() {
    return JSON.stringify({ id: this.#id, ...this.#link?.describe() }, null, 2);
  }
};

// src/client.js
var CLOSE_ERRORS = { unknown: 3001, 3001: "unknown", keepalive: 3002, 3002: "keepalive" };
var ERROR = {
  only_support_utf8_or_binary_or_json: "only_support_utf8_or_binary_or_json",
  cant_use_sreq_from_client: "cant_use_sreq_from_client",
  cant_use_cres_from_server: "cant_use_cres_from_server",
  cant_use_creq_from_server: "cant_use_creq_from_server",
  cant_use_sres_from_client: "cant_use_sres_from_client"
};
var DFLT_CFG_HANDLE = async (j, conn, sess, self) => {
};
var DFLT_BIN_HANDLE = async (length, data, conn, sess, self) => {
};
var DFLT_STR_HANDLE = async (s, conn, sess, self) => {
};
var DFLT_JSON_HANDLE = async (j, conn, sess, self) => {
};
var DFLT_SREQ_HANDLE = async (j, conn, sess, self) => {
};
var DFLT_ON_CLOSE = (code, reason, conn, sess, self) => {
};
var DFLT_ON_ERROR = (code, description, conn, sess, self) => {
};
var DFLT_CHECK_NETWORK_BEFORE_RECONN = (...params) => true;
var EVENTS = ["open", "close", "message", "request", "cfg", "keepalive", "reconnecting", "error", "end"];
function handler(f) {
  if (typeof f !== "function") throw new TypeError("a handler must be a function");
  return f;
}
var Client = class {
  #cfg;
  #url;
  #protocols;
  #options;
  #sess;
  #conn;
  #ended;
  // how the last connection ended
  #lifecycle;
  #outbox;
  #requests;
  #events = new Events();
  #handlers = {
    cfg: DFLT_CFG_HANDLE,
    bin: DFLT_BIN_HANDLE,
    str: DFLT_STR_HANDLE,
    json: DFLT_JSON_HANDLE,
    sreq: DFLT_SREQ_HANDLE,
    close: DFLT_ON_CLOSE,
    error: DFLT_ON_ERROR,
    check: DFLT_CHECK_NETWORK_BEFORE_RECONN
  };
  /** @param {object} [cfg] settings that differ from Client.DFLT_CFG() */
  constructor(cfg) {
    this.#cfg = configure(cfg);
    this.#outbox = new Outbox(this.#cfg);
    this.#requests = new Requests(this.#cfg);
    this.#lifecycle = new Lifecycle(this.#cfg, {
      opened: (link) => this.#opened(link),
      received: (link, data) => {
        this.#sess.ka_?.renew();
        receive(this, link, this.#requests, data, { emit: this.#emit, debug: this.#debug });
      },
      heard: () => this.#sess.ka_?.renew(),
      ended: (link, info, again) => this.#closed(info, again),
      failed: (err) => this.#failed(err),
      waiting: (event) => {
        this.#debug("reconnecting", event.attempt, event.delay);
        this.#emit("reconnecting", event);
      },
      over: (err, stopped) => this.#over(err, stopped),
      check: () => this.#handlers.check()
    });
    this.#conn = new Conn(this, this.#lifecycle, this.#outbox, this.#requests);
  }
  /**
   * Connects, and gives the client when the connection is open. With
   * autoReconnect it tries until it is; else, and when trying makes no sense
   * (a refusal with a status of fatalStatus, maxRetries, close(), the signal), it
   * is rejected with what was wrong.
   * @param {string|URL} url
   * @param {string|string[]} [subprotocol]
   * @param {{signal?: AbortSignal, origin?: string, headers?: object, tls?: object}} [options]
   *   all but signal for Node only. nv-session-simple's (origin, headers,
   *   extraRequestOptions) work too.
   */
  async start(url, subprotocol, options, headers, tls) {
    const given = typeof options === "object" && options !== null ? options : { origin: options ?? void 0, headers, tls };
    onlyKnown(given, ["signal", "origin", "headers", "tls"], "option of start");
    for (const k of ["headers", "tls"]) {
      if (given[k] != null && (typeof given[k] !== "object" || Array.isArray(given[k]))) throw new ConfigError(`${k} must be an object`);
    }
    if (given.origin != null && typeof given.origin !== "string") throw new ConfigError("origin must be a string");
    if (given.signal !== void 0 && typeof given.signal?.addEventListener !== "function") throw new ConfigError("signal is not an AbortSignal");
    this.#url = String(url);
    this.#protocols = subprotocol;
    this.#options = { ...given, signal: void 0 };
    const protocols = (Array.isArray(subprotocol) ? subprotocol : [subprotocol]).filter((p) => p !== void 0 && p !== null && p !== "");
    await this.#lifecycle.start({ ...this.#options, url: this.#url, protocols }, given.signal);
    return this;
  }
  /**
   * Closes, and gives [code, reason] of the end. There is no reconnecting; with
   * force false there is, as autoReconnect says.
   */
  async close(force = true, code = 1e3, reason = "") {
    checkClose(code, reason);
    if (force) return this.#lifecycle.stop(code, reason);
    this.#lifecycle.close(code, reason);
    return [code, reason];
  }
  /** Closes and starts again, to where start() last went. */
  async restart() {
    if (this.#url === void 0) throw new ClosedError("restart() before start()");
    return this.start(this.#url, this.#protocols, this.#options);
  }
  disable_auto_reconn() {
    this.#cfg.autoReconnect = false;
  }
  enable_auto_reconn() {
    this.#cfg.autoReconnect = true;
  }
  /**
   * Calls fn at each: open {sess, reconnected}, close {code, reason, wasClean,
   * willReconnect}, message {kind, data, sess}, request (the server's ___sreq___),
   * cfg (the server's ___cfg___), keepalive {type, sent}, reconnecting {attempt,
   * delay, error}, error (an Error), end {error} when there will be no connection
   * until start(). Gives the function that undoes it.
   */
  on(event, fn) {
    if (!EVENTS.includes(event)) throw new ConfigError(`no event ${event}: there are ${EVENTS.join(", ")}`);
    this.#events.on(event, fn);
    return () => this.off(event, fn);
  }
  off(event, fn) {
    this.#events.off(event, fn);
  }
  #emit = (name, event) => this.#events.emit(name, event);
  #debug = (...what) => {
    const { debug } = this.#cfg;
    if (typeof debug === "function") call(debug, ...what);
    else if (debug) console.debug("nvsess:", ...what);
  };
  #opened(link) {
    const reconnected = this.#sess !== void 0;
    const sess = new Sess(this.#conn, link, this.#requests);
    this.#sess = sess;
    const { keepalive, keepaliveInterval } = this.#cfg;
    if (keepalive) {
      link.send(ownCfg(sess.id_, keepaliveInterval));
      sess.ka_ = new Keepalive(keepaliveInterval, {
        ping: () => ping(this, link, this.#emit),
        giveUp: () => {
          const error = new KeepaliveError(`nothing came from the server for ${keepaliveInterval} ms`);
          this.#lifecycle.drop(CLOSE_ERRORS.keepalive, "keepalive", error);
        }
      });
    }
    this.#debug("open", this.#url);
    this.#outbox.flush((data, done) => link.send(data, done));
    this.#emit("open", { sess, reconnected });
  }
  #closed({ code, reason, wasClean }, willReconnect) {
    const sess = this.#sess;
    this.#ended = { code, reason };
    sess.clear_katsk();
    this.#debug("closed", code, reason);
    this.#requests.fail(withFields(new ClosedError(`the connection closed (${code}) before the answer came`), this.#ended), false);
    call(this.#handlers.close, code, reason, this.#conn, sess, this);
    this.#emit("close", { code, reason, wasClean, willReconnect });
  }
  #failed(err) {
    this.#debug("error", err.message);
    call(this.#handlers.error, err.code ?? err.name, err.message, this.#conn, this.#sess, this);
    this.#emit("error", err);
  }
  #over(error, stopped) {
    const closed = withFields(new ClosedError("the connection is closed", { cause: error }), this.#ended ?? {});
    this.#requests.fail(closed, true);
    this.#outbox.fail(closed);
    this.#emit("end", { error: stopped ? void 0 : error });
  }
  // What nv-session-simple's users know.
  regis_$cfg_handle$(f = DFLT_CFG_HANDLE) {
    this.#handlers.cfg = handler(f);
  }
  regis_$bin_handle$(f = DFLT_BIN_HANDLE) {
    this.#handlers.bin = handler(f);
  }
  regis_$str_handle$(f = DFLT_STR_HANDLE) {
    this.#handlers.str = handler(f);
  }
  regis_$json_handle$(f = DFLT_JSON_HANDLE) {
    this.#handlers.json = handler(f);
  }
  regis_$sreq_handle$(f = DFLT_SREQ_HANDLE) {
    this.#handlers.sreq = handler(f);
  }
  regis_$on_close$(f = DFLT_ON_CLOSE) {
    this.#handlers.close = handler(f);
  }
  regis_$on_error$(f = DFLT_ON_ERROR) {
    this.#handlers.error = handler(f);
  }
  /** f(...params) says, or promises, whether to try now: false waits for the next time. */
  regis_$check_network_before_reconn$(f = DFLT_CHECK_NETWORK_BEFORE_RECONN, ...params) {
    handler(f);
    this.#handlers.check = () => f(...params);
  }
  get cfg_handle_() {
    return this.#handlers.cfg;
  }
  get bin_handle_() {
    return this.#handlers.bin;
  }
  get str_handle_() {
    return this.#handlers.str;
  }
  get json_handle_() {
    return this.#handlers.json;
  }
  get sreq_handle_() {
    return this.#handlers.sreq;
  }
  get on_close_() {
    return this.#handlers.close;
  }
  get on_error_() {
    return this.#handlers.error;
  }
  get check_network_before_reconn_() {
    return this.#handlers.check;
  }
  /** The settings in effect. */
  get cfg_() {
    return this.#cfg;
  }
  /** The current session, or the last; undefined before the first. */
  get sess_() {
    return this.#sess;
  }
  /** The same as sess_.conn_, from the beginning. */
  get conn_() {
    return this.#conn;
  }
  /** {code, reason} of the end of the last connection, or undefined. */
  get ended_() {
    return this.#ended;
  }
  get url_() {
    return this.#url;
  }
  get sec_websocket_protocol_() {
    return this.#protocols;
  }
  /** The browser's WebSocket, or Node's connection. */
  get wsrv_() {
    return this.#lifecycle.link?.raw;
  }
  get [Symbol.toStringTag]() {
    return JSON.stringify(this.#lifecycle.link?.describeServer() ?? { url: this.#url, state: this.#lifecycle.state }, null, 2);
  }
};
Object.assign(Client, {
  DFLT_CFG,
  ERROR,
  CLOSE_ERRORS,
  DFLT_CFG_HANDLE,
  DFLT_BIN_HANDLE,
  DFLT_STR_HANDLE,
  DFLT_JSON_HANDLE,
  DFLT_SREQ_HANDLE,
  DFLT_ON_CLOSE,
  DFLT_ON_ERROR,
  DFLT_CHECK_NETWORK_BEFORE_RECONN,
  to_u8ary,
  ato_u8ary
});
export {
  Client as Bwsess,
  Client,
  ClosedError,
  ConfigError,
  ConnectError,
  DFLT_CFG,
  HandshakeError,
  KeepaliveError,
  NvsessError,
  ProtocolError,
  QueueFull,
  TimeoutError,
  TooManyPending,
  UnsupportedError,
  ato_u8ary,
  Client as default,
  to_u8ary
};
