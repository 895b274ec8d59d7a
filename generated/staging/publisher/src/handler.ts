// The Lambda function: from Helius's request to its answer, within its second.

import { ENVIRONMENT } from "./config.ts";
import { sendToEdge } from "./edge.ts";
import { type HttpEvent, isFromHelius, itemsOf, nameOf, type Transaction } from "./helius.ts";
import { type Outcomes, shouldRepeat, type Way, waysOf } from "./modes.ts";
import type { Delivery } from "./outcome.ts";
import { type Done, print, reportOf } from "./report.ts";
import { type Handler, type HttpAnswer, type Options, type Settings, settingsOf, usesQueue } from "./settings.ts";
import { repeatsOf, type Sender, senderTo } from "./sqs.ts";
import { type Item, itemsFrom, type LeftOut, type Update } from "./update.ts";

/** Makes the function that Helius's webhook calls; throws where something is missing that it cannot do without. */
export function handler<U extends Update, T = Transaction>(options: Options<U, T>): Handler {
  const settings = settingsOf(options, process.env);
  const queue = settings.queue;
  const sendToQueue = queue && usesQueue(settings) ? senderTo(queue) : undefined;
  return async (event: HttpEvent): Promise<HttpAnswer> => {
    const started = performance.now();
    if (!isFromHelius(event, settings.authHeader)) {
      return answer(401, { error: "`Authorization` is not the webhook's `authHeader`" });
    }
    const transactions = itemsOf(event);
    if (transactions === undefined) return answer(400, { error: "the body is no JSON array" });
    const derived = await derive(options, transactions, settings.maxBytes);
    const sent = await publish(derived.items, settings, sendToQueue, started);
    const done: Done = {
      environment: ENVIRONMENT,
      mode: settings.mode,
      transactions: transactions.length,
      ...derived,
      ...sent,
    };
    const repeat = shouldRepeat(done.outcomes, done.underived.length, repeatsOf(queue));
    const report = reportOf(done, repeat ? 503 : 200, performance.now() - started);
    (options.log ?? print)(report);
    const { status, updates, left_out, underived, lost } = report;
    return answer(status, { updates, left_out, underived, lost });
  };
}

function answer(statusCode: number, body: object): HttpAnswer {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

interface Derived {
  readonly items: readonly Item[];
  readonly leftOut: readonly LeftOut[];
  readonly underived: readonly string[];
}

/** The updates of all transactions, in their order. */
async function derive<U extends Update, T>(
  options: Options<U, T>,
  transactions: readonly unknown[],
  maxBytes: number,
): Promise<Derived> {
  const items: Item[] = [];
  const leftOut: LeftOut[] = [];
  const underived: string[] = [];
  const each = transactions.map(async (transaction) => {
    if (typeof transaction !== "object" || transaction === null) {
      throw new Error("an item of the body is no object");
    }
    const updates = (await options.derive(transaction as T)) ?? [];
    const list = (Array.isArray(updates) ? updates : [updates]) as readonly U[];
    return itemsFrom(list, nameOf(transaction), maxBytes);
  });
  for (const one of await Promise.allSettled(each)) {
    if (one.status === "rejected") {
      underived.push(String(one.reason).slice(0, 200));
    } else {
      items.push(...one.value.items);
      leftOut.push(...one.value.leftOut);
    }
  }
  return { items, leftOut, underived };
}

/** The part of the time that the edge has where a fallback comes after it, and that is kept for sending whatever came before. */
const EDGE_FIRST = 2 / 3;

async function publish(
  items: readonly Item[],
  settings: Settings,
  sendToQueue: Sender | undefined,
  started: number,
): Promise<Pick<Done, "outcomes" | "deliveries">> {
  const outcomes: Outcomes[] = items.map(() => ({}));
  const deliveries: Partial<Record<Way, Delivery>> = {};
  const now = performance.now();
  // A slow `derive` leaves it some time all the same: what is published late is published, and Helius's repeat harmless
  const until = Math.max(started + settings.deadlineMs, now + settings.deadlineMs * (1 - EDGE_FIRST));
  const isLast = settings.mode !== "edge" || settings.fallback !== "sqs";
  const edgeUntil = isLast ? until : now + (until - now) * EDGE_FIRST;
  const send = async (way: Way, chosen: readonly number[]) => {
    if (chosen.length === 0) return;
    const list = chosen.map((index) => items[index] as Item);
    const delivery =
      way === "edge"
        ? await sendToEdge(list, settings.edge, edgeUntil)
        : await sendToQueue?.(list, until);
    if (delivery === undefined) return;
    deliveries[way] = delivery;
    chosen.forEach((index, at) => {
      const outcome = delivery.outcomes[at];
      if (outcome) (outcomes[index] as Outcomes)[way] = outcome;
    });
  };
  const on = (way: Way) =>
    items.flatMap(({ token }, index) =>
      waysOf(token, settings.mode, settings.percent).includes(way) ? [index] : [],
    );
  await Promise.all([send("sqs", on("sqs")), send("edge", on("edge"))]);
  if (!isLast) {
    const failed = outcomes.flatMap(({ edge }, index) => (edge?.is === "accepted" ? [] : [index]));
    await send("sqs", failed);
  }
  return { outcomes, deliveries };
}
