import { HandshakeError, withFields } from "../errors.js";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_BODY = 4096;

/** requestOptions gives what node:http needs to ask for an upgrade. */
export function requestOptions(address, target, cfg, key) {
  const headers = {};
  for (const [name, value] of Object.entries(target.headers ?? {})) headers[name.toLowerCase()] = value;
  headers.host ??= address.host;
  if (target.origin) headers.origin = target.origin;
  Object.assign(headers, { upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13", "sec-websocket-key": key });
  if (target.protocols.length) headers["sec-websocket-protocol"] = target.protocols.join(", ");
  const where = address.socketPath
    ? { socketPath: address.socketPath }
    : { hostname: address.hostname, port: address.port, auth: address.auth };
  const tls = address.tls ? { rejectUnauthorized: cfg.rejectUnauthorized, ...cfg.tlsOptions, ...target.tls } : {};
  return { ...tls, ...where, method: "GET", path: address.path, headers, agent: false };
}

/** checkUpgrade proves that a 101 is the answer to our request (RFC 6455, section 4.1), and gives the subprotocol. */
export function checkUpgrade(res, key, protocols, crypto) {
  const bad = (what) => new HandshakeError(`the server did not follow RFC 6455: ${what}`);
  const header = (name) => (res.headers[name] ?? "").toLowerCase();
  if (res.httpVersion !== "1.1") throw bad(`its answer is HTTP/${res.httpVersion}`);
  if (header("upgrade") !== "websocket") throw bad("no Upgrade: websocket in its answer");
  if (!header("connection").split(",").some((w) => w.trim() === "upgrade")) throw bad("no Connection: Upgrade in its answer");
  const accept = crypto.createHash("sha1").update(key + GUID).digest("base64");
  if (res.headers["sec-websocket-accept"] !== accept) throw bad("its Sec-WebSocket-Accept is not that of our key");
  if (res.headers["sec-websocket-extensions"] !== undefined) throw bad("an extension that was not offered");
  const chosen = res.headers["sec-websocket-protocol"];
  if (chosen === undefined && protocols.length) throw bad(`it speaks none of the subprotocols ${protocols.join(", ")}`);
  if (chosen !== undefined && !protocols.includes(chosen)) throw bad("a subprotocol that was not offered");
  return chosen ?? "";
}

/** refusal reads the beginning of a refusal's body and gives its error. */
export function refusal(res, done) {
  let body = Buffer.alloc(0);
  const finish = () => {
    res.removeAllListeners("data");
    const text = body.toString("utf8").trim();
    const err = new HandshakeError(`the server answered ${res.statusCode}${text ? `: ${JSON.stringify(text.slice(0, 200))}` : ""}`);
    withFields(err, { status: res.statusCode, headers: res.headers, body: text });
    const seconds = Number(res.headers["retry-after"]);
    done(err, seconds > 0 ? seconds * 1000 : undefined);
  };
  res.on("data", (chunk) => {
    body = Buffer.concat([body, chunk.subarray(0, MAX_BODY - body.length)]);
    if (body.length >= MAX_BODY) finish();
  });
  res.on("error", finish);
  res.on("end", finish);
  res.on("close", finish);
}
