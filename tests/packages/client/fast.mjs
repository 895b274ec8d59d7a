// A host whose time runs faster than this machine's, over the package `ws`; and what a client on it is told, for the ledger.

import WebSocket from "ws";
import { here } from "../dist/host.js";

/**
 * Time that runs `speed` times faster: timers come sooner, the clock runs faster. `hurry(speed)` changes that for what is timed from
 * then on; the clock does not jump.
 */
export function fastTime(speed) {
  let [since, shown] = [Date.now(), Date.now()];
  const now = () => shown + (Date.now() - since) * speed;
  return {
    now,
    setTimeout: (then, ms) => setTimeout(then, ms / speed),
    hurry(faster) {
      [shown, since, speed] = [now(), Date.now(), faster];
    },
  };
}

/** What a client runs on whose time is a `fastTime`. */
export function fastHost({ now, setTimeout }, random, onFrame = () => {}) {
  class Socket extends WebSocket {
    constructor(url) {
      super(url);
      this.addEventListener("message", onFrame);
    }
  }
  return { ...here({ WebSocket: Socket }), random, now, setTimeout };
}

/** The options of a client of one token that keeps a `log` for `violations` and counts what it was told. */
export function recorder() {
  let [frame, via] = [0, undefined];
  const [logs, counts] = [new Map(), { open: 0, missed: 0, restarted: 0, behind: 0, stale: 0, poll: 0 }];
  const log = (token, entry) => {
    if (!logs.has(token)) logs.set(token, []);
    logs.get(token).push({ frame, ...entry });
  };
  return {
    logs,
    counts,
    onFrame: () => frame++,
    options: {
      onUpdate({ n, type }, token) {
        // Told once, and so until a socket is open again
        if (via === "poll") log(token, { gap: "poll" });
        log(token, { show: n, key: type });
      },
      onGap({ reason, update }, token) {
        counts[reason] += 1;
        log(token, { gap: reason, n: update?.n });
      },
      onState(state) {
        via = state.kind === "open" ? state.via : undefined;
        if (via === "ws") counts.open += 1;
      },
      onError(error) {
        throw error;
      },
    },
  };
}
