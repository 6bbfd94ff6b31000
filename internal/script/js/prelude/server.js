// Server, which is the daemon. Members whose names end in _ are getters; regis_$x$
// sets what x_ gives.

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

  // Whether the handler that asks is called again, for an event that was under way
  // when the daemon was replaced: a part of it may be done.
  get repeated_() { return native.repeated(); }

  // What a handler does to pass a message on: it is sent to every other session
  // than sess, encoded once, and the tally is returned. Sending it to each by its
  // conn_ encodes it for each.
  jforward(j, sess) { return parse(native.forwardTo('json', toJSON(j), sess ? sess.id_ : '')); }
  sforward(s, sess) { return parse(native.forwardTo('string', String(s), sess ? sess.id_ : '')); }
  bforward(b, sess) { return parse(native.forwardTo('binary', toBytes(b), sess ? sess.id_ : '')); }

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
    const secure = hsrv_protocol === 'https';
    if (secure && https_opts !== undefined && https_opts !== null) {
      if (!https_opts.cert || !https_opts.key) throw new TypeError('https takes {key, cert}, both PEM');
      cert = String(https_opts.cert);
      key = String(https_opts.key);
    }
    if (!secure && hsrv_protocol !== undefined && hsrv_protocol !== 'http') {
      throw new TypeError(`http or https, not ${inspect(hsrv_protocol)}`);
    }
    await native.start(address, secure, cert, key);
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
      auth: null,
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
