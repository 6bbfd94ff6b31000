import { newID } from "./envelope.js";

/**
 * Sess is one session: from one opening of the connection to its end. After a
 * reconnect the client's sess_ is a new one; conn_ is the same for all.
 */
export class Sess {
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
    this.#keepalive = undefined;
  }

  is_active() {
    return this.#link?.readyState === 1;
  }

  /** clear forgets everything; the connection goes on. */
  clear() {
    this.clear_katsk();
    this.#id = this.#conn = this.#link = this.#requests = undefined;
  }

  get [Symbol.toStringTag]() {
    return JSON.stringify({ id: this.#id, ...this.#link?.describe() }, null, 2);
  }
}
