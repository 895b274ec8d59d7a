// What became of an update on one way, in the same words for the edge and for the queue.

/** What a receipt says beside that the update was accepted; `changed` is a repeat with another text, which was not sent again. */
export type Note = "duplicate" | "stale" | "changed" | "failed_shards";

export type Outcome =
  | { readonly is: "accepted"; readonly notes: readonly Note[] }
  /** It will never be accepted. */
  | { readonly is: "refused"; readonly why: string }
  /** It may be accepted another time: after `again` milliseconds, or when somebody has done something about it. */
  | { readonly is: "failed"; readonly why: string; readonly again?: number };

/** How the updates of one invocation fared on one way, in their order. */
export interface Delivery {
  readonly outcomes: readonly Outcome[];
  /** Requests that were sent. */
  readonly attempts: number;
  readonly ms: number;
}

/** A time to wait that spreads those who wait: anything up to twice the last bound. */
export function jitter(attempt: number): number {
  return Math.random() * Math.min(400, 50 * 2 ** attempt);
}

/** The least time in which another try may be answered. */
const WORTH_MS = 50;

/** Parts of at most so many items, and of at most so many bytes. */
export function parts<T>(
  items: readonly T[],
  most: { readonly items: number; readonly bytes: number },
  bytesOf: (item: T) => number,
): readonly (readonly T[])[] {
  const all: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    const last = all.at(-1);
    if (last === undefined || last.length === most.items || bytes + more > most.bytes) {
      all.push([item]);
      bytes = more;
    } else {
      last.push(item);
      bytes += more;
    }
  }
  return all;
}

/** Sends items, and again those that failed and may fare better, as long as there is time: their outcomes, in order. */
export async function delivered<T>(
  items: readonly T[],
  until: number,
  send: (items: readonly T[]) => Promise<readonly Outcome[]>,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly attempts: number }> {
  const outcomes: Outcome[] = [];
  let left = items.map((_, index) => index);
  for (let attempt = 0; ; attempt++) {
    const answered = await send(left.map((index) => items[index] as T));
    left.forEach((index, at) => {
      outcomes[index] = answered[at] ?? { is: "failed", why: "no result" };
    });
    const waits = left.map((index) => waitOf(outcomes[index]));
    left = left.filter((_, at) => waits[at] !== undefined);
    const wait = Math.max(jitter(attempt), ...waits.map((ms) => ms ?? 0));
    if (left.length === 0 || performance.now() + wait + WORTH_MS > until) {
      return { outcomes, attempts: attempt + 1 };
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

function waitOf(outcome: Outcome | undefined): number | undefined {
  return outcome?.is === "failed" ? outcome.again : undefined;
}
