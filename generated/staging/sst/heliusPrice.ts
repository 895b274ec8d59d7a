// Generated from environments/staging.toml: what `source/webhooks/heliusPrice.ts` calls for each price.
// The migration from SQS is in mode `percent`; change `sst.migration` in the manifest to go on with it.

export interface PriceUpdate {
  type: "PRICE_UPDATE";
  token: string;
  price: number;
  timestamp: number;
  slot?: number;
  signature?: string;
}

type Mode = "sqs" | "percent" | "dual" | "edge";
const MODE: Mode = "percent" as Mode;
const PERCENT: number = 10;

/** Sends one price to whoever must get it in the present mode of the migration. */
export async function publishPrice(
  update: PriceUpdate,
  sendToSqs: (update: PriceUpdate) => Promise<void>,
): Promise<void> {
  if (process.env.USE_EDGE_BROADCAST !== "true") return sendToSqs(update);
  switch (MODE) {
    case "sqs":
      return sendToSqs(update);
    case "percent":
      return share(update.token) < PERCENT ? sendToEdge(update) : sendToSqs(update);
    case "dual": {
      // The edge is on trial: only SQS may fail the webhook.
      const [sqs, edge] = await Promise.allSettled([sendToSqs(update), sendToEdge(update)]);
      if (edge.status === "rejected") console.warn("edge broadcast failed", String(edge.reason));
      if (sqs.status === "rejected") throw sqs.reason;
      return;
    }
    case "edge":
      return sendToEdge(update);
  }
}

/** A token's place from 0 to 99: every update of one token takes the same way, so no client sees half of them. */
function share(token: string): number {
  let hash = 0;
  for (const character of token) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % 100;
}

async function sendToEdge(update: PriceUpdate): Promise<void> {
  const body = JSON.stringify(update);
  // A repeat of the same webhook reaches nobody twice.
  const id = update.signature ?? crypto.randomUUID();
  const response = await fetch(
    `${process.env.EDGE_BROADCAST_URL}/broadcast/${encodeURIComponent(update.token)}`,
    {
      method: "POST",
      headers: { "Content-Type": "application/json", ...credentials(id, body) },
      body,
      signal: AbortSignal.timeout(5000),
    },
  );
  if (!response.ok) throw new Error(`edge broadcast answered ${response.status}`);
}

function credentials(id: string, _body: string): Record<string, string> {
  return {
    Authorization: `Bearer ${process.env.EDGE_BROADCAST_SECRET}`,
    "Idempotency-Key": id,
  };
}
