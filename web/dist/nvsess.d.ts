// The client of nvsess: see web/README.md. Written by hand; a test proves that
// every export is here.

/** A message of the protocol. */
export interface Envelope<T = unknown> {
  ___type___: string;
  ___id___: string;
  ___data___: T;
}

type Awaitable<T> = T | Promise<T>;

export type CfgHandle = (j: Envelope, conn: Conn, sess: Sess, self: Client) => unknown;
/** data is a Buffer in Node. */
export type BinHandle = (length: number, data: Uint8Array, conn: Conn, sess: Sess, self: Client) => unknown;
export type StrHandle = (s: string, conn: Conn, sess: Sess, self: Client) => unknown;
export type JsonHandle = (j: any, conn: Conn, sess: Sess, self: Client) => unknown;
export type SreqHandle = (j: Envelope<any>, conn: Conn, sess: Sess, self: Client) => unknown;
export type OnClose = (code: number, reason: string, conn: Conn, sess: Sess, self: Client) => unknown;
export type OnError = (code: number | string, description: string, conn: Conn, sess: Sess | undefined, self: Client) => unknown;

/** Settings. Durations are milliseconds, sizes bytes. */
export interface Config {
  autoReconnect: boolean;
  reconnectMin: number;
  reconnectMax: number;
  reconnectFactor: number;
  maxRetries: number;
  retryAfterMax: number;
  fatalStatus: number[];
  queueMessages: number;
  queueBytes: number;
  maxBuffered: number;
  requestTimeout: number;
  maxPending: number;
  keepalive: boolean;
  keepaliveInterval: number;
  connectTimeout: number;
  closeTimeout: number;
  /** Node only. */
  maxMessage: number;
  /** Node only. */
  fragmentOutgoingMessages: boolean;
  /** Node only. */
  fragmentationThreshold: number;
  /** Node only. */
  rejectUnauthorized: boolean;
  /** Node only: options of node:tls. */
  tlsOptions: Record<string, unknown>;
  debug: boolean | ((...what: unknown[]) => void);
  /** nv-session-simple's name of reconnectMin. */
  autoReconnectInterval?: number;
  /** nv-session-simple's name of maxMessage. */
  maxReceivedMessageSize?: number;
  /** Node only: TCP_NODELAY, which is on. */
  disableNagleAlgorithm?: boolean;
  /** Taken from nv-session-simple's settings, and without effect: maxMessage bounds frames too. */
  maxReceivedFrameSize?: number;
  /** Taken from nv-session-simple's settings, and without effect. */
  assembleFragments?: boolean;
  /** Taken from nv-session-simple's settings, and without effect. */
  webSocketVersion?: 13;
}

export interface StartOptions {
  /** Gives up connecting. Without effect once start() is done. */
  signal?: AbortSignal;
  /** Node only. */
  origin?: string;
  /** Node only. */
  headers?: Record<string, string | string[]>;
  /** Node only: options of node:tls. */
  tls?: Record<string, unknown>;
}

export interface Events {
  open: { sess: Sess; reconnected: boolean };
  close: { code: number; reason: string; wasClean: boolean; willReconnect: boolean };
  message:
    | { kind: "string"; data: string; sess: Sess }
    | { kind: "json"; data: any; sess: Sess }
    | { kind: "binary"; data: Uint8Array; sess: Sess };
  /** The server's ___sreq___. */
  request: Envelope<any>;
  /** The server's ___cfg___. */
  cfg: { ___type___: string; ___data___: { sessid: string; keepaliveInterval: number } };
  keepalive: { type: "ping" | "pong"; sent: boolean };
  reconnecting: { attempt: number; delay: number; error?: Error };
  error: Error;
  /** There will be no connection until start(). error is undefined after close(). */
  end: { error?: Error };
}

export type Bytes = ArrayBufferView | ArrayBufferLike | number[] | string;

export type Text = string | number | boolean | bigint;

/** Keepalive of a session. */
export interface Keepalive {
  readonly tmout_: number;
  readonly passed_: number;
  readonly lefted_: number;
  renew(): boolean;
  cancel(): void;
  is_canceled(): boolean;
  is_tmouted(): boolean;
}

/** What sends: one for the life of a client. */
export interface Conn {
  ssend(s: Text): void;
  jsend(j: unknown): void;
  bsend(data: Bytes): void;
  assend(s: Text): Promise<void>;
  ajsend(j: unknown): Promise<void>;
  absend(data: Bytes | Blob): Promise<void>;
  send_jrr_creq<T = any>(j: unknown, options?: { timeout?: number; signal?: AbortSignal }): Promise<Envelope<T>>;
  send_jrr_cres(j: unknown, id: string): Promise<void>;
  /** Node only. */
  send_ping_frame(): void;
  /** Node only. */
  asend_ping_frame(): Promise<void>;
  close(code?: number, reason?: string): void;
  readonly config: Config;
  readonly is_client_: true;
  readonly is_server_: false;
  readonly ka_: Keepalive | undefined;
  readonly protocol: string;
  readonly sess_: Sess | undefined;
  readonly state: "idle" | "connecting" | "open" | "closing" | "reconnecting" | "closed";
  readonly readyState: 0 | 1 | 2 | 3;
  readonly bufferedAmount: number;
  readonly url: string | undefined;
}

