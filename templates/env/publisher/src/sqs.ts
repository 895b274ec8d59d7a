// Sends updates to the queue of the old system.

import type { SendMessageBatchCommand, SendMessageBatchRequestEntry, SQSClient } from "@aws-sdk/client-sqs";
import { type Delivery, delivered, type Outcome, parts } from "./outcome.ts";
import type { Repeats } from "./modes.ts";
import { digest, type Item, type Update } from "./update.ts";

/** Where the old system takes updates. */
export interface Queue {
  /** Its URL; one that ends with `.fifo` gets the token as group and the update's id against repeats. */
  readonly url: string;
  /** A client of the team's own; else one is made by the environment, as AWS's SDK does. */
  readonly client?: Pick<SQSClient, "send"> | undefined;
  /** The text of a message; by default the update as JSON. */
  bodyOf?(update: Update): string;
}

/** Of one `SendMessageBatch`. */
const MOST = { items: 10, bytes: 1_048_576 };

/** What sends to a queue. */
export type Sender = (items: readonly Item[], until: number) => Promise<Delivery>;

/** What a second message with the same id means to this queue. */
export function repeatsOf(queue: Queue | undefined): Repeats {
  return queue?.url.endsWith(".fifo") === true ? "harmless" : "delivered";
}

/** Begins to load the SDK, so that its time is the start's. */
export function senderTo(queue: Queue): Sender {
  const sdk = load(queue);
  // It is told when something is sent
  sdk.catch(() => {});
  return async (items, until) => {
    const started = performance.now();
    const outcomes: Outcome[] = [];
    let attempts = 0;
    // One after the other: those of one token keep their order
    for (const part of parts(items, MOST, (item) => Buffer.byteLength(bodyOf(queue, item)))) {
      const sent = await delivered(part, until, (left) => sendBatch(sdk, queue, left, until));
      outcomes.push(...sent.outcomes);
      attempts += sent.attempts;
    }
    return { outcomes, attempts, ms: performance.now() - started };
  };
}

interface Sdk {
  readonly client: Pick<SQSClient, "send">;
  readonly Command: typeof SendMessageBatchCommand;
}

/** The SDK is large: whoever has left the queue behind does not load it. */
async function load(queue: Queue): Promise<Sdk> {
  const sdk = await import("@aws-sdk/client-sqs");
  return { client: queue.client ?? new sdk.SQSClient({}), Command: sdk.SendMessageBatchCommand };
}

/** One request; the SDK itself repeats what failed as a whole. */
async function sendBatch(
  sdk: Promise<Sdk>,
  queue: Queue,
  items: readonly Item[],
  until: number,
): Promise<readonly Outcome[]> {
  const left = Math.ceil(until - performance.now());
  try {
    if (left <= 0) throw Object.assign(new Error(), { name: "TimeoutError" });
    const late = AbortSignal.timeout(left);
    const { client, Command } = await sdk;
    const command = new Command({ QueueUrl: queue.url, Entries: items.map((item, at) => entryOf(queue, item, at)) });
    // The SDK waits between its own tries without looking at the signal
    const answer = await Promise.race([client.send(command, { abortSignal: late }), ended(late)]);
    const outcomes: Outcome[] = items.map(() => ({ is: "failed", why: "no result" }));
    for (const { Id } of answer.Successful ?? []) outcomes[Number(Id)] = { is: "accepted", notes: [] };
    for (const { Id, Code = "no code", SenderFault } of answer.Failed ?? []) {
      outcomes[Number(Id)] =
        SenderFault === true ? { is: "refused", why: Code } : { is: "failed", why: Code, again: 0 };
    }
    return outcomes;
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string };
    const isLate = name === "TimeoutError" || name === "AbortError";
    const why = isLate ? `no answer in ${Math.max(left, 0)} ms` : (code ?? name ?? "no connection");
    return items.map(() => ({ is: "failed", why }));
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function entryOf(queue: Queue, item: Item, at: number): SendMessageBatchRequestEntry {
  const entry = { Id: String(at), MessageBody: bodyOf(queue, item) };
  if (repeatsOf(queue) === "delivered") return entry;
  const id = item.id.length <= 128 ? item.id : digest(item.id);
  return { ...entry, MessageGroupId: item.token, MessageDeduplicationId: id };
}

function bodyOf(queue: Queue, item: Item): string {
  return queue.bodyOf?.(item.update) ?? item.text;
}
