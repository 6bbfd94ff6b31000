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
export const MAX_DELAY = 2 ** 31 - 1;

const between = (min, max, whole = true) => (v) =>
  (typeof v === "number" && v >= min && v <= max && (!whole || v === Infinity || Number.isInteger(v))) || `a number from ${min} to ${max}`;
const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const flag = (v) => typeof v === "boolean" || "true or false";

const aMessage = between(1, 2 ** 30);

const rules = {
  autoReconnect: flag,
  reconnectMin: between(0, MAX_DELAY, false),
  reconnectMax: between(0, MAX_DELAY, false),
  reconnectFactor: between(1, 100, false),
  maxRetries: between(0, Infinity),
  retryAfterMax: between(0, MAX_DELAY, false),
  fatalStatus: (v) => (Array.isArray(v) && v.every((s) => Number.isInteger(s) && s > 99 && s < 600)) || "a list of HTTP status codes",
  queueMessages: between(0, Infinity),
  queueBytes: between(0, Infinity),
  maxBuffered: between(1, Infinity),
  requestTimeout: between(0, MAX_DELAY, false),
  maxPending: between(1, Infinity),
  keepalive: flag,
  keepaliveInterval: between(20, MAX_DELAY, false),
  connectTimeout: between(1, MAX_DELAY, false),
  closeTimeout: between(1, MAX_DELAY, false),
  maxMessage: aMessage,
  fragmentOutgoingMessages: flag,
  fragmentationThreshold: between(1, Infinity),
  rejectUnauthorized: flag,
  tlsOptions: (v) => isObject(v) || "an object",
  debug: (v) => typeof v === "boolean" || typeof v === "function" || "true, false or a function",
};

// nv-session-simple's names, most of them of npm's websocket. The first two are
// other names of ours; there is no use here for those after disableNagleAlgorithm.
const theirs = {
  autoReconnectInterval: rules.reconnectMin,
  maxReceivedMessageSize: aMessage,
  disableNagleAlgorithm: flag,
  maxReceivedFrameSize: between(1, Infinity),
  assembleFragments: flag,
  webSocketVersion: (v) => v === 13 || "13",
};

/** distance is Levenshtein's: how many letters to add, drop or replace. */
function distance(a, b) {
  let row = [...b, ""].map((_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) next.push(Math.min(row[j] + (a[i] !== b[j]), row[j + 1] + 1, next[j] + 1));
    row = next;
  }
  return row[b.length];
}

/**
 * onlyKnown throws if an object has a property of its own that is none of the
 * known: a misspelt one would do nothing, and nobody would know.
 */
export function onlyKnown(given, known, what) {
  if (!isObject(given)) throw new ConfigError(`every ${what} is given in an object, not in ${shown(given)}`);
  for (const k of Object.keys(given)) {
    if (known.includes(k)) continue;
    // Nobody's misspelling is longer than that, and the work is its length.
    const name = k.slice(0, 64);
    const far = (to) => distance(name.toLowerCase(), to.toLowerCase());
    const nearest = known.reduce((a, b) => (far(b) < far(a) ? b : a));
    throw new ConfigError(`there is no ${what} ${name}; the nearest is ${nearest}`);
  }
}

/**
 * configure puts given settings over the defaults. Those of nv-session-simple
 * are taken too.
 */
export function configure(given) {
  const cfg = DFLT_CFG();
  given ??= {};
  const known = { ...rules, ...theirs };
  onlyKnown(given, Object.keys(known), "setting");
  for (const k in known) {
    if (given[k] !== undefined) cfg[k] = given[k];
  }
  if (cfg.keepaliveInterval === 0) {
    cfg.keepalive = false; // as there
    cfg.keepaliveInterval = DFLT_CFG().keepaliveInterval;
  }
  for (const k in known) {
    const verdict = cfg[k] === undefined || known[k](cfg[k]);
    if (verdict !== true) throw new ConfigError(`${k} is ${shown(cfg[k])}: it must be ${verdict}`);
  }
  if (cfg.autoReconnectInterval !== undefined && given.reconnectMin === undefined) {
    cfg.reconnectMin = cfg.autoReconnectInterval;
    if (given.reconnectMax === undefined) cfg.reconnectMax = Math.max(cfg.reconnectMax, cfg.reconnectMin);
  }
  if (cfg.maxReceivedMessageSize !== undefined && given.maxMessage === undefined) cfg.maxMessage = cfg.maxReceivedMessageSize;
  if (cfg.reconnectMax < cfg.reconnectMin) {
    throw new ConfigError(`reconnectMax (${cfg.reconnectMax}) is less than reconnectMin (${cfg.reconnectMin})`);
  }
  return cfg;
}

/** shown is a value as an error names it: an object may refuse to be a string. */
function shown(v) {
  if (typeof v === "string") return JSON.stringify(v.slice(0, 64));
  if (Array.isArray(v)) return "an array";
  return typeof v === "object" && v !== null ? "an object" : typeof v === "function" ? "a function" : String(v);
}
