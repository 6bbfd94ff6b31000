// A module for Node.js that uses all of the client.
import Bwsess, { Client, ConfigError, DFLT_CFG, TimeoutError, ato_u8ary, to_u8ary, type Config, type Conn, type Envelope, type Sess } from "nvsess";

const cfg: Config = Client.DFLT_CFG();
const c = new Client({ ...cfg, keepaliveInterval: 10000, debug: (...what) => console.log(what) });
c.regis_$json_handle$(async (j, conn: Conn, sess: Sess, self) => conn.jsend([j, sess.id_, self.url_]));
c.regis_$bin_handle$(async (length, data, conn) => conn.absend(data.subarray(0, length)));
c.regis_$str_handle$(async (s, conn) => conn.assend(s.toUpperCase()));
c.regis_$sreq_handle$(async (j, conn) => conn.send_jrr_cres({ asked: j.___data___.q }, j.___id___));
c.regis_$on_close$((code, reason) => console.log(code.toFixed(), reason.trim()));
c.regis_$on_error$((code, description) => console.log(code, description.trim()));
c.regis_$check_network_before_reconn$(async (least: number) => least > 1, 2);
const off = c.on("message", (m) => {
  if (m.kind === "binary") console.log(m.data.byteLength);
  else if (m.kind === "string") console.log(m.data.trim());
  else console.log(m.data.anything);
});
off();

await c.start("ws+unix:///run/nvsess.sock", ["chat"], { signal: AbortSignal.timeout(5), headers: { cookie: ["a=b"] }, tls: { ca: "" } });
await c.start(new URL("wss://localhost/"), "chat", "https://localhost", { cookie: "a=b" }, { rejectUnauthorized: false });
const whole: Envelope = await c.sess_.conn_.send_jrr_creq({ q: 1 }, { timeout: 5, signal: AbortSignal.timeout(5) });
const answer = await c.conn_.send_jrr_creq<{ myreply: string }>({ q: 1 });
console.log(whole.___id___, answer.___data___.myreply.length);
await c.conn_.absend(new Blob(["bytes"]));
for (const bytes of [new Uint8Array(3), new Int32Array(1), new ArrayBuffer(2), new DataView(new ArrayBuffer(1)), Buffer.from("x"), [1, 2], "text"]) c.conn_.bsend(bytes);
await c.conn_.asend_ping_frame();
const bytes: Uint8Array[] = [to_u8ary([1]), await ato_u8ary(new Blob([])), Client.to_u8ary("x"), await Bwsess.ato_u8ary("x")];
const active: boolean = c.sess_.is_active() && c.conn_.state === "open" && c.conn_.is_client_;
c.sess_.cjrr_queue_["id"]?.rs(1);
const [code, reason] = await c.close();
console.log(bytes, active, code, reason, c.ended_?.code, Bwsess.ERROR, Bwsess.CLOSE_ERRORS[3001], DFLT_CFG().fatalStatus);
try {
  await c.restart();
} catch (err) {
  if (err instanceof TimeoutError || err instanceof ConfigError) console.log(err.message);
}

// @ts-expect-error there is no such setting
new Client({ bogus: 1 });
// @ts-expect-error the event is named close
c.on("closed", () => {});
// @ts-expect-error an object is no text
c.conn_.ssend({ a: 1 });
