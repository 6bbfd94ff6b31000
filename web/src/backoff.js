// When to try again. A thousand clients that lost their server at the same
// moment must not come back at the same moment.

/**
 * retryDelay is how long to wait before attempt n (1 is the first one after a
 * failure): evenly random between reconnectMin and a ceiling that grows by
 * reconnectFactor each time up to reconnectMax. What the server asked for beats
 * that: retry_after_ms=N in the reason of its close frame (or Retry-After in its
 * refusal) is waited for, up to retryAfterMax, plus some randomness; 1013, try
 * again later, spreads over everything up to reconnectMax at once.
 *
 * @param end {{code?: number, reason?: string, retryAfter?: number}}
 */
export function retryDelay(cfg, n, end = {}, random = Math.random) {
  const { reconnectMin: min, reconnectMax: max, reconnectFactor: factor } = cfg;
  const asked = retryAfter(end);
  if (asked !== undefined) {
    const wait = Math.min(asked, cfg.retryAfterMax);
    return wait + random() * Math.max(min, Math.min(max, wait / 4));
  }
  const grown = Math.min(max, Math.max(min, 1) * factor ** (n + 1));
  const ceiling = end.code === 1013 ? max : Math.max(min, grown);
  return min + random() * (ceiling - min);
}

function retryAfter({ reason, retryAfter: header }) {
  const m = /(?:^|[^\w])retry_after_ms=(\d{1,10})(?!\d)/.exec(reason ?? "");
  return m ? Number(m[1]) : header;
}

/**
 * steadyAfter is how long a connection must have lasted for the count of
 * attempts to begin anew: a server that accepts and closes at once is not well.
 */
export const steadyAfter = (cfg) => Math.min(cfg.reconnectMax, 10000);
