// What the client needs of where it runs; another one in tests.

import type { Options, SocketLike } from "./types.ts";

/** What is used of `fetch`. */
export type Fetch = (url: string, request: { readonly headers: Record<string, string>; readonly signal: unknown }) => Promise<Answer>;

export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

export interface Host {
  readonly WebSocket: new (url: string) => SocketLike;
  /** None where there is none: then nothing is polled. */
  readonly fetch: Fetch | undefined;
  /** Milliseconds, as `Date.now()`. */
  now(): number;
  /** At least 0 and below 1. */
  random(): number;
  setTimeout(then: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Calls `then` when the network or the page is back; what ends that. */
  onWake(then: () => void): () => void;
}

/** This machine, as browsers, React Native, Node, Deno and Bun have it in common. */
export function here(options: Options): Host {
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (typeof WebSocket !== "function") {
    throw new Error("opening WebSockets: there is no global `WebSocket` here (Node has one from version 22): pass one as the option `WebSocket`, such as that of the package `ws`");
  }
  return {
    WebSocket,
    fetch: typeof globalThis.fetch === "function" ? (url, request) => fetch(url, request as RequestInit) : undefined,
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (then, ms) => setTimeout(then, ms),
    clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    onWake,
  };
}

interface Page extends EventTarget {
  readonly visibilityState: string;
}

function onWake(then: () => void): () => void {
  const page = (globalThis as { readonly document?: Page }).document;
  const seen = (): void => {
    if (page?.visibilityState === "visible") then();
  };
  const ends = [
    listen(globalThis, "online", then),
    listen(globalThis, "pageshow", then),
    listen(page, "visibilitychange", seen),
  ];
  return () => ends.forEach((end) => end());
}

/** Programs have no such events, and React Native has a `window` without listeners. */
function listen(target: EventTarget | undefined, type: string, then: () => void): () => void {
  if (typeof target?.addEventListener !== "function") return () => {};
  target.addEventListener(type, then);
  return () => target.removeEventListener(type, then);
}