/** One session: from an opening of the connection to its end. */
export interface Sess {
  readonly id_: string;
  readonly conn_: Conn;
  readonly res_: any;
  readonly katsk_: unknown;
  readonly cjrr_queue_: Record<string, { rs(answer: unknown): void; rj(error: unknown): void }>;
  is_active(): boolean;
  clear_katsk(): void;
  clear(): void;
}

export class Client {
  constructor(cfg?: Partial<Config>);

  start(url: string | URL, subprotocol?: string | string[] | null, options?: StartOptions): Promise<this>;
  start(
    url: string | URL,
    subprotocol: string | string[] | null | undefined,
    origin: string | null | undefined,
    headers?: Record<string, string | string[]>,
    extraRequestOptions?: Record<string, unknown>,
  ): Promise<this>;
  close(force?: boolean, code?: number, reason?: string): Promise<[code: number | undefined, reason: string | undefined]>;
  restart(): Promise<this>;
  enable_auto_reconn(): void;
  disable_auto_reconn(): void;

  on<E extends keyof Events>(event: E, fn: (e: Events[E]) => unknown): () => void;
  off<E extends keyof Events>(event: E, fn: (e: Events[E]) => unknown): void;

  regis_$cfg_handle$(f?: CfgHandle): void;
  regis_$bin_handle$(f?: BinHandle): void;
  regis_$str_handle$(f?: StrHandle): void;
  regis_$json_handle$(f?: JsonHandle): void;
  regis_$sreq_handle$(f?: SreqHandle): void;
  regis_$on_close$(f?: OnClose): void;
  regis_$on_error$(f?: OnError): void;
  regis_$check_network_before_reconn$<P extends unknown[]>(f?: (...params: P) => Awaitable<boolean | void>, ...params: P): void;

  readonly cfg_handle_: CfgHandle;
  readonly bin_handle_: BinHandle;
  readonly str_handle_: StrHandle;
  readonly json_handle_: JsonHandle;
  readonly sreq_handle_: SreqHandle;
  readonly on_close_: OnClose;
  readonly on_error_: OnError;
  readonly check_network_before_reconn_: () => Awaitable<boolean | void>;
  readonly cfg_: Config;
  /** The current session, or the last; undefined before the first. */
  readonly sess_: Sess;
  readonly conn_: Conn;
  readonly ended_: { code: number; reason: string } | undefined;
  readonly url_: string | undefined;
  readonly sec_websocket_protocol_: string | string[] | null | undefined;
  readonly wsrv_: any;

  static DFLT_CFG(): Config;
  static ERROR: Record<string, string>;
  static CLOSE_ERRORS: Record<string | number, string | number>;
  static DFLT_CFG_HANDLE: CfgHandle;
  static DFLT_BIN_HANDLE: BinHandle;
  static DFLT_STR_HANDLE: StrHandle;
  static DFLT_JSON_HANDLE: JsonHandle;
  static DFLT_SREQ_HANDLE: SreqHandle;
  static DFLT_ON_CLOSE: OnClose;
  static DFLT_ON_ERROR: OnError;
  static DFLT_CHECK_NETWORK_BEFORE_RECONN: (...params: unknown[]) => boolean;
  static to_u8ary(data: Bytes): Uint8Array;
  static ato_u8ary(data: Bytes | Blob): Promise<Uint8Array>;
}

export { Client as Bwsess, Client as default };

export function DFLT_CFG(): Config;
export function to_u8ary(data: Bytes): Uint8Array;
export function ato_u8ary(data: Bytes | Blob): Promise<Uint8Array>;

export class NvsessError extends Error {}
export class ConfigError extends NvsessError {}
export class ClosedError extends NvsessError {
  code?: number;
  reason?: string;
}
export class TimeoutError extends NvsessError {}
export class QueueFull extends NvsessError {}
export class TooManyPending extends NvsessError {}
export class ConnectError extends NvsessError {
  /** A system error's: "ECONNREFUSED". Node only. */
  code?: string;
}
export class HandshakeError extends ConnectError {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string;
}
export class ProtocolError extends NvsessError {
  code: number;
}
export class KeepaliveError extends NvsessError {}
export class UnsupportedError extends NvsessError {}
