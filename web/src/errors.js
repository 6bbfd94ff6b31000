// What fails has a name: err.name, and a class for instanceof.

/** Every error of this client is one of these. */
export class NvsessError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = this.constructor.errorName;
  }
}
NvsessError.errorName = "NvsessError";

const kind = (name, Base = NvsessError) => {
  const C = class extends Base {};
  C.errorName = name;
  Object.defineProperty(C, "name", { value: name });
  return C;
};

/** A setting, an address or an argument makes no sense. Nothing was tried. */
export const ConfigError = kind("ConfigError");
/** notWebSocket is what both transports say of another scheme's URL, http:// and https:// among them. */
export const notWebSocket = (url) => new ConfigError(`${url} is not a WebSocket URL: ws://, wss:// or ws+unix://`);
/** There is no connection, and none to come. `code` and `reason` say how the last one ended. */
export const ClosedError = kind("ClosedError");
/** No answer before the deadline. */
export const TimeoutError = kind("TimeoutError");
/** What waits to be sent fills its bounds. The message was not taken. */
export const QueueFull = kind("QueueFull");
/** As many requests as allowed wait for their answer. */
export const TooManyPending = kind("TooManyPending");
/** No connection could be made. `cause` tells more; a browser does not. */
export const ConnectError = kind("ConnectError");
/** The server refused the handshake (`status`, `body`), or did not follow RFC 6455 in it. */
export const HandshakeError = kind("HandshakeError", ConnectError);
/** The server broke RFC 6455. `code` is the close code it was told. */
export const ProtocolError = kind("ProtocolError");
/** The server was silent for the keepalive interval. */
export const KeepaliveError = kind("KeepaliveError");
/** Not possible here: ping frames in a browser, unix sockets in a browser. */
export const UnsupportedError = kind("UnsupportedError");

/** with gives an error further fields. */
export const withFields = (err, fields) => Object.assign(err, fields);
