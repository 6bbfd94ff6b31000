// Sess: a session. Members whose names end in _ are getters.

class Sess {
  #handle;
  #req;
  constructor(by, handle) {
    if (by !== made) throw new TypeError('sessions are made by clients');
    this.#handle = handle;
    defineProperty(this, 'conn_', { value: new Conn(made, handle, this), enumerable: false });
  }

  get id_() { return native.id(this.#handle); }
  get req_() {
    if (!this.#req) {
      this.#req = parse(native.record(this.#handle));
      this.#req.httpRequest.body = Buffer.alloc(0);
    }
    return this.#req;
  }
  is_active() { return native.active(this.#handle); }
  get opened_() { return new Date(native.times(this.#handle)[0]); }

  get katsk_() { return native.alive(this.#handle) ? this.conn_.ka_ : undefined; }
  clear_katsk() { native.quiet(this.#handle); }

  // The requests that the client has not answered, by their ids; rs settles
  // one in its place, with an envelope or with the data of one.
  get sjrr_queue_() {
    const handle = this.#handle;
    const queue = {};
    for (const id of native.pending(handle)) {
      queue[id] = {
        rs(j) {
          const whole = j !== null && typeof j === 'object' && '___type___' in j;
          return native.settle(handle, id, toJSON(whole ? j : { ___type___: '___cres___', ___id___: id, ___data___: j }));
        },
      };
    }
    return queue;
  }

  get [Symbol.toStringTag]() {
    const req = this.req_;
    return stringify({
      id: this.id_,
      host: req.host,
      key: req.key,
      origin: req.origin || undefined,
      cookies: req.cookies,
      requestedExtensions: req.requestedExtensions,
      query: req.resourceURL.query,
      conn: parse(native.peer(this.#handle)) || undefined,
    }, null, 2);
  }
}
