// One WebSocket, from its handshake to its end, which is told once; whoever ends it.

import { alarm } from "./alarm.ts";
import type { Host } from "./host.ts";
import { PING } from "./protocol.ts";
import type { SocketLike } from "./types.ts";

/** For the handshake, and again for the first frame: phones are slow. */
const HANDSHAKE_MS = 15_000;
const PING_MS = 25_000;
/** Within which a ping is answered, or anything else is heard. */
const ANSWER_MS = 10_000;
/** Pings that something outside asks for are at least so far apart. */
const ASKED_MS = 1000;

/** Why it ended: a close code where the other side has sent one, else in words. */
export interface End {
  readonly code?: number;
  readonly reason: string;
}

export interface Handlers {
  /** What came; whether it was the room's greeting, and what is to be sent in answer. */
  frame(data: unknown): Reply;
  ended(end: End): void;
}

export interface Reply {
  readonly opened: boolean;
  readonly texts: readonly string[];
}

export interface Connection {
  /** Finds out at once whether it still lives. */
  wake(): void;
  /** Ends it without a word. */
  close(): void;
}

export function connect(host: Host, url: string, on: Handlers): Connection {
  const timer = alarm(host);
  let phase: "opening" | "open" | "over" = "opening";
  let link: SocketLike | undefined;
  /** When the ping was sent that nothing was heard since. */
  let asked: number | undefined;

  const close = (): void => {
    phase = "over";
    timer.clear();
    if (link !== undefined) abandon(link);
    link = undefined;
  };
  const end = (why: End): void => {
    if (phase === "over") return;
    close();
    on.ended(why);
  };
  const handshake = (): void =>
    timer.set(HANDSHAKE_MS, (when) => (when === "late" ? handshake() : end({ reason: "no handshake within 15 seconds" })));
  const ping = (): void => {
    asked = host.now();
    send(link, PING);
    timer.set(ANSWER_MS, (when) => (when === "late" ? ping() : end({ reason: "no answer to a ping within 10 seconds" })));
  };
  const heard = (data: unknown): void => {
    if (phase === "over") return;
    if (asked !== undefined) timer.set(PING_MS, ping);
    asked = undefined;
    const { opened, texts } = on.frame(data);
    for (const text of texts) send(link, text);
    if (!opened || phase !== "opening") return;
    phase = "open";
    // A random phase, so that a million clients do not ping in the same second.
    timer.set(host.random() * PING_MS, ping);
  };

  handshake();
  try {
    link = new host.WebSocket(url);
    link.onopen = handshake;
    link.onmessage = ({ data }) => heard(data);
    link.onerror = () => {};
    link.onclose = ({ code, reason }) => end(said(code, reason));
  } catch (error) {
    timer.set(0, () => end({ reason: `the WebSocket cannot be made: ${String(error)}` }));
  }
  return {
    close,
    wake() {
      const rests = asked === undefined || host.now() - asked >= ASKED_MS;
      if (phase === "open" && rests) ping();
    },
  };
}

/** The code is the network's own where no close was sent: 1005 and 1006 say nothing. */
function said(code: number | undefined, reason: string | undefined): End {
  const words = reason === undefined || reason === "" ? "the connection was closed" : reason;
  return code === undefined || code === 1005 || code === 1006 ? { reason: words } : { code, reason: words };
}

function send(link: SocketLike | undefined, text: string): void {
  try {
    link?.send(text);
  } catch {
    // What cannot be sent is not answered, which is seen to.
  }
}

function abandon(link: SocketLike): void {
  link.onopen = link.onmessage = link.onclose = null;
  // `ws` throws what nobody listens for
  link.onerror = () => {};
  try {
    link.close();
  } catch {
    // It was not open yet, or is not any more.
  }
}
