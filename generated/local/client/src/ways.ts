// Sockets first. Where they are blocked the newest values come by polling, and where that fails too from the system before this one;
// a socket is tried on meanwhile, and wins again.

import { listen } from "./aws.ts";
import { UNNUMBERED } from "./order.ts";
import { poll, snapshotAddress } from "./poll.ts";
import { socket } from "./socket.ts";
import type { State } from "./types.ts";
import type { Way } from "./way.ts";

/** So many failures in a row are no accident, */
const FAILURES = 3;
/** and where sockets were let through before, only if they last: a room restarts, and a phone goes through a tunnel. */
const BLOCKED_MS = 10_000;
/** A close code that asks for less: polls count as much as handshakes do. */
const TOO_MANY = 4029;

/** All ways, with the address of the system before this one where an app knows it. */
export function ways(aws: string | undefined): Way {
  return (line) => {
    let shown: "poll" | "aws" | undefined;
    /** What the socket is doing, which the app is told while nothing else brings values. */
    let behind: State = { kind: "connecting" };
    let stopPolling: (() => void) | undefined;
    let stopListening: (() => void) | undefined;
    /** Numbers what the system before this one has not. */
    let count = 0;
    let isOver = false;
    /** Handshakes in a row that ended without an open socket, and since when they count. */
    let unopened = 0;
    let since = -Infinity;

    const show = (via: "poll" | "aws"): void => {
      if (shown === via) return;
      shown = via;
      line.take({ kind: "fallback", via });
      if (shown === via) line.tell({ kind: "open", via }, 0);
    };
    const lost = (via: "poll" | "aws"): void => {
      if (shown !== via) return;
      shown = undefined;
      line.tell(behind, 0);
    };
    const withoutAws = (): void => {
      stopListening?.();
      stopListening = undefined;
    };
    const alone = (): void => {
      shown = undefined;
      stopPolling?.();
      stopPolling = undefined;
      withoutAws();
    };
    const isBlocked = (): boolean => unopened >= FAILURES && line.host.now() - since >= BLOCKED_MS;
    const end = (state: State): void => {
      stop();
      line.tell(state, 0);
    };

    const listening = (): void => {
      if (aws === undefined || stopListening !== undefined) return;
      stopListening = listen(line.host, aws, line.token, {
        opened: () => show("aws"),
        came: (value) => line.take({ kind: "value", update: { ...value, seq: ++count, epoch: UNNUMBERED } }),
        closed: () => lost("aws"),
      });
    };
    const polling = (): void => {
      const { fetch } = line.host;
      if (fetch === undefined) return listening();
      if (stopPolling !== undefined) return;
      let failures = 0;
      stopPolling = poll(line.host, fetch, snapshotAddress(line.url, line.token), {
        answered(body) {
          failures = 0;
          withoutAws();
          show("poll");
          if (body !== undefined) line.take({ kind: "snapshot", body });
        },
        failed() {
          failures += 1;
          if (failures < FAILURES) return;
          lost("poll");
          if (stopPolling !== undefined) listening();
        },
        refused: (code, reason) => end({ kind: "ended", code, reason }),
      });
    };

    const stopSocket = socket({
      ...line,
      take(event) {
        const reply = line.take(event);
        if (reply.opened) {
          alone();
          unopened = 0;
          since = Infinity;
        }
        return reply;
      },
      tell(state, failures) {
        behind = state;
        if (state.kind === "ended") return end(state);
        if (shown === undefined) line.tell(state, failures);
        if (state.kind !== "waiting") return;
        unopened += 1;
        // The first of them is the end of what was open
        if (since === Infinity) [unopened, since] = [0, line.host.now()];
        if (isBlocked() && state.code !== TOO_MANY && !isOver) polling();
      },
    });
    function stop(): void {
      isOver = true;
      alone();
      stopSocket();
    }
    return stop;
  };
}
