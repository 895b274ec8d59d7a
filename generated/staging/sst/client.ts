// Generated from environments/staging.toml: the browser's and the mobile app's side. Needs the npm package `partysocket`.

import ReconnectingWebSocket from "partysocket/ws";

export interface Update {
  type: string;
  seq: number;
  epoch: string;
  [key: string]: unknown;
}

const BASE = "wss://broadcast-staging.glow.trade";
const PING_MS = 25_000;
const SILENCE_MS = 60_000;
/** The time within which so much has to come that the room wants to know how far this client is. */
const ACK_MS = 30_000;
/** Close codes that mean "do not come back": no token, policy, origin, nothing there, and message too large. */
const TERMINAL = new Set([4000, 4001, 4003, 4004, 4009]);

/** Calls `onUpdate` for every update of `token` until the returned function is called. Reconnects and resumes by itself. */
export function subscribe(token: string, onUpdate: (update: Update) => void): () => void {
  let seq: number | undefined;
  let epoch: string | undefined;
  let heard = Date.now();
  // What came since `counted`, and how much of it the room wants acknowledged.
  let counted = heard;
  let taken = 0;
  let ack = Infinity;
  /** The room asked to be left alone until then. */
  let notBefore = 0;

  const url = async () => {
    await new Promise((resolve) => setTimeout(resolve, notBefore - Date.now()));
    const address = new URL(`${BASE}/ws/${encodeURIComponent(token)}`);
    // A refusal that a page can see: a close code and `code` or `code;retry=60`
    address.searchParams.set("errors", "close");
    if (seq !== undefined && epoch !== undefined) {
      address.searchParams.set("since", String(seq));
      address.searchParams.set("epoch", epoch);
    }
    return address.toString();
  };
  const socket = new ReconnectingWebSocket(url, [], {
    minReconnectionDelay: 250 + Math.random() * 1750,
    maxReconnectionDelay: 30_000,
    minUptime: 10_000,
    maxEnqueuedMessages: 0,
  });

  const deliver = (update: Update) => {
    seq = update.seq;
    epoch = update.epoch;
    onUpdate(update);
  };
  socket.addEventListener("message", (event: MessageEvent) => {
    heard = Date.now();
    const frame = JSON.parse(String(event.data));
    switch (frame.type) {
      case "pong":
        return;
      case "connected":
        ack = frame.ack ?? Infinity;
        taken = 0;
        if (frame.recovered) return;
        // The newest update of each key, older first. One that is `behind` what we have sends none of them.
        for (const update of frame.snapshots ?? []) deliver(update);
        if (frame.snapshot) deliver(frame.snapshot);
        seq = frame.seq;
        epoch = frame.epoch;
        return;
      case "BATCH_UPDATE":
        for (const update of frame.updates) deliver(update);
        break;
      default:
        deliver(frame);
    }
    if (heard - counted > ACK_MS) {
      counted = heard;
      taken = 0;
    }
    taken += event.data.length;
    if (taken >= ack) {
      socket.send(`{"type":"ack","seq":${seq}}`);
      counted = heard;
      taken = 0;
    }
  });
  socket.addEventListener("close", (event) => {
    if (TERMINAL.has(event.code)) {
      console.error(`updates of ${token} end: ${event.reason}`);
      stop();
    }
    const retry = /;retry=(\d+)$/.exec(event.reason);
    if (retry) notBefore = Date.now() + Number(retry[1]) * 1000;
  });

  // A random phase, so that a million clients do not ping in the same second.
  let timer: ReturnType<typeof setInterval> | undefined;
  const start = setTimeout(() => {
    timer = setInterval(() => {
      if (Date.now() - heard > SILENCE_MS) {
        heard = Date.now();
        socket.reconnect();
      } else if (socket.readyState === socket.OPEN) {
        // This exact text is answered without waking the room.
        socket.send('{"type":"ping"}');
      }
    }, PING_MS);
  }, Math.random() * PING_MS);

  function stop() {
    clearTimeout(start);
    clearInterval(timer);
    socket.close();
  }
  return stop;
}
