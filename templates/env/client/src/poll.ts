// One token's newest values by asking for them again and again, where no socket can be held.

import { alarm } from "./alarm.ts";
import { delay } from "./backoff.ts";
import type { Fetch, Host } from "./host.ts";
import { REFUSED } from "./protocol.ts";

/** Between two polls: each costs a request, and hundreds of clients may share the rate of one address. */
const INTERVAL_MS = 5_000;
/** After which an answer does not come any more. */
const PATIENCE_MS = 15_000;
/** Within which a client asks again that the network is back for, with its whole fleet. */
const WAKE_MS = 1_000;

/** Who polls. */
export interface Asking {
  /** The gateway has answered; without a body where nothing is new. */
  answered(body: unknown): void;
  failed(): void;
  /** Asking again is useless, as the gateway itself says. */
  refused(code: number, reason: string): void;
}

type Outcome =
  | { readonly kind: "new"; readonly body: unknown; readonly tag: string | null }
  | { readonly kind: "same" }
  | { readonly kind: "failed"; readonly retryMs: number }
  | { readonly kind: "refused"; readonly code: number; readonly reason: string };

/** Polls `address` until what it returns is called. */
export function poll(host: Host, fetch: Fetch, address: string, asking: Asking): () => void {
  const timer = alarm(host);
  let request: AbortController | undefined;
  let tag: string | null = null;
  let failures = 0;
  /** The next try after a failure, and when the server allows it. */
  let pause: { readonly at: number; readonly notBefore: number } | undefined;
  let isOver = false;

  const round = async (): Promise<void> => {
    pause = undefined;
    const aborting = (request = new AbortController());
    timer.set(PATIENCE_MS, () => aborting.abort());
    const outcome = await ask(fetch, address, tag, aborting.signal);
    if (!isOver) after(outcome);
  };
  const after = (outcome: Outcome): void => {
    timer.clear();
    if (outcome.kind === "refused") return asking.refused(outcome.code, outcome.reason);
    if (outcome.kind === "failed") {
      const notBefore = host.now() + outcome.retryMs;
      wait({ notBefore, at: notBefore + delay(failures++, host.random()) });
      return asking.failed();
    }
    failures = 0;
    if (outcome.kind === "new") tag = outcome.tag;
    timer.set(INTERVAL_MS * (0.8 + 0.4 * host.random()), round);
    asking.answered(outcome.kind === "new" ? outcome.body : undefined);
  };
  const wait = (next: NonNullable<typeof pause>): void => {
    pause = next;
    timer.set(next.at - host.now(), round);
  };
  const wake = (): void => {
    if (pause === undefined) return;
    const at = Math.max(pause.notBefore, host.now() + host.random() * WAKE_MS);
    if (at < pause.at) wait({ ...pause, at });
  };

  const deaf = host.onWake(wake);
  void round();
  return () => {
    isOver = true;
    deaf();
    timer.clear();
    request?.abort();
  };
}

async function ask(fetch: Fetch, address: string, tag: string | null, signal: AbortSignal): Promise<Outcome> {
  try {
    const response = await fetch(address, { signal, headers: tag === null ? {} : { "if-none-match": tag } });
    if (response.status === 304) return { kind: "same" };
    const retryMs = 1_000 * (Number(response.headers.get("retry-after")) || 0);
    const body = (await response.json()) as { readonly epoch?: unknown; readonly error?: { readonly code?: unknown } };
    // A page of some proxy is no answer, whatever its status
    if (response.ok && typeof body.epoch === "string") return { kind: "new", body, tag: response.headers.get("etag") };
    const final = REFUSED.find((it) => it.reason === body.error?.code && it.comeBack === "never");
    return final ? { kind: "refused", code: final.code, reason: final.reason } : { kind: "failed", retryMs };
  } catch {
    return { kind: "failed", retryMs: 0 };
  }
}

/** Joined as text: React Native's `URL` adds a slash to a path. */
export function snapshotAddress(url: string, token: string): string {
  return `${url.replace(/\/+$/, "").replace(/^ws/, "http")}/snapshot/${encodeURIComponent(token)}`;
}
