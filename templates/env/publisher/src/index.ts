// Publishes what Helius tells of transactions, to the edge, to the queue of the old system, or to both.

export { handler } from "./handler.ts";
export type { HttpEvent, NativeTransfer, TokenTransfer, Transaction } from "./helius.ts";
export type { Report } from "./report.ts";
export type { Handler, HttpAnswer, Options } from "./settings.ts";
export type { Queue } from "./sqs.ts";
export type { Update } from "./update.ts";
