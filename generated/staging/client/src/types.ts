// The public face of this package: what an app hands in, and what it is told.

/**
 * One update as the publisher sent it, with the room's number and the epoch of that number. What comes from the system before this
 * one has neither: its `epoch` is `aws`, and its `seq` counts what came from there.
 */
export interface Update {
  readonly type?: string;
  readonly seq: number;
  readonly epoch: string;
  readonly [member: string]: unknown;
}

/** How updates come: by a socket, by asking again and again, or from the system that was there before. */
export type Via = "ws" | "poll" | "aws";

/** What is happening to one token's updates. */
export type State =
  | { readonly kind: "connecting" }
  | { readonly kind: "open"; readonly via: Via }
  /** Nothing comes until the next try, at `retryAt` (milliseconds, as `Date.now()`); why, in the server's words where it has said so. */
  | { readonly kind: "waiting"; readonly retryAt: number; readonly code?: number; readonly reason?: string }
  /** Nothing will come any more: `subscribe` was closed, or coming back unchanged is useless. */
  | { readonly kind: "ended"; readonly code?: number; readonly reason: string };

/** Updates that the app may not have been shown. It is told before anything is shown that came after them. */
export interface Gap {
  /**
   * `missed`: more was published while it was away than the room keeps; `restarted`: the room's numbering began anew;
   * `behind`: the room has lost updates that the app was shown; `stale`: an update came that is older than one of its key that was
   * shown, and was left out; `poll`, `aws`: from now on only the newest values come, by this way.
   */
  readonly reason: "missed" | "restarted" | "behind" | "stale" | "poll" | "aws";
  /** The update that was left out, with `stale`. */
  readonly update?: Update;
}

/** How often each way has connected, for watching a migration. */
export interface Counters {
  readonly migration: { readonly connected: Readonly<Record<Via, number>> };
}

export interface Options {
  /** Every update, once, in the order of its key. */
  readonly onUpdate: (update: Update, token: string) => void;
  readonly onState?: (state: State, token: string) => void;
  readonly onGap?: (gap: Gap, token: string) => void;
  /** What a callback has thrown; without it, it is reported as an uncaught error. Either way the next update is shown. */
  readonly onError?: (error: unknown, token: string) => void;
  /** Another origin than this environment's, `https://HOST`. */
  readonly url?: string;
  /**
   * Where the system before this one listens, `wss://…`, with `{token}` where the token belongs: the last resort where sockets and
   * polling both fail.
   */
  readonly aws?: string;
  /** An implementation, where there is no global one: Node before 22, with the package `ws`. */
  readonly WebSocket?: new (url: string) => SocketLike;
}

/** What is used of a `WebSocket`: the types of browsers' are not everywhere. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface Subscription {
  /** Ends all tokens; no callback is called after it. */
  close(): void;
  /** The state of each token. */
  states(): ReadonlyMap<string, State>;
  counters(): Counters;
  /**
   * Looks at once whether the link is still alive, or tries at once where it waits. A browser's page needs no call; React Native
   * does, when its `AppState` becomes `active`.
   */
  wake(): void;
}
