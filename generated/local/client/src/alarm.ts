// One timer, which knows whether it comes late: a hidden tab's come once a minute, a sleeping phone's when it wakes.

import type { Host } from "./host.ts";

export interface Alarm {
  /** Calls `then` once in `ms`, and forgets what was set before. `late`: after more than twice its time, which proves nothing. */
  set(ms: number, then: (when: "due" | "late") => void): void;
  clear(): void;
}

/** What any timer may be late by without having slept. */
const SLACK_MS = 50;

export function alarm(host: Host): Alarm {
  let timer: unknown;
  const clear = (): void => {
    if (timer !== undefined) host.clearTimeout(timer);
    timer = undefined;
  };
  const set = (ms: number, then: (when: "due" | "late") => void): void => {
    clear();
    const began = host.now();
    timer = host.setTimeout(() => {
      timer = undefined;
      then(host.now() - began > ms * 2 + SLACK_MS ? "late" : "due");
    }, Math.max(0, ms));
  };
  return { set, clear };
}
