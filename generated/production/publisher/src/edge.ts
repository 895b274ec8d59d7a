// Sends updates to the gateway: one `POST /broadcast` for all, and once more for those of it that may fare better.

import { Webhook } from "standardwebhooks";
import { type Delivery, delivered, type Note, type Outcome, parts } from "./outcome.ts";
import type { EdgeSettings } from "./settings.ts";
import { digest, type Item } from "./update.ts";

/** Of one `POST /broadcast`. */
const MAX_ITEMS = 100;

/** Statuses that an update of its own fault gets; a repeat would get the same. */
const REFUSED = new Set([400, 413, 415]);

/** Sends until then, by `performance.now()`; never throws. */
export async function sendToEdge(
  items: readonly Item[],
  edge: EdgeSettings,
  until: number,
): Promise<Delivery> {
  const started = performance.now();
  const most = { items: MAX_ITEMS, bytes: edge.maxBatchBytes - 2 };
  const outcomes: Outcome[] = [];
  let attempts = 0;
  for (const part of parts(items, most, ({ body }) => Buffer.byteLength(body) + 1)) {
    const sent = await delivered(part, until, (left) => post(left, edge, until));
    outcomes.push(...sent.outcomes);
    attempts += sent.attempts;
  }
  return { outcomes, attempts, ms: performance.now() - started };
}

/** One request: what became of each item. */
async function post(
  items: readonly Item[],
  edge: EdgeSettings,
  until: number,
): Promise<readonly Outcome[]> {
  const all = (outcome: Outcome) => items.map(() => outcome);
  const body = `[${items.map((item) => item.body).join(",")}]`;
  const headers = credentials(items, body, edge);
  if (typeof headers === "string") return all({ is: "failed", why: headers });
  const left = Math.ceil(until - performance.now());
  if (left <= 0) return all({ is: "failed", why: "no time was left" });
  try {
    const response = await fetch(edge.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body,
      // A secret goes to the host that was named, and to no other
      redirect: "manual",
      signal: AbortSignal.timeout(left),
    });
    const { status, headers: answered } = response;
    const fates = fatesOf(status, answered.get("retry-after"), await response.text(), items.length);
    return "is" in fates ? all(fates) : fates;
  } catch (error) {
    return all(failure(error, left));
  }
}

/** What shows who sends, made anew for each request: a signature has its time in it. Or why there is none. */
function credentials(
  items: readonly Item[],
  body: string,
  edge: EdgeSettings,
): Record<string, string> | string {
  const secret = edge.secret?.trim() ?? "";
  if (secret === "") return "`EDGE_BROADCAST_SECRET` is not set";
  // The error that `fetch` would throw shows the value
  if (!/^[!-~]+$/.test(secret)) return "`EDGE_BROADCAST_SECRET` is not printable ASCII";
  if (edge.credentials === "bearer") return { Authorization: `Bearer ${secret}` };
  const id = digest(items.map((item) => item.id).join(" "));
  const now = new Date();
  try {
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": new Webhook(secret).sign(id, now, body),
    };
  } catch {
    return "`EDGE_BROADCAST_SECRET` cannot sign: it is `whsec_` and base64";
  }
}

/** One result of the gateway, or the error that its whole answer is. */
interface Result {
  readonly status?: number;
  readonly retry_after?: number;
  readonly duplicate?: boolean;
  readonly stale?: boolean;
  readonly failed_shards?: number;
  readonly error?: { readonly code?: string };
}

/** What an answer says of each item, or of all. */
function fatesOf(
  status: number,
  retryAfter: string | null,
  text: string,
  count: number,
): readonly Outcome[] | Outcome {
  let answer: (Result & { readonly results?: readonly Result[] }) | null | undefined;
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    // What stands before the gateway answers with a page of its own
  }
  const results = answer?.results;
  if (Array.isArray(results) && results.length === count) return results.map(outcomeOf);
  if (answer?.error?.code === undefined || status < 400) {
    const again = status >= 500 ? { again: secondsOf(retryAfter) * 1000 } : {};
    return { is: "failed", why: `${status} without an answer of the gateway`, ...again };
  }
  const seconds = retryAfter === null ? {} : { retry_after: secondsOf(retryAfter) };
  return outcomeOf({ status, error: answer.error, ...seconds });
}

function outcomeOf(result: Result): Outcome {
  const { status = 500, error } = result;
  if (status === 200) return { is: "accepted", notes: notesOf(result) };
  const why = `${status} ${error?.code ?? "without a code"}`;
  // This id was published before, with another text: that stays, and nobody gets it twice
  if (status === 422) return { is: "accepted", notes: ["changed"] };
  if (REFUSED.has(status)) return { is: "refused", why };
  if (status >= 500 || error?.code === "stale_signature") {
    return { is: "failed", why, again: (result.retry_after ?? 0) * 1000 };
  }
  if (status === 429 && result.retry_after !== undefined) {
    return { is: "failed", why, again: result.retry_after * 1000 };
  }
  return { is: "failed", why };
}

function notesOf(result: Result): Note[] {
  const notes: Note[] = [];
  if (result.duplicate === true) notes.push("duplicate");
  if (result.stale === true) notes.push("stale");
  if ((result.failed_shards ?? 0) > 0) notes.push("failed_shards");
  return notes;
}

/** Seconds of a `Retry-After`; a date, which no gateway sends, is none. */
function secondsOf(retryAfter: string | null): number {
  const seconds = Number(retryAfter ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}

/** The network's own word: a message of `fetch` may hold the address, and is never more use. */
function failure(error: unknown, left: number): Outcome {
  const { name, cause } = error as { name?: string; cause?: { code?: string; message?: string } };
  if (name === "TimeoutError") return { is: "failed", why: `no answer in ${left} ms` };
  const why = cause?.code ?? cause?.message ?? name ?? "no connection";
  return { is: "failed", why, again: 0 };
}
