// Conn: a connection, as handlers are given it.

// Sess and Conn are made here alone: the handle that they keep is the session.
const made = {};

class Conn {
  #handle;
  constructor(by, handle, sess) {
    if (by !== made) throw new TypeError('connections are made by clients');
    this.#handle = handle;
    defineProperty(this, 'sess_', { value: sess, enumerable: false });
  }

  ssend(s) { native.sendText(this.#handle, String(s)); }
  jsend(j) { native.sendJSON(this.#handle, toJSON(j)); }
  bsend(b) { native.sendBytes(this.#handle, toBytes(b)); }
  send(data) { return typeof data === 'object' && data !== null ? this.bsend(data) : this.ssend(data); }
  async assend(s) { return sent(native.sendText(this.#handle, String(s))); }
  async ajsend(j) { return sent(native.sendJSON(this.#handle, toJSON(j))); }
  async absend(b) { return sent(native.sendBytes(this.#handle, toBytes(b))); }

  // A request that the client must answer: promises the whole answer. The
  // timeout is in milliseconds.
  async send_jrr_sreq(j, timeout) { return parse(await native.ask(this.#handle, toJSON(j), timeout)); }
  // The answer to a client's request, by the request's ___id___.
  async send_jrr_sres(j, id) { return sent(native.reply(this.#handle, toJSON(j), String(id))); }
  send_jrr_creq() { throw new TypeError('cant_use_creq_from_server'); }
  send_jrr_cres() { throw new TypeError('cant_use_cres_from_server'); }

  send_ping_frame() { native.ping(this.#handle).catch(() => {}); }
  // Promises the milliseconds to the pong.
  async asend_ping_frame(timeout) { return native.ping(this.#handle, timeout); }

  close(code = 1000, reason = '') { native.hangUp(this.#handle, Number(code), String(reason)); }

  get config() { return srv.cfg_; }
  get is_client_() { return false; }
  get is_server_() { return true; }
  get protocol() { return native.protocol(this.#handle) || undefined; }
  get state() { return native.active(this.#handle) ? 'open' : 'closed'; }
  get connected() { return native.active(this.#handle); }
  get remoteAddress() { return this.sess_.req_.remoteAddress; }
  get socket() {
    const peer = parse(native.peer(this.#handle));
    const socket = { readyState: native.active(this.#handle) ? 'open' : 'closed' };
    if (peer) socket._peername = peer;
    else socket._pipeName = srv.hsrv_._pipeName;
    return socket;
  }
  get stats() { return parse(native.stats(this.#handle)); }

  // The keepalive of the session, until it is cancelled.
  get ka_() {
    const handle = this.#handle;
    return {
      get active() { return native.alive(handle); },
      get interval() { return srv.cfg_.keepaliveInterval; },
      get lastReceived() { return new Date(native.times(handle)[1]); },
      cancel() { native.quiet(handle); },
    };
  }
}
