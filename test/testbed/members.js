// What nv-session-simple's README lists on a client: each member is a function
// that is given the class and a daemon's address (see driver.js), uses the member
// and throws if it does not do what its name says. It runs in Node.js and in a
// page; what is in nodeOnly there only.
"use strict";
(() => {
  const show = (x) => JSON.stringify(x);
  function same(got, want) {
    if (got !== want && show(got) !== show(want)) throw new Error(`got ${show(got)}, want ${show(want)}`);
  }
  const later = () => {
    let done;
    const promise = new Promise((resolve) => (done = resolve));
    return { promise, done };
  };
  const open = [];
  async function connect(Client, url, cfg = {}, ...rest) {
    const c = new Client({ reconnectMin: 5, reconnectMax: 50, ...cfg });
    open.push(c);
    await c.start(url, ...rest);
    return c;
  }
  /** Registers a handler that gives its arguments. */
  function heard(c, name) {
    const { promise, done } = later();
    c[`regis_$${name}$`]((...args) => done(args));
    return promise;
  }
  /** x_ gives what regis_$x$ was given, and before that a default. */
  const givesBack = (name) => async (Client) => {
    const c = new Client();
    same(typeof c[name + "_"], "function");
    const f = async () => {};
    c[`regis_$${name}$`](f);
    same(c[name + "_"] === f, true);
    c[`regis_$${name}$`]();
    same(c[name + "_"] === f, false);
  };
  /** A handler has conn, sess, self last. */
  const tail = (c, args) => same(args.slice(-3).map((x, i) => x === [c.conn_, c.sess_, c][i]), [true, true, true]);
  const isDefault = (name, args) => async (Client) => {
    same(typeof Client[name], "function");
    same(await Client[name](...args), name.endsWith("RECONN") ? true : undefined);
  };

  globalThis.members = {
    "c.bin_handle_": givesBack("bin_handle"),
    "c.str_handle_": givesBack("str_handle"),
    "c.json_handle_": givesBack("json_handle"),
    "c.sreq_handle_": givesBack("sreq_handle"),
    "c.on_close_": givesBack("on_close"),
    "c.on_error_": givesBack("on_error"),
    "c.check_network_before_reconn_": async (Client) => {
      const c = new Client();
      same(c.check_network_before_reconn_(), true);
      c.regis_$check_network_before_reconn$((...args) => args, 1, 2);
      same(c.check_network_before_reconn_(), [1, 2]);
    },
    "c.cfg_": async (Client) => {
      const c = new Client({ keepaliveInterval: 777 });
      same([c.cfg_.keepaliveInterval, c.cfg_.autoReconnect], [777, true]);
    },
    "c.regis_$bin_handle$": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "bin_handle");
      c.sess_.conn_.bsend(new Uint8Array([1, 2]));
      const args = await got;
      same([args[0], args[1] instanceof Uint8Array, ...args[1]], [2, true, 1, 2]);
      tail(c, args);
    },
    "c.regis_$str_handle$": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "str_handle");
      c.regis_$json_handle$(() => {
        throw new Error("a string is no JSON");
      });
      c.sess_.conn_.ssend("ü");
      const args = await got;
      same(args[0], "ü");
      tail(c, args);
    },
    "c.regis_$json_handle$": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "json_handle");
      c.sess_.conn_.jsend({ a: [1] });
      const args = await got;
      same(args[0], { a: [1] });
      tail(c, args);
    },
    "c.regis_$sreq_handle$": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "sreq_handle");
      c.sess_.conn_.ssend("ask");
      const args = await got;
      same([args[0].___type___, args[0].___id___.length, args[0].___data___], ["___sreq___", 64, { q: 1 }]);
      tail(c, args);
    },
    "c.regis_$on_close$": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "on_close");
      c.sess_.conn_.ssend("kick");
      const args = await got;
      same(args.slice(0, 2), [4001, "kicked"]);
      tail(c, args);
    },
    "c.regis_$on_error$": async (Client, url) => {
      const c = new Client({ autoReconnect: false });
      const got = heard(c, "on_error");
      await c.start(url.replace(/:\d+/, ":1")).then(() => same("connected", "failed"), () => {});
      const [code, description, conn, sess, self] = await got;
      same([typeof code, typeof description, conn === c.conn_, sess, self === c], ["string", "string", true, undefined, true]);
    },
    "c.regis_$check_network_before_reconn$": async (Client, url) => {
      const c = await connect(Client, url);
      const asked = later();
      let times = 0;
      c.regis_$check_network_before_reconn$(async (what) => {
        if (++times === 3) asked.done(what);
        return times >= 3;
      }, "network");
      const back = later();
      c.on("open", back.done);
      c.sess_.conn_.ssend("kick");
      same([await asked.promise, (await back.promise).reconnected], ["network", true]);
    },
    "c.start": async (Client, url) => {
      const c = new Client();
      open.push(c);
      same((await c.start(url)) === c, true);
      same(c.sess_.is_active(), true);
    },
    "c.close": async (Client, url) => {
      const c = await connect(Client, url);
      same(await c.close(), [1000, ""]);
      same([c.sess_.is_active(), c.sess_.conn_.state], [false, "closed"]);
    },
    "c.restart": async (Client, url) => {
      const c = await connect(Client, url);
      const first = c.sess_;
      same((await c.restart()) === c, true);
      same([c.sess_ === first, c.sess_.is_active(), first.is_active()], [false, true, false]);
    },
    "c.sec_websocket_protocol_": async (Client, url) => same((await connect(Client, url, {}, "chat")).sec_websocket_protocol_, "chat"),
    "c.sess_": async (Client, url) => {
      same(new Client().sess_, undefined);
      const c = await connect(Client, url);
      same([c.sess_.conn_ === c.conn_, c.sess_.is_active()], [true, true]);
    },
    "c.url_": async (Client, url) => same((await connect(Client, url)).url_, url),
    "c.wsrv_": async (Client, url) => {
      const c = await connect(Client, url);
      same(typeof c.wsrv_, "object");
      if (globalThis.window) same(c.wsrv_ instanceof WebSocket && c.wsrv_.readyState, 1);
    },

    "c.sess_.cjrr_queue_": async (Client, url) => {
      const { sess_: sess } = await connect(Client, url);
      const answer = sess.conn_.send_jrr_creq("no answer", { timeout: 50 }).catch((err) => err.name);
      same(Object.keys(sess.cjrr_queue_).map((id) => id.length), [64]);
      same(await answer, "TimeoutError");
      same(Object.keys(sess.cjrr_queue_), []);
    },
    "c.sess_.clear": async (Client, url) => {
      const { sess_: sess } = await connect(Client, url);
      sess.clear();
      same([sess.id_, sess.conn_, sess.res_, sess.katsk_], [undefined, undefined, undefined, undefined]);
    },
    "c.sess_.clear_katsk": async (Client, url) => {
      const c = await connect(Client, url, { keepaliveInterval: 40 });
      let pings = 0;
      c.on("keepalive", ({ type, sent }) => (pings += type === "ping" && sent));
      c.sess_.clear_katsk();
      same(c.sess_.katsk_, undefined);
      // Another keeps its own, and by its pings the time is told.
      const d = await connect(Client, url, { keepaliveInterval: 40 });
      const several = later();
      let theirs = 0;
      d.on("keepalive", ({ type, sent }) => type === "ping" && sent && ++theirs === 3 && several.done());
      await several.promise;
      same(pings, 0);
    },
    "c.sess_.conn_": async (Client, url) => {
      const c = await connect(Client, url);
      same(c.sess_.conn_.sess_ === c.sess_, true);
    },
    "c.sess_.constructor": async (Client, url) => same((await connect(Client, url)).sess_ instanceof (await connect(Client, url)).sess_.constructor, true),
    "c.sess_.id_": async (Client, url) => same(/^[\w-]{64}$/.test((await connect(Client, url)).sess_.id_), true),
    "c.sess_.is_active": async (Client, url) => {
      const c = await connect(Client, url);
      same(c.sess_.is_active(), true);
      await c.close();
      same(c.sess_.is_active(), false);
    },
    "c.sess_.katsk_": async (Client, url) => {
      same((await connect(Client, url)).sess_.katsk_ !== undefined, true);
      same((await connect(Client, url, { keepalive: false })).sess_.katsk_, undefined);
    },
    "c.sess_.res_": async (Client, url) => {
      const { res_: res } = (await connect(Client, url)).sess_;
      same(globalThis.window ? res.type : res.statusCode, globalThis.window ? "open" : 101);
    },

    "c.sess_.conn_.ssend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "str_handle");
      same(c.sess_.conn_.ssend("s"), undefined);
      same((await got)[0], "s");
    },
    "c.sess_.conn_.jsend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "json_handle");
      same(c.sess_.conn_.jsend([10]), undefined);
      same((await got)[0], [10]);
    },
    "c.sess_.conn_.bsend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "bin_handle");
      same(c.sess_.conn_.bsend(new Int16Array([258]).buffer), undefined);
      same([...(await got)[1]], [2, 1]);
    },
    "c.sess_.conn_.assend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "str_handle");
      same(await c.sess_.conn_.assend("s"), undefined);
      same((await got)[0], "s");
    },
    "c.sess_.conn_.ajsend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "json_handle");
      same(await c.sess_.conn_.ajsend({ b: 1 }), undefined);
      same((await got)[0], { b: 1 });
    },
    "c.sess_.conn_.absend": async (Client, url) => {
      const c = await connect(Client, url);
      const got = heard(c, "bin_handle");
      same(await c.sess_.conn_.absend(new Blob(["ab"])), undefined);
      same([...(await got)[1]], [97, 98]);
    },
    "c.sess_.conn_.send_jrr_creq": async (Client, url) => {
      const j = await (await connect(Client, url)).sess_.conn_.send_jrr_creq({ kkkk: "hi" });
      same([j.___type___, j.___id___.length, j.___data___], ["___sres___", 64, { kkkk: "hi" }]);
    },
    "c.sess_.conn_.send_jrr_cres": async (Client, url) => {
      const c = await connect(Client, url);
      const told = heard(c, "json_handle");
      const asked = heard(c, "sreq_handle");
      c.sess_.conn_.ssend("ask");
      same(await c.sess_.conn_.send_jrr_cres({ got: "it" }, (await asked)[0].___id___), undefined);
      same((await told)[0], { answered: { got: "it" } });
    },
    "c.sess_.conn_.send_ping_frame": async (Client, url) => {
      const c = await connect(Client, url, { keepalive: false });
      same(c.sess_.conn_.send_ping_frame(), undefined);
      const got = heard(c, "json_handle");
      c.sess_.conn_.ssend("how long is the silence"); // and so it goes on
      same(typeof (await got)[0].ms, "number");
    },
    "c.sess_.conn_.asend_ping_frame": async (Client, url) => same(await (await connect(Client, url)).sess_.conn_.asend_ping_frame(), undefined),
    "c.sess_.conn_.close": async (Client, url) => {
      const c = await connect(Client, url, { autoReconnect: false });
      const got = heard(c, "on_close");
      c.sess_.conn_.close(4000, "because");
      same((await got)[0], 4000); // the server's answer: it repeats the code
    },
    "c.sess_.conn_.config": async (Client, url) => {
      const c = await connect(Client, url);
      same(c.sess_.conn_.config === c.cfg_, true);
    },
    "c.sess_.conn_.is_client_": async (Client, url) => same((await connect(Client, url)).sess_.conn_.is_client_, true),
    "c.sess_.conn_.is_server_": async (Client, url) => same((await connect(Client, url)).sess_.conn_.is_server_, false),
    "c.sess_.conn_.ka_": async (Client, url) => {
      const { conn_: conn, katsk_ } = (await connect(Client, url, { keepaliveInterval: 30000 })).sess_;
      same([conn.ka_.tmout_, conn.ka_.lefted_ > 0 && conn.ka_.lefted_ <= 30000, katsk_ !== undefined], [30000, true, true]);
    },
    "c.sess_.conn_.protocol": async (Client, url) => same((await connect(Client, url, {}, ["other", "chat"])).sess_.conn_.protocol, "chat"),
    "c.sess_.conn_.sess_": async (Client, url) => {
      const c = await connect(Client, url);
      same(c.sess_.conn_.sess_ === c.sess_, true);
    },
    "c.sess_.conn_.state": async (Client, url) => {
      const c = await connect(Client, url);
      same(c.sess_.conn_.state, "open");
      await c.close();
      same(c.sess_.conn_.state, "closed");
    },

    "Bwsess.DFLT_CFG": async (Client) => {
      same([Client.DFLT_CFG().autoReconnect, Client.DFLT_CFG().keepalive, Client.DFLT_CFG().keepaliveInterval], [true, true, 20000]);
      same(Client.DFLT_CFG() === Client.DFLT_CFG(), false);
    },
    "Bwsess.ERROR": async (Client) => same(Client.ERROR.cant_use_sreq_from_client, "cant_use_sreq_from_client"),
    "Bwsess.CLOSE_ERRORS": async (Client) => same([Client.CLOSE_ERRORS.keepalive, Client.CLOSE_ERRORS[3002]], [3002, "keepalive"]),
    "Bwsess.DFLT_BIN_HANDLE": isDefault("DFLT_BIN_HANDLE", [1, new Uint8Array(1)]),
    "Bwsess.DFLT_STR_HANDLE": isDefault("DFLT_STR_HANDLE", ["s"]),
    "Bwsess.DFLT_JSON_HANDLE": isDefault("DFLT_JSON_HANDLE", [{}]),
    "Bwsess.DFLT_SREQ_HANDLE": isDefault("DFLT_SREQ_HANDLE", [{}]),
    "Bwsess.DFLT_ON_CLOSE": isDefault("DFLT_ON_CLOSE", [1000, ""]),
    "Bwsess.DFLT_ON_ERROR": isDefault("DFLT_ON_ERROR", ["x", ""]),
    "Bwsess.DFLT_CHECK_NETWORK_BEFORE_RECONN": isDefault("DFLT_CHECK_NETWORK_BEFORE_RECONN", []),
    "Bwsess.to_u8ary": async (Client) => same([Client.to_u8ary(new Int16Array([258])), Client.to_u8ary("é")].map((x) => [...x]), [[2, 1], [0xc3, 0xa9]]),
    "Bwsess.ato_u8ary": async (Client) => same([...(await Client.ato_u8ary(new Blob(["ab"])))], [97, 98]),
  };
  globalThis.nodeOnly = ["c.sess_.conn_.send_ping_frame", "c.sess_.conn_.asend_ping_frame"];
  /** Runs one, and closes what it has opened. */
  globalThis.runMember = async (name, Client, url) => {
    try {
      await globalThis.members[name](Client, url);
    } finally {
      await Promise.all(open.splice(0).map((c) => c.close()));
    }
  };
})();
