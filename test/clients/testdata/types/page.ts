// A page that has loaded bwsess.js.
/// <reference path="./node_modules/nvsess/dist/bwsess.d.ts" />
async function talk(conn: Bwsess.Conn) {
  conn.ssend("string");
  await conn.absend(new Blob(["bytes"]));
}
const ws = new Bwsess(Bwsess.DFLT_CFG());
ws.start("/").then((c) => talk(c.sess_.conn_));
