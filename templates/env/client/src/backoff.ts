// When a client comes back: late enough that a hundred thousand of them do not find a full door. Pure.

/** The upper bound of the first delay; each further failure doubles it. */
const BASE_MS = 250;
/** The upper bound of all. */
const MAX_MS = 30_000;
/** A connection that was good for so long has nothing to do with the failures before it. */
const GOOD_MS = 10_000;
/** No server means more than a day, and a timer that is set to more than 24 days comes at once. */
const MAX_ADVICE_MS = 86_400_000;

/** Full jitter: anything between nothing and the bound of the try after `failures`, by a `random` number below 1. */
export function delay(failures: number, random: number): number {
  return random * Math.min(MAX_MS, BASE_MS * 2 ** failures);
}

/** The failures that count after one more, of a connection that was good for `goodMs`, or never. */
export function failuresBefore(failures: number, goodMs: number | undefined): number {
  return goodMs !== undefined && goodMs >= GOOD_MS ? 0 : failures;
}

/** What a close says: why, and for how long the server wants to be left alone. */
export function advice(reason: string): { readonly reason: string; readonly retryMs: number } {
  const told = /^(.*);retry=(\d+)$/.exec(reason);
  if (told === null) return { reason, retryMs: 0 };
  return { reason: told[1] ?? "", retryMs: Math.min(MAX_ADVICE_MS, Number(told[2]) * 1000) };
}
