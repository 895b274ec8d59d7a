// What a team writes, with the types of Lambda that AWS's users know.

import type { APIGatewayProxyHandlerV2, LambdaFunctionURLHandler } from "aws-lambda";
import { handler as helius, type Options, type Transaction, type Update } from "PACKAGE";

interface PriceUpdate {
  type: "PRICE_UPDATE";
  token: string;
  price: number;
  slot?: number;
}

const options: Options<PriceUpdate> = {
  derive(transaction) {
    const prices: PriceUpdate[] = [];
    for (const transfer of transaction.tokenTransfers ?? []) {
      const price: PriceUpdate = { type: "PRICE_UPDATE", token: transfer.mint, price: Number(transfer.tokenAmount) };
      prices.push(transaction.slot === undefined ? price : { ...price, slot: transaction.slot });
    }
    return prices;
  },
  queue: process.env["PRICE_QUEUE_URL"],
  fallback: "sqs",
};

export const handler: APIGatewayProxyHandlerV2 = helius(options);
export const url: LambdaFunctionURLHandler = helius({ derive: (transaction) => ({ token: "SOL", slot: transaction.slot }) });
export const raw = helius({
  derive: async ({ meta }: { meta: { fee: number } }) => (meta.fee > 0 ? { token: "SOL", fee: meta.fee } : undefined),
  queue: { url: "https://sqs.example/1/prices", bodyOf: (update: Update) => update.token },
});
export type Seen = Transaction["signature"];
