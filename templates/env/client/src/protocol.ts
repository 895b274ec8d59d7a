// Generated from `worker/protocol`, whose types these are: what goes over the wire, and what its codes mean.

/** The first frame of every socket. */
export interface Connected {
  readonly type: "connected";
  /** Names this socket in the room's debug logs. */
  readonly connectionId: string;
  /** The room. */
  readonly token: string;
  /** Names one unbroken numbering. */
  readonly epoch: string;
  /** Where the client is now: the number of the last update that was sent; with `recovered: false` and updates that follow, the number before them. */
  readonly seq: number;
  /** Whether this frame is followed by all that the client has missed. */
  readonly recovered: boolean;
  /** The client is ahead of what the room has after a crash; absent otherwise. */
  readonly behind?: true;
  /** Bytes after which a client acknowledges. */
  readonly ack: number;
  /** An update, whole: the newest of those that this frame has; absent when it has none. */
  readonly snapshot?: Update;
  /** The others, one of each key, older first; absent when there are none. */
  readonly snapshots?: readonly Update[];
}

/** Several updates at once, in order: what a batch window has collected, or what a resuming client has missed. */
export interface BatchUpdate {
  readonly type: "BATCH_UPDATE";
  /** Updates, each as it would be in a frame of its own. */
  readonly updates: readonly Update[];
}

/** The answer to a ping. */
export interface Pong {
  readonly type: "pong";
}

/** Keeps the socket alive. */
export interface Ping {
  readonly type: "ping";
}

/** Says how far the client has come, where much is sent. */
export interface Ack {
  readonly type: "ack";
  /** The number of the last update that the client has got. */
  readonly seq: number;
}

/** The publisher's own object as it came, with `seq` and `epoch` added at its end. */
export interface Update {
  /** What kind of update it is, and none of the system's own. */
  readonly type?: string | null;
  /** Its number. */
  readonly seq: number;
  /** The epoch of that number. */
  readonly epoch: string;
  readonly [member: string]: unknown;
}

/** The newest update of each key, for clients that poll. */
export interface Snapshot {
  /** The room. */
  readonly token: string;
  /** The epoch of `seq`. */
  readonly epoch: string;
  /** The number of the last update that was sent; 0 where there was none. */
  readonly seq: number;
  /** The newest update, or null. */
  readonly snapshot: Update | null;
  /** The newest of each other key, older first; absent when there is none. */
  readonly snapshots?: readonly Update[];
}

/** What became of a publish. */
export interface Receipt {
  readonly seq: number;
  readonly first_seq?: number;
  readonly epoch: string;
  readonly sockets: number;
  readonly shards: number;
  readonly dropped: number;
  readonly duplicate: boolean;
  readonly stale: boolean;
  readonly stale_items?: number;
  readonly implausible_slot?: true;
  readonly batched: boolean;
  readonly failed_shards: number;
  readonly took_ms: number;
}

/** The body of every error answer. */
export interface Refusal {
  readonly error: Problem;
}

export interface Problem {
  /** For programs; one of `REFUSALS`, or of a newer version. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** Whether a client comes back after a close: never unchanged, at once, or later (after `retry`, where the reason has it). */
export type ComeBack = "never" | "now" | "later";

/** A close code of the room's own. */
export interface Close {
  readonly code: number;
  /** The reason; of a refused handshake, its refusal's code, which `;retry=SECONDS` may follow. */
  readonly reason: string;
  readonly comeBack: ComeBack;
}

/** Every close of an open socket. */
export const CLOSES: readonly Close[] = [
  { code: 4001, reason: "only pings and acknowledgements are accepted", comeBack: "never" },
  { code: 4008, reason: "no ping within the idle time", comeBack: "now" },
  { code: 4009, reason: "message too large", comeBack: "never" },
  { code: 4010, reason: "too slow for what this room sends", comeBack: "now" },
  { code: 4029, reason: "too many messages", comeBack: "never" },
];

/** Every close of a handshake that was refused, where `errors=close` asked for one. */
export const REFUSED: readonly Close[] = [
  { code: 4000, reason: "invalid_token", comeBack: "never" },
  { code: 4003, reason: "origin_not_allowed", comeBack: "never" },
  { code: 4003, reason: "origin_required", comeBack: "never" },
  { code: 4004, reason: "not_found", comeBack: "never" },
  { code: 4013, reason: "room_full", comeBack: "later" },
  { code: 4029, reason: "connect_rate", comeBack: "later" },
  { code: 4029, reason: "too_many_connections", comeBack: "later" },
  { code: 4050, reason: "misconfigured", comeBack: "later" },
  { code: 4053, reason: "unknown_call", comeBack: "later" },
  { code: 4053, reason: "room_unavailable", comeBack: "later" },
];

/** The frames that the system itself sends; one of any other type, or of none, is an `Update`. */
export type SystemFrame = Connected | BatchUpdate | Pong;

/** Every frame that a client gets. */
export type RoomFrame = SystemFrame | Update;

/** Every frame that a client may send. */
export type ClientFrame = Ping | Ack;

/** A ping of exactly this text is answered without waking the room. */
export const PING = '{"type":"ping"}';

/** Bytes after which a client acknowledges, if they came within `ACK_WINDOW_MS`; `ack` in `connected` says the room's own. */
export const ACK_BYTES = 262144;

/** Milliseconds after which it counts anew. */
export const ACK_WINDOW_MS = 30000;
