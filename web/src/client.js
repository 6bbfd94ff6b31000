import { ato_u8ary, to_u8ary } from "./bytes.js";
import { DFLT_CFG, configure, onlyKnown } from "./config.js";
import { Conn, checkClose } from "./conn.js";
import { ownCfg } from "./envelope.js";
import { ClosedError, ConfigError, KeepaliveError, withFields } from "./errors.js";
import { Events, call } from "./events.js";
import { Keepalive } from "./keepalive.js";
import { Lifecycle } from "./lifecycle.js";
import { Outbox } from "./outbox.js";
import { ping, receive } from "./receive.js";
import { Requests } from "./requests.js";
import { Sess } from "./sess.js";

const CLOSE_ERRORS = { unknown: 3001, 3001: "unknown", keepalive: 3002, 3002: "keepalive" };

const ERROR = {
  only_support_utf8_or_binary_or_json: "only_support_utf8_or_binary_or_json",
  cant_use_sreq_from_client: "cant_use_sreq_from_client",
  cant_use_cres_from_server: "cant_use_cres_from_server",
  cant_use_creq_from_server: "cant_use_creq_from_server",
  cant_use_sres_from_client: "cant_use_sres_from_client",
};

const DFLT_CFG_HANDLE = async (j, conn, sess, self) => {};
const DFLT_BIN_HANDLE = async (length, data, conn, sess, self) => {};
const DFLT_STR_HANDLE = async (s, conn, sess, self) => {};
const DFLT_JSON_HANDLE = async (j, conn, sess, self) => {};
const DFLT_SREQ_HANDLE = async (j, conn, sess, self) => {};
const DFLT_ON_CLOSE = (code, reason, conn, sess, self) => {};
const DFLT_ON_ERROR = (code, description, conn, sess, self) => {};
const DFLT_CHECK_NETWORK_BEFORE_RECONN = (...params) => true;

const EVENTS = ["open", "close", "message", "request", "cfg", "keepalive", "reconnecting", "error", "end"];

/** handler checks what is to be called. */
function handler(f) {
  if (typeof f !== "function") throw new TypeError("a handler must be a function");
  return f;
}

/**
 * Client keeps a session with an nvsess or nv-session-simple server, from a page
 * in a browser or from Node.
 *
 *   const c = new Client({ keepaliveInterval: 20000 });
 *   c.regis_$json_handle$((j, conn, sess, self) => console.log(j));
 *   await c.start("wss://example.com/");
 *   c.sess_.conn_.jsend({ hello: "world" });
 */
export class Client {
  #cfg;
  #url;
  #protocols;
  #options;
  #sess;
  #conn;
  #ended; // how the last connection ended
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
    check: DFLT_CHECK_NETWORK_BEFORE_RECONN,
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
      check: () => this.#handlers.check(),
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
    const given = typeof options === "object" && options !== null ? options : { origin: options ?? undefined, headers, tls };
    onlyKnown(given, ["signal", "origin", "headers", "tls"], "option of start");
    for (const k of ["headers", "tls"]) {
      if (given[k] != null && (typeof given[k] !== "object" || Array.isArray(given[k]))) throw new ConfigError(`${k} must be an object`);
    }
    if (given.origin != null && typeof given.origin !== "string") throw new ConfigError("origin must be a string");
    if (given.signal !== undefined && typeof given.signal?.addEventListener !== "function") throw new ConfigError("signal is not an AbortSignal");
    this.#url = String(url);
    this.#protocols = subprotocol;
    this.#options = { ...given, signal: undefined };
    const protocols = (Array.isArray(subprotocol) ? subprotocol : [subprotocol]).filter((p) => p !== undefined && p !== null && p !== "");
    await this.#lifecycle.start({ ...this.#options, url: this.#url, protocols }, given.signal);
    return this;
  }

  /**
   * Closes, and gives [code, reason] of the end. There is no reconnecting; with
   * force false there is, as autoReconnect says.
   */
  async close(force = true, code = 1000, reason = "") {
    checkClose(code, reason);
    if (force) return this.#lifecycle.stop(code, reason);
    this.#lifecycle.close(code, reason);
    return [code, reason];
  }

  /** Closes and starts again, to where start() last went. */
  async restart() {
    if (this.#url === undefined) throw new ClosedError("restart() before start()");
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
    const reconnected = this.#sess !== undefined;
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
        },
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
    this.#emit("end", { error: stopped ? undefined : error });
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
}

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
  ato_u8ary,
});
