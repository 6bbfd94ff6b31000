// bwsess.js: the global Bwsess, or what require gives.
import * as nvsess from "./nvsess";

declare const Bwsess: typeof nvsess.Client & Omit<typeof nvsess, "default">;
type Bwsess = nvsess.Client;
/** The types of nvsess.d.ts, by the one name that a script has: Bwsess.Conn. */
declare namespace Bwsess {
  type Envelope<T = unknown> = nvsess.Envelope<T>;
  type BinHandle = nvsess.BinHandle;
  type Bytes = nvsess.Bytes;
  type CfgHandle = nvsess.CfgHandle;
  type Client = nvsess.Client;
  type ClosedError = nvsess.ClosedError;
  type Config = nvsess.Config;
  type ConfigError = nvsess.ConfigError;
  type Conn = nvsess.Conn;
  type ConnectError = nvsess.ConnectError;
  type Events = nvsess.Events;
  type HandshakeError = nvsess.HandshakeError;
  type JsonHandle = nvsess.JsonHandle;
  type Keepalive = nvsess.Keepalive;
  type KeepaliveError = nvsess.KeepaliveError;
  type NvsessError = nvsess.NvsessError;
  type OnClose = nvsess.OnClose;
  type OnError = nvsess.OnError;
  type ProtocolError = nvsess.ProtocolError;
  type QueueFull = nvsess.QueueFull;
  type Sess = nvsess.Sess;
  type SreqHandle = nvsess.SreqHandle;
  type StartOptions = nvsess.StartOptions;
  type StrHandle = nvsess.StrHandle;
  type Text = nvsess.Text;
  type TimeoutError = nvsess.TimeoutError;
  type TooManyPending = nvsess.TooManyPending;
  type UnsupportedError = nvsess.UnsupportedError;
}
export = Bwsess;
export as namespace Bwsess;
