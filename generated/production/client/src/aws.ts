// One token's newest values from the system that was there before, whose messages are the publisher's own objects, unnumbered.

import { alarm } from "./alarm.ts";
import { delay } from "./backoff.ts";
import type { Host } from "./host.ts";
import type { SocketLike } from "./types.ts";

/** After which a handshake does not succeed any more. */
const HANDSHAKE_MS = 15_000;

/** Who listens. */
export interface Listening {
  opened(): void;
  /** An object with a `type`, for this token. */
  came(value: Readonly<Record<string, unknown>>): void;
  closed(): void;
}

/**
 * Connects to `address`, whose `{token}` is the token, again and again until what it returns is called. That system answers no
 * pings: a link that dies without a close is seen by nobody, and the way that is tried on meanwhile is the better one.
 */
export function listen(host: Host, address: string, token: string, on: Listening): () => void {
  const timer = alarm(host);
  const url = address.split("{token}").join(encodeURIComponent(token));
  let socket: SocketLike | undefined;
  let failures = 0;

  const open = (): void => {
    timer.set(HANDSHAKE_MS, again);
    try {
      socket = new host.WebSocket(url);
    } catch {
      // An address that this page may not use
      return again();
    }
    socket.onopen = () => {
      timer.clear();
      failures = 0;
      on.opened();
    };
    socket.onmessage = ({ data }) => values(data, token).forEach(on.came);
    socket.onerror = () => {};
    socket.onclose = again;
  };
  const again = (): void => {
    leave();
    timer.set(delay(failures++, host.random()), open);
    on.closed();
  };
  const leave = (): void => {
    timer.clear();
    const left = socket;
    socket = undefined;
    if (left === undefined) return;
    // Its `onerror` stays: `ws` throws what nobody listens for
    left.onopen = left.onmessage = left.onclose = null;
    left.close();
  };

  open();
  return leave;
}

/** What a message has for this token: one object, an array of them, or a batch. */
function values(data: unknown, token: string): Readonly<Record<string, unknown>>[] {
  const message = parsed(data);
  const batch = isObject(message) ? message["updates"] : message;
  const list: unknown[] = Array.isArray(batch) ? batch : [message];
  return list.filter(isObject).filter((it) => isValue(it) && (it["token"] ?? token) === token);
}

/** What its transport says itself, an error of its gateway say, has no `type` or one of these. */
const TRANSPORT: readonly unknown[] = ["connected", "ping", "pong", "BATCH_UPDATE"];

function isValue({ type }: Readonly<Record<string, unknown>>): boolean {
  return typeof type === "string" && !TRANSPORT.includes(type);
}

function parsed(data: unknown): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
