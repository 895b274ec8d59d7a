// Which of two updates of one key is the newer one. Pure.

import type { Update } from "./types.ts";

/** Values of one clock are at most so far apart, or one is at most double the other: as the room judges a `slot`. */
const MAX_JUMP = 1_000_000;

/** The latest value of one of a publisher's clocks, and the last one that cannot be of the same clock: a second such is believed. */
interface Mark {
  readonly at: number;
  readonly candidate?: number;
}

/** The epoch of what the system before this one brings, which numbers nothing. */
export const UNNUMBERED = "aws";

/** What was shown last of a key. */
export interface Shown {
  readonly update: Update;
  readonly slot: Mark | undefined;
  readonly timestamp: Mark | undefined;
}

/**
 * Whether `update` is `older` than what was shown last of its key, or the `same`; else what is to be remembered of it. `epochs` are
 * those that are known, in the order of their beginnings.
 */
export function older(last: Shown | undefined, update: Update, epochs: readonly string[]): "older" | "same" | Shown {
  if (last !== undefined) {
    const judged = numbered(last.update, update, epochs);
    if (judged !== "unknown") return judged;
  }
  const [slot, timestamp] = [clock(update["slot"]), clock(update["timestamp"])];
  if (update["force"] === true) return { update, slot: forced(last?.slot, slot), timestamp: forced(last?.timestamp, timestamp) };
  const bySlot = compared(last?.slot, slot);
  if (bySlot.is === "lower") return "older";
  if (bySlot.is === "higher") return { update, slot: bySlot.mark, timestamp: forced(last?.timestamp, timestamp) };
  const byTimestamp = compared(last?.timestamp, timestamp);
  if (byTimestamp.is === "lower") return "older";
  return { update, slot: bySlot.mark, timestamp: byTimestamp.mark };
}

/** What the room's numbers say of `update`, which comes after `last`. */
function numbered(last: Update, update: Update, epochs: readonly string[]): "older" | "same" | "unknown" {
  if (last.epoch === update.epoch) {
    if (update.seq === last.seq) return "same";
    return update.seq < last.seq ? "older" : "unknown";
  }
  // A publisher that sends to both systems sends the same to both
  if (last.epoch === UNNUMBERED || update.epoch === UNNUMBERED) return text(last) === text(update) ? "same" : "unknown";
  const began = epochs.indexOf(update.epoch);
  return began !== -1 && began < epochs.indexOf(last.epoch) ? "older" : "unknown";
}

/** What a publisher sent, whatever its order and its number. */
function text({ seq: _, epoch: __, ...own }: Update): string {
  return JSON.stringify(Object.entries(own).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function clock(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function forced(mark: Mark | undefined, value: number | undefined): Mark | undefined {
  return value === undefined ? mark : { at: value };
}

interface Compared {
  readonly is: "lower" | "higher" | "unknown";
  /** What is known of the clock, if the update is shown. */
  readonly mark: Mark | undefined;
}

function compared(mark: Mark | undefined, value: number | undefined): Compared {
  if (mark === undefined || value === undefined) return { is: "unknown", mark: forced(mark, value) };
  if (isOneClock(mark.at, value)) {
    if (value < mark.at) return { is: "lower", mark };
    return { is: value > mark.at ? "higher" : "unknown", mark: { at: value } };
  }
  const { candidate } = mark;
  // One bad value moves nothing; when a second one agrees with it, the clock is another one.
  const agrees = candidate !== undefined && isOneClock(candidate, value) && value >= candidate;
  return { is: "unknown", mark: agrees ? { at: value } : { at: mark.at, candidate: value } };
}

function isOneClock(one: number, other: number): boolean {
  return Math.max(one, other) <= Math.min(one, other) * 2 + MAX_JUMP;
}
