// When to try again. A thousand clients that lost their server at the same
// moment must not come back at the same moment.

import { MAX_DELAY } from "./config.js";

/**
 * retryDelay is how long to wait before attempt n (1 is the first one after a
 * failure): evenly random between reconnectMin and a ceiling that grows by
 * reconnectFactor each time up to reconnectMax. So it is after 1012, service
 * restart: its operator wants everybody back soon. What the server asked for
 * beats that: retry_after_ms=N in the reason of its close frame (or Retry-After
 * in its refusal) is waited for, up to retryAfterMax, and up to half of it (or up
 * to the ceiling, if that is more) on top, at most reconnectMax; 1013, try again
 * later, means the upper half of reconnectMax. The Go client does the same.
 *
 * @param end {{code?: number, reason?: string, retryAfter?: number}}
 */
export function retryDelay(cfg, n, end = {}, random = Math.random) {
  const { reconnectMin: min, reconnectMax: max, reconnectFactor: factor } = cfg;
  const ceiling = Math.max(min, Math.min(max, Math.max(min, 1) * factor ** (n + 1)));
  const wait = askedDelay(cfg, end);
  if (wait !== undefined) {
    const longer = random() * Math.min(max, Math.max(ceiling, wait / 2));
    return Math.min(wait + longer, MAX_DELAY); // beyond that a timer is over at once
  }
  const [low, high] = end.code === 1013 ? [Math.max(min, max / 2), max] : [min, ceiling];
  return low + random() * (high - low);
}

/**
 * askedDelay is what the server asked for, as far as it is followed, or undefined.
 * The Go client reads a reason in the same way: client/testdata/retry_after_ms.json
 * is for the tests of both.
 */
export function askedDelay(cfg, { reason, retryAfter: header }) {
  const m = /(?:^|[^\w])retry_after_ms=(\d+)(?!\w)/.exec(reason ?? "");
  const asked = m ? Number(m[1]) : header;
  return asked === undefined ? undefined : Math.min(asked, cfg.retryAfterMax);
}

/**
 * steadyAfter is how long a connection must have lasted for the count of
 * attempts to begin anew: a server that accepts and closes at once is not well.
 */
export const steadyAfter = (cfg) => Math.min(cfg.reconnectMax, 10000);
