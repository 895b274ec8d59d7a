// The one line that an invocation says: counts that alarms read, and the first problems in words.

import { hasArrived, type Outcomes, type Way } from "./modes.ts";
import type { Delivery, Note } from "./outcome.ts";
import type { Item, LeftOut } from "./update.ts";

/** One line of JSON. */
export interface Report {
  readonly event: "edge-broadcast.publish";
  readonly environment: string;
  readonly mode: string;
  /** What Helius was answered. */
  readonly status: number;
  readonly ms: number;
  readonly transactions: number;
  readonly updates: number;
  /** Updates that were not fit to be sent. */
  readonly left_out: number;
  /** Transactions for which `derive` threw. */
  readonly underived: number;
  /** Updates that arrived nowhere. */
  readonly lost: number;
  readonly edge?: WayReport;
  readonly sqs?: WayReport;
  /** In the mode `dual`: what the two ways agree on. */
  readonly dual?: Record<"both" | "edge_only" | "sqs_only" | "neither", number>;
  /** At most the first ten. */
  readonly problems?: readonly Problem[];
}

export interface WayReport extends Record<Note, number> {
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly attempts: number;
  readonly ms: number;
}

export interface Problem {
  readonly at: "derive" | "update" | Way;
  readonly token?: string;
  readonly id?: string;
  readonly why: string;
}

/** All that an invocation did. */
export interface Done {
  readonly environment: string;
  readonly mode: string;
  readonly transactions: number;
  readonly items: readonly Item[];
  readonly leftOut: readonly LeftOut[];
  readonly underived: readonly string[];
  /** Of each item. */
  readonly outcomes: readonly Outcomes[];
  readonly deliveries: Partial<Record<Way, Delivery>>;
}

const MOST_PROBLEMS = 10;

export function reportOf(done: Done, status: number, ms: number): Report {
  const { deliveries, outcomes } = done;
  const problems = problemsOf(done);
  return {
    event: "edge-broadcast.publish",
    environment: done.environment,
    mode: done.mode,
    status,
    ms: Math.round(ms),
    transactions: done.transactions,
    updates: done.items.length,
    left_out: done.leftOut.length,
    underived: done.underived.length,
    lost: outcomes.filter((one) => !hasArrived(one)).length,
    ...(deliveries.edge ? { edge: wayReport(deliveries.edge) } : {}),
    ...(deliveries.sqs ? { sqs: wayReport(deliveries.sqs) } : {}),
    ...(done.mode === "dual" ? { dual: compared(outcomes) } : {}),
    ...(problems.length > 0 ? { problems: problems.slice(0, MOST_PROBLEMS) } : {}),
  };
}

function wayReport({ outcomes, attempts, ms }: Delivery): WayReport {
  const notes = outcomes.flatMap((one) => (one.is === "accepted" ? one.notes : []));
  const of = (is: string) => outcomes.filter((one) => one.is === is).length;
  const noted = (note: Note) => notes.filter((one) => one === note).length;
  return {
    accepted: of("accepted"),
    duplicate: noted("duplicate"),
    stale: noted("stale"),
    changed: noted("changed"),
    failed_shards: noted("failed_shards"),
    refused: of("refused"),
    failed: of("failed"),
    attempts,
    ms: Math.round(ms),
  };
}

function compared(outcomes: readonly Outcomes[]): NonNullable<Report["dual"]> {
  const counts = { both: 0, edge_only: 0, sqs_only: 0, neither: 0 };
  for (const { edge, sqs } of outcomes) {
    const atEdge = edge?.is === "accepted";
    if (sqs?.is === "accepted") counts[atEdge ? "both" : "sqs_only"]++;
    else counts[atEdge ? "edge_only" : "neither"]++;
  }
  return counts;
}

function problemsOf({ items, leftOut, underived, outcomes }: Done): Problem[] {
  const problems: Problem[] = underived.map((why) => ({ at: "derive", why }));
  for (const { token, why } of leftOut) problems.push({ at: "update", token, why });
  outcomes.forEach((one, index) => {
    const item = items[index];
    for (const at of ["edge", "sqs"] as const) {
      const outcome = one[at];
      if (outcome === undefined || item === undefined) continue;
      const { token, id } = item;
      if (outcome.is !== "accepted") problems.push({ at, token, id, why: outcome.why });
      else if (outcome.notes.length > 0) problems.push({ at, token, id, why: outcome.notes.join(", ") });
    }
  });
  return problems;
}

/** Straight to the standard output: what `console` prints has a head in Lambda, and metric filters then see no JSON. */
export function print(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
