// What a publisher sends: updates, checked before anything is sent, each with an id that is the same in every repeat.

import { createHash } from "node:crypto";

/** An update: any JSON object with these members. */
export interface Update {
  /** The room: 1 to 96 ASCII letters, digits, `-`, `_`, `.` or `:`, the first of them a letter or a digit. */
  readonly token: string;
  readonly type?: string | undefined;
  /** The publisher's clock: an update that is older than the newest of its key reaches nobody. */
  readonly slot?: number | undefined;
  readonly timestamp?: number | undefined;
  readonly signature?: string | undefined;
  /** Names it in repeats, instead of the id that the publisher makes; subscribers see it. */
  readonly id?: string | undefined;
  /** Reaches subscribers even if it is older. */
  readonly force?: boolean | undefined;
}

/** An update that may be sent. */
export interface Item {
  readonly update: Update;
  readonly token: string;
  readonly id: string;
  /** Its JSON text as the team made it. */
  readonly text: string;
  /** The same with the id: an item of `POST /broadcast`. */
  readonly body: string;
}

/** An update that is not sent, and why. */
export interface LeftOut {
  readonly token: string;
  readonly why: string;
}

/** Members that an update may leave undefined; any other would be missing where subscribers count on it. */
const OPTIONAL = new Set(["type", "slot", "timestamp", "signature", "id", "force"]);

class Unfit extends Error {}

/**
 * The updates of one transaction, named by it. An id is made of the transaction's name, the token, the type, and how many like
 * it come before: not of what else is in the update, so that one which reads another clock in a repeat is still a repeat.
 */
export function itemsFrom(
  updates: readonly Update[],
  transaction: string,
  maxBytes: number,
): { readonly items: readonly Item[]; readonly leftOut: readonly LeftOut[] } {
  const items: Item[] = [];
  const leftOut: LeftOut[] = [];
  const alike = new Map<string, number>();
  for (const update of updates) {
    try {
      const text = checkedText(update);
      const kind = JSON.stringify([transaction, update.token, update.type ?? ""]);
      const count = alike.get(kind) ?? 0;
      alike.set(kind, count + 1);
      const id = update.id ?? digest(`${kind} ${count}`);
      const body = update.id === undefined ? `${text.slice(0, -1)},"id":"${id}"}` : text;
      if (Buffer.byteLength(body) > maxBytes) throw new Unfit(`it has more than ${maxBytes} bytes`);
      items.push({ update, token: update.token, id, text, body });
    } catch (error) {
      leftOut.push({ token: nameFor(update), why: why(error) });
    }
  }
  return { items, leftOut };
}

/** An id of 132 bits: subscribers get it in every update, so it is short. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

function checkedText(update: Update): string {
  if (typeof update !== "object" || update === null || Array.isArray(update)) {
    throw new Unfit("it is no object");
  }
  const { token, slot, id } = update;
  if (typeof token !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,95}$/.test(token)) {
    throw new Unfit("`token` cannot be a token");
  }
  if (id !== undefined && (typeof id !== "string" || !/^[!-~]{1,256}$/.test(id))) {
    throw new Unfit("`id` is not 1 to 256 visible ASCII characters");
  }
  const text = JSON.stringify(update, check);
  // An object may say by `toJSON` that it is something else
  if (!text?.startsWith('{"')) throw new Unfit("it is no object");
  if (slot !== undefined && !(Number.isSafeInteger(slot) && slot >= 0)) {
    throw new Unfit("`slot` is no whole number");
  }
  // SQS refuses a whole batch for these two, which JSON allows
  return text.replace(/[\uFFFE\uFFFF]/g, (at) => `\\u${at.charCodeAt(0).toString(16)}`);
}

/** Sees every value before JSON turns what it does not know into `null`, or leaves it out. */
function check(this: unknown, member: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[member];
  const unfit =
    (typeof value === "number" && !Number.isFinite(value)) ||
    (value === undefined && !OPTIONAL.has(member)) ||
    ["bigint", "function", "symbol"].includes(typeof value) ||
    (raw instanceof Date && Number.isNaN(raw.getTime()));
  if (unfit) throw new Unfit(`\`${member}\` is ${typeof value === "function" ? "a function" : String(raw)}`);
  return value;
}

function nameFor(update: unknown): string {
  const token = (update as { token?: unknown } | null | undefined)?.token;
  return typeof token === "string" ? token.slice(0, 96) : "";
}

function why(error: unknown): string {
  if (error instanceof Unfit) return error.message;
  // A circle, or a `toJSON` that throws
  return `it is no JSON: ${error instanceof Error ? error.message.split("\n", 1)[0] : String(error)}`;
}
