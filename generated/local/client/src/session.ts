// One token's updates: what an app is shown of what comes, in which order, and when it is told of a gap. Nothing here waits, asks
// what time it is or sends: every step changes the session alone, and says what is to be done.

import { ACK_WINDOW_MS } from "./protocol.ts";
import { older, type Shown } from "./order.ts";
import type { Gap, Update } from "./types.ts";

/** So many keys are compared with what was shown of them; the one that was shown longest ago is forgotten first. */
const MAX_KEYS = 1024;
/** So many epochs are known: a room itself knows eight that are over. */
const MAX_EPOCHS = 16;

/** What a client resumes from: the last number that it has, and the epoch of that number. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** What came of an open socket since it last acknowledged. */
interface Flow {
  readonly wanted: number;
  taken: number;
  since: number;
}

/** What is known of an epoch. */
interface Epoch {
  /** It began at this number or below. */
  began: number;
  /** The highest number that came of it. */
  highest: number;
}

export interface Session {
  /** The members that make a key. */
  readonly names: readonly string[];
  position: Position | undefined;
  /** The epochs that are known, in the order of their beginnings; the room's own is the last. */
  readonly epochs: Map<string, Epoch>;
  readonly shown: Map<string, Shown>;
  flow: Flow;
}

/** What happens to a session. */
export type Event =
  /** Something came from the room's socket. */
  | { readonly kind: "frame"; readonly data: unknown }
  /** The body of `GET /snapshot` came. */
  | { readonly kind: "snapshot"; readonly body: unknown }
  /** A value came that the room has not numbered, from the system before this one: its `seq` and `epoch` mean nothing. */
  | { readonly kind: "value"; readonly update: Update }
  /** From now on only the newest values come. */
  | { readonly kind: "fallback"; readonly via: "poll" | "aws" };

/** What is to be done, in this order. */
export type Effect =
  /** The room has let the socket in. */
  | { readonly kind: "open" }
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "show"; readonly update: Update }
  | { readonly kind: "send"; readonly text: string };

/** A session that has seen nothing, with the members that make a key. */
export function begin(names: readonly string[]): Session {
  return {
    names,
    position: undefined,
    epochs: new Map(),
    shown: new Map(),
    flow: { wanted: Infinity, taken: 0, since: 0 },
  };
}

/** What `event` does at `now`, in milliseconds. */
export function step(session: Session, event: Event, now: number): Effect[] {
  switch (event.kind) {
    case "frame":
      return received(session, event.data, now);
    case "snapshot":
      return polled(session, event.body);
    case "value":
      return shown(session, event.update);
    case "fallback":
      return [{ kind: "gap", gap: { reason: event.via } }];
  }
}

/** A frame. What nobody has told this client of is not for it: no frame is an error. */
function received(session: Session, data: unknown, now: number): Effect[] {
  const frame = parsed(data);
  if (frame === undefined) return [];
  switch (frame["type"]) {
    case "connected":
      return isPosition(frame) ? connected(session, frame, now) : [];
    case "pong":
    case "ping":
    case "ack":
      return [];
    case "BATCH_UPDATE":
      return came(session, updates(frame["updates"]), String(data).length, now);
    default:
      return came(session, updates([frame]), String(data).length, now);
  }
}

function connected(session: Session, frame: Frame & Position, now: number): Effect[] {
  const { epoch, seq } = frame;
  const before = session.position;
  const wanted = frame["ack"];
  session.flow = { wanted: typeof wanted === "number" && wanted > 0 ? wanted : Infinity, taken: 0, since: now };
  const effects: Effect[] = [{ kind: "open" }];
  // Its number is the last of what follows, which is not here yet: the position rises with what comes.
  if (frame["recovered"] === true && before !== undefined) return effects;
  const isBehind = frame["behind"] === true;
  if (isBehind) effects.push({ kind: "gap", gap: { reason: "behind" } });
  else if (before !== undefined) effects.push({ kind: "gap", gap: { reason: before.epoch === epoch ? "missed" : "restarted" } });
  const values = valuesOf(frame);
  // Whoever is behind is sent nothing that is older than what it has
  if (!isBehind) place(session, values, epoch);
  effects.push(...state(session, values));
  settle(session, { epoch, seq });
  return effects;
}

/** The newest value of each key, for a client that only asks for these. */
function polled(session: Session, body: unknown): Effect[] {
  if (!isFrame(body) || !isPosition(body)) return [];
  const { epoch, seq } = body;
  const { position, epochs } = session;
  // An answer that is older than what is known, out of a cache or after a crash, takes nothing back: the socket learns of that.
  const isOld = position?.epoch === epoch ? seq < position.seq : epochs.has(epoch) && position !== undefined;
  const values = valuesOf(body);
  place(session, values, epoch);
  const effects = state(session, values);
  if (!isOld) settle(session, { epoch, seq });
  return effects;
}

