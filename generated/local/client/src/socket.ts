// One token's updates by WebSocket, again and again.

import { alarm } from "./alarm.ts";
import { advice, delay, failuresBefore } from "./backoff.ts";
import { connect, type Connection, type End } from "./connection.ts";
import { CLOSES, REFUSED } from "./protocol.ts";
import type { Position } from "./session.ts";
import type { Way } from "./way.ts";

/** Within which a client comes back that the network or the page is back for: so is its whole fleet. */
const WAKE_MS = 1000;

export const socket: Way = (line) => {
  const { host } = line;
  const timer = alarm(host);
  let connection: Connection | undefined;
  let failures = 0;
  let isOver = false;
  /** The end that is waited after: until `at`, and never shorter than until `notBefore`, for which the server has asked. */
  let pause: { readonly at: number; readonly notBefore: number; readonly why: End } | undefined;

  const open = (): void => {
    pause = undefined;
    let opened: number | undefined;
    line.tell({ kind: "connecting" }, failures);
    if (isOver) return;
    connection = connect(host, address(line.url, line.token, line.position()), {
      frame(data) {
        const reply = line.take({ kind: "frame", data });
        if (reply.opened) opened = host.now();
        return reply;
      },
      ended(end) {
        connection = undefined;
        const { reason, retryMs } = advice(end.reason);
        const why = { ...end, reason };
        if (isFinal(why)) return finish(why);
        failures = failuresBefore(failures, opened === undefined ? undefined : host.now() - opened);
        const notBefore = host.now() + retryMs;
        const at = notBefore + delay(failures, host.random());
        failures += 1;
        wait({ at, notBefore, why });
      },
    });
  };
  const wait = (next: NonNullable<typeof pause>): void => {
    pause = next;
    timer.set(next.at - host.now(), open);
    line.tell({ kind: "waiting", retryAt: next.at, ...next.why }, failures);
  };
  const wake = (): void => {
    connection?.wake();
    if (pause === undefined) return;
    const at = Math.max(pause.notBefore, host.now() + host.random() * WAKE_MS);
    if (at < pause.at) wait({ ...pause, at });
  };
  const close = (): void => {
    isOver = true;
    timer.clear();
    deaf();
    pause = undefined;
    connection?.close();
    connection = undefined;
  };
  const finish = (why: End): void => {
    close();
    line.tell({ kind: "ended", ...why }, failures);
  };

  const deaf = host.onWake(wake);
  open();
  return close;
};

/** Joined as text: React Native's `URL` adds a slash to a path and cannot set parameters. */
export function address(url: string, token: string, position: Position | undefined): string {
  const base = url.replace(/\/+$/, "").replace(/^http/, "ws");
  const resume = position === undefined ? "" : `&since=${position.seq}&epoch=${encodeURIComponent(position.epoch)}`;
  return `${base}/ws/${encodeURIComponent(token)}?errors=close${resume}`;
}

/** Whether coming back unchanged is useless. One code may have several reasons, and a newer room others than these. */
export function isFinal({ code, reason }: End): boolean {
  const known = [...CLOSES, ...REFUSED].filter((close) => close.code === code);
  const exact = known.filter((close) => close.reason === reason);
  const meant = exact.length > 0 ? exact : known;
  return meant.length > 0 && meant.every((close) => close.comeBack === "never");
}
