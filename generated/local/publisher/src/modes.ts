// Which way an update goes while clients move from the queue to the edge, and what to answer when some did not arrive.

import type { Mode } from "./config.ts";
import type { Outcome } from "./outcome.ts";

export type Way = "edge" | "sqs";

const WAYS: Readonly<Record<Way | "both", readonly Way[]>> = {
  edge: ["edge"],
  sqs: ["sqs"],
  both: ["sqs", "edge"],
};

/** The ways of a token's updates: those of one token all go the same, so no client sees half of them. */
export function waysOf(token: string, mode: Mode, percent: number): readonly Way[] {
  switch (mode) {
    case "sqs":
      return WAYS.sqs;
    case "percent":
      return share(token) < percent ? WAYS.edge : WAYS.sqs;
    case "dual":
      return WAYS.both;
    case "edge":
      return WAYS.edge;
  }
}

/** A token's place from 0 to 99. */
export function share(token: string): number {
  let hash = 0;
  for (const character of token) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % 100;
}

/** An update's outcome on each way that it took. */
export type Outcomes = Partial<Record<Way, Outcome>>;

/** Whether it arrived on some way. */
export function hasArrived(outcomes: Outcomes): boolean {
  return outcomes.edge?.is === "accepted" || outcomes.sqs?.is === "accepted";
}

/** Whether it arrived nowhere, and might another time. */
export function mayArriveLater(outcomes: Outcomes): boolean {
  const failed = outcomes.edge?.is === "failed" || outcomes.sqs?.is === "failed";
  return failed && !hasArrived(outcomes);
}

/** What a second message of a queue means: a FIFO queue knows it by its id, others deliver it again. */
export type Repeats = "harmless" | "delivered";

/**
 * Whether Helius should send everything once more: where something arrived nowhere and might, unless that would deliver again
 * what a standard queue has already. At the edge a repeat reaches nobody.
 */
export function shouldRepeat(all: readonly Outcomes[], underived: number, repeats: Repeats): boolean {
  const wanted = underived > 0 || all.some(mayArriveLater);
  const queued = all.some(({ sqs }) => sqs?.is === "accepted");
  return wanted && !(queued && repeats === "delivered");
}