/** The values that a greeting or a snapshot has, older first. */
function valuesOf(frame: Frame): Update[] {
  return [...updates(frame["snapshots"]), ...updates([frame["snapshot"]])];
}

/** Shows those that are new. */
function state(session: Session, values: readonly Update[]): Effect[] {
  const fresh = values.filter((value) => !isKnown(session, value));
  const effects = fresh.flatMap((value) => shown(session, value));
  for (const value of fresh) raise(session, value);
  return effects;
}

/** Updates of an open socket, in order. */
function came(session: Session, list: readonly Update[], size: number, now: number): Effect[] {
  const effects = list.flatMap((update) => next(session, update));
  const { flow, position } = session;
  if (list.length === 0 || position === undefined) return effects;
  if (now - flow.since > ACK_WINDOW_MS) {
    flow.since = now;
    flow.taken = 0;
  }
  flow.taken += size;
  if (flow.taken >= flow.wanted) {
    effects.push({ kind: "send", text: `{"type":"ack","seq":${position.seq}}` });
    flow.since = now;
    flow.taken = 0;
  }
  return effects;
}

function next(session: Session, update: Update): Effect[] {
  if (isKnown(session, update)) return [];
  const { epoch, seq } = update;
  const isNew = !session.epochs.has(epoch);
  const effects: Effect[] = [];
  if (isNew && session.position !== undefined) effects.push({ kind: "gap", gap: { reason: "restarted" } });
  // Before it is judged: of two epochs the one that began later is the newer
  raise(session, update);
  if (isNew || session.position?.epoch === epoch) session.position = { epoch, seq };
  effects.push(...shown(session, update));
  return effects;
}

/** Shows `update`, unless something newer of its key was shown. */
function shown(session: Session, update: Update): Effect[] {
  const key = keyOf(session.names, update);
  if (key === undefined) return [{ kind: "show", update }];
  const { shown, epochs } = session;
  const judged = older(shown.get(key), update, [...epochs.keys()]);
  if (judged === "same") return [];
  if (judged === "older") return [{ kind: "gap", gap: { reason: "stale", update } }];
  shown.delete(key);
  shown.set(key, judged);
  forget(shown, MAX_KEYS);
  return [{ kind: "show", update }];
}

/** Whether it came before: a number never means two updates. */
function isKnown({ epochs }: Session, { epoch, seq }: Update): boolean {
  const known = epochs.get(epoch);
  return known !== undefined && seq <= known.highest;
}

function raise(session: Session, { epoch, seq }: Position): void {
  learn(session, epoch, { began: seq - 1, highest: seq });
}

/** Adds to what is known of an epoch. */
function learn({ epochs }: Session, epoch: string, { began, highest }: Epoch): void {
  const known = epochs.get(epoch);
  epochs.set(epoch, { began: Math.min(began, known?.began ?? Infinity), highest: Math.max(highest, known?.highest ?? 0) });
  forget(epochs, MAX_EPOCHS);
}

/**
 * Puts the epochs that only these values tell of where they belong among those that are known: what a room still has of the time before
 * an epoch has a number that is not above the one at which that epoch began. The room's own, `current`, is the newest of all.
 */
function place({ epochs }: Session, values: readonly Update[], current: string): void {
  for (const { epoch, seq } of values) {
    if (epoch === current || epochs.has(epoch)) continue;
    const known = [...epochs];
    const next = known.findIndex(([, { began }]) => seq <= began);
    if (next === -1) continue;
    known.splice(next, 0, [epoch, { began: seq - 1, highest: seq - 1 }]);
    epochs.clear();
    for (const [name, seen] of known) epochs.set(name, seen);
  }
}

/** The room is at `position`, and no epoch is newer than that. */
function settle(session: Session, position: Position): void {
  const { epochs } = session;
  const { epoch, seq } = position;
  const known = epochs.get(epoch);
  epochs.delete(epoch);
  if (known !== undefined) epochs.set(epoch, known);
  learn(session, epoch, { began: seq, highest: seq });
  session.position = position;
}

function forget(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

/** What two updates of the same thing have in common; nothing where they have none of the members. */
export function keyOf(names: readonly string[], update: Update): string | undefined {
  const values = names.map((name) => (Object.prototype.hasOwnProperty.call(update, name) ? (update[name] ?? null) : null));
  return values.every((value) => value === null) ? undefined : JSON.stringify(values);
}

type Frame = { readonly [member: string]: unknown };

function parsed(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFrame(value: unknown): value is Frame {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPosition<F extends Frame>(frame: F): frame is F & Position {
  return typeof frame["epoch"] === "string" && Number.isSafeInteger(frame["seq"]);
}

/** Those of a list that are updates. */
function updates(list: unknown): Update[] {
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  return items.filter((item): item is Frame & Update => isFrame(item) && isPosition(item));
}
