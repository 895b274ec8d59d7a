// What Helius posts to a webhook: who sent it, and the transactions in it.

import { createHash, timingSafeEqual } from "node:crypto";

/** A request as a Lambda function URL or an HTTP API gives it (payload format 2.0; of 1.0 the same members are read). */
export interface HttpEvent {
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly body?: string | null | undefined;
  readonly isBase64Encoded?: boolean | undefined;
}

/** An enhanced transaction, as far as most publishers read it; everything else that Helius sends is there too. */
export interface Transaction {
  readonly signature?: string;
  readonly slot?: number;
  /** Seconds since 1970. */
  readonly timestamp?: number;
  readonly type?: string;
  readonly source?: string;
  readonly description?: string;
  readonly fee?: number;
  readonly feePayer?: string;
  readonly nativeTransfers?: readonly NativeTransfer[];
  readonly tokenTransfers?: readonly TokenTransfer[];
  readonly transactionError?: unknown;
  readonly events?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

export interface NativeTransfer {
  readonly fromUserAccount: string;
  readonly toUserAccount: string;
  /** In lamports. */
  readonly amount: number;
}

export interface TokenTransfer {
  readonly fromUserAccount: string;
  readonly toUserAccount: string;
  readonly fromTokenAccount: string;
  readonly toTokenAccount: string;
  readonly mint: string;
  readonly tokenAmount: number | string;
}

/** Whether the request has the `authHeader` that the webhook was made with: Helius sends it in `Authorization`, as it is. */
export function isFromHelius(event: HttpEvent, authHeader: string): boolean {
  const headers = Object.entries(event.headers ?? {});
  const [, shown] = headers.find(([name]) => name.toLowerCase() === "authorization") ?? [];
  // Digests have one length, so that the comparison takes the same time whatever was sent
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown ?? ""), digest(authHeader)) && shown !== undefined;
}

/** The items of the posted array; nothing where the body is no JSON array. */
export function itemsOf(event: HttpEvent): readonly unknown[] | undefined {
  const body = event.body ?? "";
  const text = event.isBase64Encoded === true ? Buffer.from(body, "base64").toString() : body;
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** What names a transaction in every delivery of it: its signature, enhanced or raw, or else a digest of all that was sent. */
export function nameOf(transaction: unknown): string {
  const { signature, transaction: raw } = transaction as {
    signature?: unknown;
    transaction?: { signatures?: unknown } | null;
  };
  const signatures = raw?.signatures;
  const named = signature ?? (Array.isArray(signatures) ? signatures[0] : undefined);
  if (typeof named === "string" && named !== "") return named;
  return createHash("sha256").update(JSON.stringify(transaction)).digest("base64url");
}
