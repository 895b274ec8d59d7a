// What a handler is given, by its team, by the environment and by the manifest, checked before it takes anything.

import * as manifest from "./config.ts";
import type { HttpEvent, Transaction } from "./helius.ts";
import type { Report } from "./report.ts";
import type { Queue } from "./sqs.ts";
import type { Update } from "./update.ts";

/** What a team's file gives to `handler`. */
export interface Options<U extends Update = Update, T = Transaction> {
  /** Makes the updates of one transaction. What it throws is told, and costs that transaction alone. */
  readonly derive: (
    transaction: T,
  ) => U | readonly U[] | null | undefined | Promise<U | readonly U[] | null | undefined>;
  /** The queue of the old system, or its URL; else the variable `EDGE_BROADCAST_QUEUE_URL` has it. All modes but `edge` need it. */
  readonly queue?: Queue | string | undefined;
  /** In the mode `edge`: where updates go that the edge does not take. */
  readonly fallback?: "sqs" | "nowhere" | undefined;
  /** Milliseconds from the request to the answer; Helius waits for one second. */
  readonly deadlineMs?: number | undefined;
  /** Gets the one line that each invocation says; by default it goes to the standard output. */
  readonly log?: ((report: Report) => void) | undefined;
}

/** What a Lambda function exports. */
export type Handler = (event: HttpEvent) => Promise<HttpAnswer>;

export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface Settings {
  readonly mode: manifest.Mode;
  readonly percent: number;
  readonly maxBytes: number;
  readonly authHeader: string;
  readonly edge: EdgeSettings;
  readonly queue: Queue | undefined;
  readonly fallback: "sqs" | "nowhere";
  readonly deadlineMs: number;
}

export interface EdgeSettings {
  /** `POST /broadcast` of the gateway. */
  readonly url: string;
  readonly secret: string | undefined;
  readonly credentials: "bearer" | "signature";
  /** The largest body of several updates. */
  readonly maxBatchBytes: number;
}

/** What the manifest says; a test gives another. */
export type Manifest = typeof manifest;

/** Of `POST /broadcast`, unless one update may be larger. */
const MAX_BATCH_BYTES = 1_048_576;

/** Of one message. */
const MAX_SQS_BYTES = 1_048_576;

/**
 * What to do, or an error that says what is missing. A missing `EDGE_BROADCAST_SECRET` is not one: while clients move over it
 * must not cost the updates of the queue; the edge's are told as failed, and nothing is sent without it.
 */
export function settingsOf<U extends Update, T>(
  options: Pick<Options<U, T>, "queue" | "fallback" | "deadlineMs">,
  environment: Readonly<Record<string, string | undefined>>,
  of: Manifest = manifest,
): Settings {
  const authHeader = environment["HELIUS_AUTH_HEADER"] ?? "";
  if (authHeader === "") {
    throw new Error(
      "`HELIUS_AUTH_HEADER` is not set, so anybody could publish: set it to the `authHeader` of the webhook",
    );
  }
  const isOn = environment["USE_EDGE_BROADCAST"] === "true";
  const mode = isOn ? of.MODE : "sqs";
  const given = options.queue ?? environment["EDGE_BROADCAST_QUEUE_URL"];
  const queue = typeof given === "string" ? { url: given } : given;
  const fallback = options.fallback ?? "nowhere";
  if ((queue?.url ?? "") === "" && (mode !== "edge" || fallback === "sqs")) {
    const why = isOn
      ? `updates go to SQS (\`sst.migration\` is \`${mode}\`, the fallback \`${fallback}\`)`
      : "updates go to SQS while `USE_EDGE_BROADCAST` is not `true`";
    throw new Error(`${why}, and there is no queue: set \`EDGE_BROADCAST_QUEUE_URL\`, or give \`handler\` a \`queue\``);
  }
  const base = environment["EDGE_BROADCAST_URL"] || of.URL_OF_GATEWAY;
  return {
    mode,
    percent: of.PERCENT,
    // What only the queue gets, the gateway need not be able to take
    maxBytes: mode === "sqs" ? MAX_SQS_BYTES : of.MAX_MESSAGE_BYTES,
    authHeader,
    edge: {
      // As text: a path that is there stays, and no slash is doubled
      url: `${base.trim().replace(/\/+$/, "")}/broadcast`,
      secret: environment["EDGE_BROADCAST_SECRET"],
      credentials: of.CREDENTIALS,
      maxBatchBytes: Math.max(MAX_BATCH_BYTES, of.MAX_MESSAGE_BYTES),
    },
    queue,
    fallback,
    deadlineMs: options.deadlineMs ?? 900,
  };
}

/** Whether updates may go to the queue: then its client is loaded at once, and not within Helius's second. */
export function usesQueue({ mode, fallback }: Settings): boolean {
  return mode !== "edge" || fallback === "sqs";
}
