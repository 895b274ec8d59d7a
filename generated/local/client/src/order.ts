// Which of two updates of one key is the newer one. Pure.

import type { Update } from "./types.ts";

/** Values of one clock are at most so far apart, or one is at most double the other: as the room judges a `slot`. */
const MAX_JUMP = 1_000_000;

/** The latest value of one of a publisher's clocks, and the last one that cannot be of the same clock: a second such is believed. */
interface Mark {
  readonly at: number;
  readonly candidate?: number;
}

/** What was shown last of a key. */
export interface Shown {
  readonly epoch: string;
  readonly seq: number;
  readonly slot: Mark | undefined;
  readonly timestamp: Mark | undefined;
}

/**
 * Whether `update` is `older` than what was shown last of its key, or the `same`; else what is to be remembered of it. `epochs` are
 * those that are known, in the order of their beginnings.
 */
export function older(last: Shown | undefined, update: Update, epochs: readonly string[]): "older" | "same" | Shown {
  const { epoch, seq } = update;
  if (last !== undefined && last.epoch === epoch) {
    if (seq === last.seq) return "same";
    if (seq < last.seq) return "older";
  } else if (last !== undefined) {
    const began = epochs.indexOf(epoch);
    if (began !== -1 && began < epochs.indexOf(last.epoch)) return "older";
  }
  const [slot, timestamp] = [clock(update["slot"]), clock(update["timestamp"])];
  if (update["force"] === true) return { epoch, seq, slot: forced(last?.slot, slot), timestamp: forced(last?.timestamp, timestamp) };
  const bySlot = compared(last?.slot, slot);
  if (bySlot.is === "lower") return "older";
  if (bySlot.is === "higher") return { epoch, seq, slot: bySlot.mark, timestamp: forced(last?.timestamp, timestamp) };
  const byTimestamp = compared(last?.timestamp, timestamp);
  if (byTimestamp.is === "lower") return "older";
  return { epoch, seq, slot: bySlot.mark, timestamp: byTimestamp.mark };
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
