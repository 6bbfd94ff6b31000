import { ato_u8ary, isBlob, sizeOf, to_u8ary } from "./bytes.js";
import { MAX_DELAY, onlyKnown } from "./config.js";
import { CREQ, CRES, envelope, newID } from "./envelope.js";
import { ClosedError, ConfigError, QueueFull, UnsupportedError, withFields } from "./errors.js";
import { inNode } from "./transport.js";

function toJSON(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`${typeof value} is not JSON`);
  return text;
}

/** toText refuses what String would make "[object Object]" of, or "null". */
function toText(s) {
  if (["string", "number", "boolean", "bigint"].includes(typeof s)) return String(s);
  throw new TypeError(`${s === null ? "null" : typeof s} is no text: jsend is for JSON, bsend for bytes`);
}

/**
 * Conn sends. There is one for the life of a client, whatever connections come
 * and go beneath it: what is sent while there is none but one to come waits, in
 * order, within queueMessages and queueBytes.
 *
 * ssend, jsend and bsend throw what is wrong. assend, ajsend and absend give a
 * promise, done when the message is written (so that who awaits each never
 * fills the memory), rejected if it was not.
 */
export class Conn {
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
    // A browser sends a Blob itself, in order with what is sent meanwhile.
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
    if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0 && (timeout <= MAX_DELAY || timeout === Infinity))) {
      throw new ConfigError(`timeout must be a number of milliseconds, up to ${MAX_DELAY}, or Infinity`);
    }
    if (signal != null && typeof signal.addEventListener !== "function") throw new ConfigError("signal is not an AbortSignal");
    const id = newID();
    return this.#requests.add(id, options, (sent) => {
      const text = envelope(CREQ, j, id);
      if (this.#open()) {
        this.#now(text);
        sent();
        return undefined;
      }
      const item = this.#later(text, undefined, sent);
      return () => this.#outbox.remove(item);
    });
  }

  /** Answers the server's request with that id. It must be the connection the request came by. */
  async send_jrr_cres(j, id) {
    if (typeof id !== "string" || id === "") throw new TypeError("the second argument is the request's ___id___");
    toJSON(j);
    if (!this.#open()) throw this.#closed("the connection the request came by has ended");
    await new Promise((resolve, reject) => this.#now(envelope(CRES, j, id), (err) => (err ? reject(err) : resolve())));
  }

  /** Sends a ping frame. Node only. */
  send_ping_frame() {
    this.#ping();
  }

  async asend_ping_frame() {
    await new Promise((resolve, reject) => this.#ping((err) => (err ? reject(err) : resolve())));
  }

  #ping(done) {
    if (!inNode()) throw new UnsupportedError("a page in a browser cannot send ping frames");
    if (!this.#open()) throw this.#closed();
    this.#lifecycle.link.ping(undefined, done);
  }

  /**
   * Closes this connection; with autoReconnect another follows. (The client's
   * close() is for good.) Codes are 1000 and 3000 to 4999.
   */
  close(code = 1000, reason = "") {
    checkClose(code, reason);
    this.#lifecycle.close(code, reason);
  }

  #open() {
    // A connection that the other side closes is open a moment longer, and takes nothing.
    return this.#lifecycle.state === "open" && this.#lifecycle.link.readyState === 1;
  }

  #send(data) {
    if (this.#open()) this.#now(data);
    else this.#later(data);
  }

  #written(data) {
    return new Promise((resolve, reject) => {
      const done = (err) => (err ? reject(err) : resolve());
      if (this.#open()) this.#now(data, done);
      else this.#later(data, done);
    });
  }

  #now(data, done) {
    const { link } = this.#lifecycle;
    const waiting = link.bufferedAmount;
    // Nothing waiting takes a message of any size: a large one can be sent at all.
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
}

/** checkClose keeps to what a browser may send in a close frame. */
export function checkClose(code, reason) {
  if (code !== 1000 && !(Number.isInteger(code) && code >= 3000 && code <= 4999)) {
    throw new ConfigError(`the close code ${code} is not a client's: use 1000, or 3000 to 4999`);
  }
  if (typeof reason !== "string" || sizeOf(reason) > 123) throw new ConfigError("a close reason is a string of up to 123 bytes");
}
