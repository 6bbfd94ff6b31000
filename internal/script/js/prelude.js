// The objects of nv-session-simple's server, and what JavaScript has besides the
// language: a console, timers, fetch. Members whose names end in _ are getters;
// regis_$x$ sets what x_ gives.
(function (native) {
  'use strict';

  // What scripts may replace is taken now. For the same reason lists of sessions
  // are gone through with an index.
  const { inspect, format } = native.inspect;
  const { parse, stringify: compact } = JSON;
  const { Array, ArrayBuffer, Buffer, Date, Error, Map, Number, Object, Promise, Proxy, RangeError, Reflect, RegExp, Set, String, Symbol,
    TypeError, Uint8Array } = globalThis;
  const { apply, ownKeys } = Reflect;
  const { defineProperty, keys } = Object;
  const { isView } = ArrayBuffer;
  const { then } = Promise.prototype;
  const { set } = Map.prototype;

  function hidden(object, members) {
    for (const name of ownKeys(members)) {
      defineProperty(object, name, { value: members[name], writable: true, enumerable: false, configurable: true });
    }
    return object;
  }

  // goja indents what follows an empty array too far. So what is to be indented is
  // made without, and then indented.
  const { stringify } = {
    stringify(value, replacer, space) {
      if (space instanceof Number || space instanceof String) space = space.valueOf();
      const gap = typeof space === 'number' ? '          '.slice(0, space > 0 ? space : 0) : typeof space === 'string' ? space.slice(0, 10) : '';
      const text = compact(value, replacer);
      if (gap === '' || text === undefined) return text;
      return native.indent(text, gap) || compact(value, replacer, gap);
    },
  };
  hidden(JSON, { stringify });

  // ---- errors ----

  class TimeoutError extends Error {}
  class ClosedError extends Error {}
  for (const c of [TimeoutError, ClosedError]) hidden(c.prototype, { name: c.name });
  const makeError = (name, text) => new ({ TimeoutError, ClosedError, RangeError }[name] || Error)(text);

  // ---- what is sent ----

  function toJSON(j) {
    const text = stringify(j);
    if (text === undefined) throw new TypeError(`not JSON: ${inspect(j)}`);
    return text;
  }

  function toBytes(data) {
    if (isView(data) || data instanceof ArrayBuffer) return data;
    throw new TypeError(`not binary data (a Buffer, a typed array, a DataView or an ArrayBuffer): ${inspect(data)}`);
  }

  // The sending functions without an a return nothing, as nv-session-simple's do;
  // the others promise undefined, or the error if the message was not sent.
  const sent = (why) => (why === '' ? undefined : makeError(why === 'session is closed' ? 'ClosedError' : 'Error', why));

  // ---- Conn ----

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

  // ---- Sess ----

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

  // ---- Server ----

  // What stands for the built-in handlers.
  function others(sess, send) {
    const list = native.sessions();
    for (let i = 0; i < list.length; i++) if (list[i] !== sess) send(list[i].conn_);
  }
  const builtIn = {
    json_handle: {
      forward(j, conn, sess) { others(sess, (x) => x.jsend(j)); },
      echo(j, conn) { conn.jsend(j); },
      log(j) { console.log(j); },
    },
    str_handle: {
      forward(s, conn, sess) { others(sess, (x) => x.ssend(s)); },
      echo(s, conn) { conn.ssend(s); },
      log(s) { console.log(s); },
    },
    bin_handle: {
      forward(length, data, conn, sess) { others(sess, (x) => x.bsend(data)); },
      echo(length, data, conn) { conn.bsend(data); },
      log(length, data) { console.log(length, data); },
    },
    creq_handle: {
      async echo(j, conn) { await conn.send_jrr_sres(j.___data___, j.___id___); },
      log(j) { console.log(j); },
    },
  };
  const DFLT = {
    bin_handle: async function DFLT_BIN_HANDLE(length, data, conn, sess, self) {},
    str_handle: async function DFLT_STR_HANDLE(s, conn, sess, self) {},
    json_handle: async function DFLT_JSON_HANDLE(j, conn, sess, self) {},
    creq_handle: async function DFLT_CREQ_HANDLE(j, conn, sess, self) {},
    cfg_handle: async function DFLT_CFG_HANDLE(j, conn, sess, self) {},
    hsrv_handle: async function DFLT_HSRV_HANDLER(req, res) { res.writeHead(404); res.end(); },
    verify: function verify(r) { return true; },
  };
  const none = { f() {} }.f;

  function ms(timeout, otherwise) { return timeout === undefined ? otherwise : timeout; }

  let singleton; // the daemon's server
  const config = parse(native.config()) || {};

  const listening = () => parse(native.listen());

  function select(test) {
    const list = native.sessions();
    const found = [];
    for (let i = 0; i < list.length; i++) if (test(list[i])) found[found.length] = list[i];
    return found;
  }

  class Server {
    // There is one server, the daemon; this gives it.
    constructor() {
      if (singleton) return singleton;
    }

    get cfg_() { return config; }
    get sesses_() {
      const list = native.sessions();
      const map = new Map();
      for (let i = 0; i < list.length; i++) apply(set, map, [list[i], list[i].id_]);
      return map;
    }
    get port_() {
      const first = listening()[0];
      if (!first) return undefined;
      return first.network === 'unix' ? first.address : Number(first.address.slice(first.address.lastIndexOf(':') + 1));
    }
    get sec_websocket_protocol_() {
      const list = this.cfg_.subprotocols || [];
      return list.length > 1 ? list : list[0];
    }
    get hsrv_protocol_() { return (listening()[0] || {}).tls ? 'https' : 'http'; }
    get https_opts_() { return undefined; } // a key is nobody's to read
    get hsrv_() {
      const list = listening();
      const unix = list.find((l) => l.network === 'unix');
      const hsrv = { listening: list.length > 0, addresses: list };
      if (unix) hsrv._pipeName = unix.address;
      return hidden(hsrv, {
        address() {
          const [first] = list;
          if (!first) return null;
          if (first.network === 'unix') return first.address;
          const colon = first.address.lastIndexOf(':');
          const address = first.address.slice(0, colon).replace(/^\[|\]$/g, '');
          return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: Number(first.address.slice(colon + 1)) };
        },
      });
    }
    get wsrv_() {
      return { config: this.cfg_, connections: native.sessions().map((sess) => sess.conn_), pendingRequests: [] };
    }

    fst_sess() { return native.at(0); }
    lst_sess() { return native.last(); }
    get_sess(i = 0) { return native.at(Number(i)); }
    get_sess_with_conn(conn) { return select((sess) => sess.conn_ === conn)[0]; }
    get_sess_with_port(port) { return native.byPort(Number(port)); }
    sess_filter(condition = () => true, ...params) {
      return select((sess) => condition(sess.req_, sess.conn_, sess.id_, ...params));
    }
    rgx_sess_filter(rgx) {
      if (typeof rgx === 'string') return native.matching(rgx, false) || [];
      if (!(rgx instanceof RegExp)) return native.sessions();
      const found = rgx.flags === '' ? native.matching(rgx.source, true) : null;
      return found || select((sess) => {
        rgx.lastIndex = 0;
        return rgx.test(stringify(sess.req_));
      });
    }

    enable_forward() { native.forward(true); }
    disable_forward() { native.forward(false); }

    // What is sent to all: the message itself, and the tally at once.
    async jbroadcast_ignore_reply(j) {
      if (!native.at(0)) return undefined;
      return parse(native.broadcast(toJSON(j), 'none'));
    }
    // A request to all: the first answer, or undefined after the timeout.
    async jbroadcast_until_any_client_reply(j, timeout) {
      const text = toJSON(j);
      if (!native.at(0)) return undefined;
      const answers = await native.broadcast(text, 'any', ms(timeout, 15000));
      return answers === undefined ? undefined : parse(answers)[0];
    }
    // A request to all: every answer, or undefined after the timeout. Who leaves
    // meanwhile is not waited for.
    async jbroadcast_until_all_client_reply(j, timeout) {
      const text = toJSON(j);
      if (!native.at(0)) return undefined;
      const answers = await native.broadcast(text, 'all', ms(timeout, 15000));
      return answers === undefined ? undefined : parse(answers);
    }

    // Takes sessions again after close(), and listens at one more address if the
    // configuration allows that: a path, or a port.
    async start(port, sec_websocket_protocol, hsrv_protocol, https_opts) {
      let address = '';
      if (typeof port === 'number' || /^[0-9]+$/.test(port)) {
        address = ':' + port;
        const there = listening().find((l) => l.network === 'tcp' && l.address.endsWith(address));
        if (there && hsrv_protocol !== 'https') address = there.address;
      } else if (port !== undefined) {
        address = String(port);
      }
      if (sec_websocket_protocol !== undefined && ![].concat(this.sec_websocket_protocol_ || []).includes(sec_websocket_protocol)) {
        throw new TypeError(`the daemon does not speak the subprotocol ${inspect(sec_websocket_protocol)}: set subprotocols in its configuration`);
      }
      let cert = '';
      let key = '';
      if (hsrv_protocol === 'https') {
        if (!https_opts || !https_opts.cert || !https_opts.key) throw new TypeError('https takes {key, cert}, both PEM');
        cert = String(https_opts.cert);
        key = String(https_opts.key);
      } else if (hsrv_protocol !== undefined && hsrv_protocol !== 'http') {
        throw new TypeError(`http or https, not ${inspect(hsrv_protocol)}`);
      }
      await native.start(address, cert, key);
      return this;
    }
    // Closes every session, and takes none until start() or restart(). Promises
    // how many there were.
    async close() { return native.close(false); }
    // Closes every session so that it comes back.
    async restart() {
      await native.close(true);
      return this;
    }

    get [Symbol.toStringTag]() {
      const list = listening().map((l) => l.address);
      return stringify({
        server: list.length === 1 ? list[0] : list,
        conns: native.sessions().map((sess) => sess.conn_.socket._peername || sess.conn_.socket._pipeName),
      }, null, 2);
    }

    static VALI_HREQ_TEM() {
      return {
        cookies: [], host: '', key: '', origin: '', remoteAddress: undefined, remoteAddresses: [undefined],
        requestedExtensions: [], requestedProtocols: null, resource: '/',
        resourceURL: {
          protocol: null, slashes: null, auth: null, host: null, port: null, hostname: null, hash: null, search: null, query: {},
          pathname: '/', path: '/', href: '/',
        },
        webSocketVersion: 13,
        httpRequest: {
          remoteAddress: undefined, remotePort: undefined, host: 'localhost', hostname: 'localhost', port: null, method: 'GET', path: '/',
          headers: {
            upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': '7Ps6/Zdaao8BdULnTnfpmg==',
            host: 'localhost',
          },
          body: Buffer.from(''),
        },
      };
    }
    // Verify hooks are given the record already; this is it.
    static async extract_hreq(req) { return req; }
  }

  for (const name of native.handlers) {
    hidden(Server.prototype, {
      [`regis_$${name}$`](f) { native.register(name, f); },
    });
    if (name === 'after_extract_async_verify') continue;
    defineProperty(Server.prototype, name + '_', {
      get() {
        const f = native.handler(name);
        if (typeof f === 'string') return (builtIn[name] || {})[f] || none;
        return f || DFLT[name] || none;
      },
      enumerable: false,
      configurable: true,
    });
  }

  const srv = (singleton = new Server());

  // ---- hsrv_handle's response ----

  class ServerResponse {
    #respond;
    #fields = [];
    #body = [];
    statusCode = 200;
    constructor(respond) { this.#respond = respond; }
    setHeader(name, value) {
      this.removeHeader(name);
      for (const v of [].concat(value)) this.#fields.push([String(name), String(v)]);
      return this;
    }
    getHeader(name) { return (this.#fields.find(([n]) => n.toLowerCase() === String(name).toLowerCase()) || [])[1]; }
    removeHeader(name) { this.#fields = this.#fields.filter(([n]) => n.toLowerCase() !== String(name).toLowerCase()); }
    writeHead(status, reason, headers) {
      this.statusCode = Number(status);
      if (typeof reason === 'object') headers = reason;
      for (const name of keys(headers || {})) this.setHeader(name, headers[name]);
      return this;
    }
    write(data) {
      this.#body.push(typeof data === 'string' ? Buffer.from(data) : Buffer.from(toBytes(data)));
      return true;
    }
    end(data) {
      if (data !== undefined && data !== null) this.write(data);
      if (this.getHeader('content-type') === undefined && this.#body.length > 0) this.setHeader('content-type', 'text/plain; charset=utf-8');
      this.#respond(this.statusCode, this.#fields, Buffer.concat(this.#body));
      return this;
    }
  }

  // ---- console ----

  const counts = new Map();
  const clocks = new Map();
  let indent = '';
  const write = (level, text) => native.write(level, indent ? text.replace(/^/gm, indent) : text);
  const writer = (level) => ({ [level]: (...args) => write(level, format(...args)) })[level];
  const label = (name) => (name === undefined ? 'default' : String(name));
  const console = {
    log: writer('log'),
    info: writer('info'),
    debug: writer('debug'),
    warn: writer('warn'),
    error: writer('error'),
    dir(value, options) { write('log', inspect(value, { customInspect: false, ...options })); },
    trace(...args) {
      const { stack } = new Error(format(...args));
      write('error', stack.replace(/^Error:? ?/, 'Trace: '));
    },
    assert(ok, ...args) {
      if (!ok) write('error', args.length ? format('Assertion failed: ' + format(...args)) : 'Assertion failed');
    },
    count(name) {
      name = label(name);
      counts.set(name, (counts.get(name) || 0) + 1);
      write('log', `${name}: ${counts.get(name)}`);
    },
    countReset(name) { counts.delete(label(name)); },
    time(name) { clocks.set(label(name), native.now()); },
    timeLog(name, ...rest) {
      name = label(name);
      if (clocks.has(name)) write('log', format(`${name}: ${(native.now() - clocks.get(name)).toFixed(3)}ms`, ...rest));
    },
    timeEnd(name) {
      console.timeLog(name);
      clocks.delete(label(name));
    },
    group(...args) {
      if (args.length) console.log(...args);
      indent += '  ';
    },
    groupEnd() { indent = indent.slice(2); },
    table(rows) { console.log(rows); },
  };
  console.groupCollapsed = console.group;
  hidden(console, { [Symbol.toStringTag]: 'console' });

  // ---- timers ----

  class Timeout {
    constructor(id) { defineProperty(this, 'id', { value: id, enumerable: false }); }
    ref() { return this; }
    unref() { return this; }
    hasRef() { return true; }
    close() { native.clearTimer(this.id); }
    [Symbol.toPrimitive]() { return this.id; }
  }
  const setTimeout = function setTimeout(f, delay, ...args) { return new Timeout(native.setTimer(f, false, Number(delay), ...args)); };
  const setInterval = function setInterval(f, delay, ...args) { return new Timeout(native.setTimer(f, true, Number(delay), ...args)); };
  const setImmediate = function setImmediate(f, ...args) { return new Timeout(native.setTimer(f, false, 1, ...args)); };
  const clear = (t) => {
    if (t !== undefined && t !== null) native.clearTimer(Number(t));
  };
  const queueMicrotask = function queueMicrotask(f) {
    if (typeof f !== 'function') throw new TypeError('queueMicrotask calls a function');
    Promise.resolve().then(() => f());
  };

  // ---- fetch ----

  class Headers {
    #list = [];
    constructor(init = {}) {
      const pairs = init instanceof Headers || Array.isArray(init) ? [...init] : Object.entries(init);
      for (const [name, value] of pairs) this.append(name, value);
    }
    append(name, value) { this.#list.push([String(name).toLowerCase(), String(value)]); }
    set(name, value) {
      this.delete(name);
      this.append(name, value);
    }
    delete(name) { this.#list = this.#list.filter(([n]) => n !== String(name).toLowerCase()); }
    get(name) {
      const found = this.#list.filter(([n]) => n === String(name).toLowerCase()).map(([, v]) => v);
      return found.length ? found.join(', ') : null;
    }
    has(name) { return this.get(name) !== null; }
    forEach(f) { for (const [name, value] of this) f(value, name, this); }
    entries() { return this[Symbol.iterator](); }
    [Symbol.iterator]() { return this.#list.map((pair) => [...pair])[Symbol.iterator](); }
  }

  class Response {
    #body;
    constructor(r) {
      this.status = r.status;
      this.statusText = r.statusText;
      this.url = r.url;
      this.headers = new Headers(r.headers || []);
      this.#body = r.body;
    }
    get ok() { return this.status >= 200 && this.status <= 299; }
    async arrayBuffer() { return this.#body; }
    async text() { return native.utf8(this.#body); }
    async json() { return parse(native.utf8(this.#body)); }
  }

  const fetch = async function fetch(url, { method = 'GET', headers = {}, body } = {}) {
    const fields = new Headers(headers);
    if (body !== undefined && body !== null) {
      if (!isView(body) && !(body instanceof ArrayBuffer)) {
        if (!fields.has('content-type')) fields.set('content-type', 'text/plain;charset=UTF-8');
        body = Buffer.from(String(body));
      }
    } else {
      body = undefined;
    }
    return new Response(await native.fetch(String(url), String(method).toUpperCase(), [...fields], body));
  };

  // ---- the rest of the furniture ----

  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
  }
  class TextDecoder {
    get encoding() { return 'utf-8'; }
    decode(data) { return data === undefined ? '' : native.utf8(toBytes(data)); }
  }

  const clone = (value, seen) => {
    if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`${String(value)} could not be cloned`);
    if (value === null || typeof value !== 'object') return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => (seen.set(value, copy), copy);
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (isView(value)) return keep(Buffer.isBuffer(value) ? Buffer.from(value) : new value.constructor(value));
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [k, v] of value) copy.set(clone(k, seen), clone(v, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const v of value) copy.add(clone(v, seen));
      return copy;
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const k of keys(value)) copy[k] = clone(value[k], seen);
    return copy;
  };

  const crypto = {
    getRandomValues(array) {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      if (bytes.length > 65536) throw new RangeError('more than 65536 bytes');
      bytes.set(new Uint8Array(native.random(bytes.length)));
      return array;
    },
    randomUUID() {
      const b = new Uint8Array(native.random(16));
      b[6] = (b[6] & 0x0f) | 0x40;
      b[8] = (b[8] & 0x3f) | 0x80;
      return Buffer.from(b).toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  };

  const DFLT_SRV_CFG = () => ({ ...srv.cfg_ });
  const missing = (what, why) => new Proxy({}, {
    get(target, name) {
      if (typeof name === 'symbol') return undefined;
      return () => { throw new Error(`${what}.${name}: ${why}`); };
    },
  });
  const modules = {
    'nv-session-simple': {
      Server, srv: { Server, ...Object.fromEntries(Object.values(DFLT).map((f) => [f.name, f])) }, DFLT_SRV_CFG,
      get client() { throw new Error('clients run in Node.js or a browser; nvsessctl bw prints theirs'); },
    },
    buffer: { Buffer },
    util: native.inspect,
    fs: missing('fs', 'scripts have no files; a socket that is left over is removed when the daemon starts'),
    'nv-cli-user': missing('nv-cli-user', 'the owner of a socket is set by [socket] in the configuration'),
  };
  const require = function require(name) {
    name = String(name).replace(/^node:/, '');
    if (Object.prototype.hasOwnProperty.call(modules, name)) return modules[name];
    if (name === 'url') return native.require('url');
    throw new Error(`Cannot find module '${name}': scripts have nv-session-simple, buffer, url and util`);
  };

  hidden(globalThis, {
    Server, Sess, Conn, TimeoutError, ClosedError, console, require, global: globalThis, fs: modules.fs,
    setTimeout, setInterval, setImmediate, clearTimeout: clear, clearInterval: clear, clearImmediate: clear, queueMicrotask,
    fetch, Headers, Response, TextEncoder, TextDecoder, crypto,
    structuredClone: function structuredClone(value) { return clone(value, new Map()); },
    performance: { now: () => native.now() },
    atob: function atob(text) { return Buffer.from(String(text), 'base64').toString('latin1'); },
    btoa: function btoa(text) { return Buffer.from(String(text), 'latin1').toString('base64'); },
  });

  // Nobody takes the server away: an assignment to srv is without effect.
  defineProperty(globalThis, 'srv', { value: srv, writable: false, enumerable: false, configurable: false });

  // The names that a completion offers.
  function properties(expr, prefix) {
    let target = globalThis;
    for (const name of expr === '' ? [] : expr.split(/\?\.|\./)) {
      target = name === 'this' && target === globalThis ? globalThis : target[name];
      if (target === undefined || target === null) return [];
    }
    const names = new Set();
    for (let o = Object(target); o !== null; o = Object.getPrototypeOf(o)) {
      if (expr !== '' && o === Object.prototype && target !== o && prefix === '') break;
      for (const name of Object.getOwnPropertyNames(o)) {
        if (name.startsWith(prefix) && /^[A-Za-z_$][\w$]*$/.test(name)) names.add(name);
      }
    }
    return [...names].sort().slice(0, 500);
  }

  return {
    srv,
    sess: (handle) => new Sess(made, handle),
    then: (promise, f, g) => { apply(then, promise, [f, g]); },
    require,
    error: makeError,
    response: (respond) => new ServerResponse(respond),
    properties,
  };
})
