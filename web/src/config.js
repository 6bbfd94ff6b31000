import { ConfigError } from "./errors.js";

/**
 * DFLT_CFG gives a new object with every setting. Durations are milliseconds,
 * sizes bytes.
 */
export const DFLT_CFG = () => ({
  // Reconnecting: see backoff.js.
  autoReconnect: true,
  reconnectMin: 500,
  reconnectMax: 30000,
  reconnectFactor: 2,
  maxRetries: Infinity,
  retryAfterMax: 300000,
  fatalStatus: [401, 403, 404],

  // What waits while there is no connection, and in one that is slow.
  queueMessages: 256,
  queueBytes: 1048576,
  maxBuffered: 16777216,

  requestTimeout: 15000,
  maxPending: 1024,

  keepalive: true,
  keepaliveInterval: 20000,

  connectTimeout: 15000,
  closeTimeout: 5000,

  // Node only.
  maxMessage: 16777216,
  fragmentOutgoingMessages: true,
  fragmentationThreshold: 16384,
  rejectUnauthorized: true,
  tlsOptions: {},

  // true: console.debug; or a function that takes what happened.
  debug: false,
});

// The largest delay of setTimeout; a larger one fires at once.
const MAX_DELAY = 2 ** 31 - 1;

const between = (min, max, whole = true) => (v) =>
  (typeof v === "number" && v >= min && v <= max && (!whole || v === Infinity || Number.isInteger(v))) || `a number from ${min} to ${max}`;
const flag = (v) => typeof v === "boolean" || "true or false";

const rules = {
  autoReconnect: flag,
  reconnectMin: between(0, MAX_DELAY, false),
  reconnectMax: between(0, MAX_DELAY, false),
  reconnectFactor: between(1, 100, false),
  maxRetries: between(0, Infinity),
  retryAfterMax: between(0, MAX_DELAY, false),
  fatalStatus: (v) => Array.isArray(v) || "a list of HTTP status codes",
  queueMessages: between(0, Infinity),
  queueBytes: between(0, Infinity),
  maxBuffered: between(1, Infinity),
  requestTimeout: between(0, MAX_DELAY, false),
  maxPending: between(1, Infinity),
  keepalive: flag,
  keepaliveInterval: between(20, MAX_DELAY, false),
  connectTimeout: between(1, MAX_DELAY, false),
  closeTimeout: between(1, MAX_DELAY, false),
  maxMessage: between(1, 2 ** 30),
  fragmentOutgoingMessages: flag,
  fragmentationThreshold: between(1, Infinity),
  rejectUnauthorized: flag,
  tlsOptions: (v) => (typeof v === "object" && v !== null) || "an object",
  debug: (v) => typeof v === "boolean" || typeof v === "function" || "true, false or a function",
};

/**
 * configure puts given settings over the defaults. Those of nv-session-simple
 * that have another name here keep working; unknown ones are kept, as there.
 */
export function configure(given = {}) {
  const cfg = DFLT_CFG();
  const set = (k) => given !== null && given[k] !== undefined;
  for (const k in given) {
    if (set(k)) cfg[k] = given[k];
  }
  if (set("autoReconnectInterval") && !set("reconnectMin")) {
    cfg.reconnectMin = given.autoReconnectInterval;
    if (!set("reconnectMax")) cfg.reconnectMax = Math.max(cfg.reconnectMax, cfg.reconnectMin);
  }
  if (set("maxReceivedMessageSize") && !set("maxMessage")) cfg.maxMessage = given.maxReceivedMessageSize;
  if (cfg.keepaliveInterval === 0) {
    cfg.keepalive = false; // as there
    cfg.keepaliveInterval = DFLT_CFG().keepaliveInterval;
  }
  for (const k in rules) {
    const verdict = rules[k](cfg[k]);
    if (verdict !== true) throw new ConfigError(`${k} is ${String(cfg[k])}: it must be ${verdict}`);
  }
  if (cfg.reconnectMax < cfg.reconnectMin) {
    throw new ConfigError(`reconnectMax (${cfg.reconnectMax}) is less than reconnectMin (${cfg.reconnectMin})`);
  }
  return cfg;
}
