// What stands for the built-in handlers, and for those that nobody has set.

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
  on_open: function DFLT_ON_OPEN(conn, sess, self) {},
  on_close: function DFLT_ON_CLOSE(code, reason, conn, sess, self) {},
  on_error: function DFLT_ON_ERROR(code, reason, conn, sess, self) {},
  verify: function verify(r) { return true; },
};
const none = { f() {} }.f;
