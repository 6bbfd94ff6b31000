// The client as a module.
import { Client } from "./client.js";

export { Client, Client as Bwsess, Client as default };
export { DFLT_CFG } from "./config.js";
export { to_u8ary, ato_u8ary } from "./bytes.js";
export {
  NvsessError,
  ConfigError,
  ClosedError,
  TimeoutError,
  QueueFull,
  TooManyPending,
  ConnectError,
  HandshakeError,
  ProtocolError,
  KeepaliveError,
  UnsupportedError,
} from "./errors.js";
