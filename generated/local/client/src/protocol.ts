// Generated from `worker/protocol`, whose types these are: what goes over the wire, and what its codes mean.

/** Every frame that a client gets. */
export type RoomFrame = SystemFrame | Update;

/** A frame of the system's own. One of any other type, or of none, is an update. */
export type SystemFrame = Connected | BatchUpdate | Pong;

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
  /** Bytes after which a client acknowledges. */
  readonly ack: number;
  /** The client is ahead of what the room has after a crash; absent otherwise. */
  readonly behind?: true;
  /** An update, whole: the newest of those that this frame has; absent when it has none. */
  readonly snapshot?: Update;
  /** The others, one of each key, older first; absent when there are none. */
  readonly snapshots?: readonly Update[];
}

/** An update: the publisher's own object as it came, with `seq` and `epoch` added at its end. */
export interface Update {
  /** Its number. */
  readonly seq: number;
  /** The epoch of that number. */
  readonly epoch: string;
  /** What kind of update it is; none of the system's own types. */
  readonly type?: string | null;
  readonly [member: string]: unknown;
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

/** Every frame that a client may send. */
export type ClientFrame = Ping | Ack;

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

/** What became of one update, or of all updates of a published `BATCH_UPDATE`. */
export interface Receipt {
  /** The update's number; of a batch, that of its last; of a stale one, the last number that was given. */
  readonly seq: number;
  /** The epoch of that number. */
  readonly epoch: string;
  /** Sockets that it was written to; while it waits for its window, sockets that are open. */
  readonly sockets: number;
  /** Objects that hold those sockets. */
  readonly shards: number;
  /** Earlier updates that this one replaced before they were sent. */
  readonly dropped: number;
  /** A repeat: the rest is the first one's receipt, and nothing was sent again. */
  readonly duplicate: boolean;
  /** Older than the latest `slot` of its key: not delivered; of a batch, whether every item was. */
  readonly stale: boolean;
  /** It leaves with the next frame of the batch window. */
  readonly batched: boolean;
  /** Shards that failed or did not answer in time; they are sent it up to three times more, after 1, 4 and 16 seconds. */
  readonly failed_shards: number;
  /** From the request's arrival in the room to this receipt, in milliseconds. */
  readonly took_ms: number;
  /** Of a batch, the number of its first update: they follow each other; absent otherwise, and where all were stale. */
  readonly first_seq?: number;
  /** Its slot, or that of an item, cannot be of the room's clock; absent otherwise. */
  readonly implausible_slot?: true;
  /** Items of a batch that were stale; absent where none was. */
  readonly stale_items?: number;
}

/** The body of every error answer. */
export interface Refusal {
  readonly error: Problem;
}

/** Why a request is not served. */
export interface Problem {
  /** For programs: it never changes once published. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** Whether a client comes back after a close: never unchanged, at once, or later (after `retry`, where the reason has it). */
export type ComeBack = "never" | "now" | "later";

/** A close code of the system's own. */
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

/** Every code of an error answer, with its status. A newer deployment may have more. */
export const REFUSALS: Readonly<Record<string, number>> = {
  /**  the body ended too soon */
  incomplete_body: 400,
  /**  `POST /broadcast`, or a `BATCH_UPDATE`, with no item or with more than 100 */
  invalid_count: 400,
  /**  an idempotency key, or an item's `id`, that is not 1 to 256 visible ASCII characters */
  invalid_id: 400,
  /**  the body is not one JSON object, or for `POST /broadcast` not an array */
  invalid_json: 400,
  /**  between objects of different versions only */
  invalid_push: 400,
  /**  a token that cannot be one */
  invalid_token: 400,
  /**  `type`, `token`, `slot` or `force` of the wrong kind, or twice */
  invalid_update: 400,
  /**  `probe` is not a number from 0 to 255 */
  bad_probe: 400,
  /**  an item, or a signed body, without `token` */
  missing_token: 400,
  /**  `seq` and `epoch` are the room's own members */
  reserved_key: 400,
  /**  a `type` that is the system's own, or a `BATCH_UPDATE` that is no batch */
  reserved_type: 400,
  /**  the body names another token than the path */
  token_mismatch: 400,
  /**  the gateway and the room are of versions that do not know each other */
  unknown_call: 400,
  /**  `?force=` beside a signature, which does not cover it: `force` belongs in the body */
  unsigned_force: 400,
  /**  the three headers of a signature are not what they must be */
  malformed_signature: 401,
  /**  neither a bearer nor a signature */
  missing_credentials: 401,
  /**  a bearer, where `access.require_signature` is set */
  signature_required: 401,
  /**  `webhook-timestamp` is more than five minutes from now, or before what the room remembers: sign it again */
  stale_signature: 401,
  /**  a page of this origin may not connect */
  origin_not_allowed: 403,
  /**  no `Origin`, where `access.require_origin` is set */
  origin_required: 403,
  /**  no secret slot accepts them */
  wrong_credentials: 403,
  /**  nothing is at this path */
  not_found: 404,
  /**  `Allow` names the methods */
  method_not_allowed: 405,
  /**  the body, or an item, is larger than this deployment accepts */
  too_large: 413,
  /**  a `Content-Encoding`; `Accept-Encoding` says `identity` */
  unsupported_encoding: 415,
  /**  a `Content-Type` other than JSON; none at all is fine */
  unsupported_media_type: 415,
  /**  this idempotency key came with another body */
  id_reused: 422,
  /**  `/ws/:token` without `Upgrade: websocket` */
  upgrade_required: 426,
  /**  more publishes to this token than `access.broadcast_rate` */
  broadcast_rate: 429,
  /**  more connects to this room, and polls of it, by this address than `access.connect_rate` */
  connect_rate: 429,
  /**  `/health?deep=1`: this object was asked often, and has not answered */
  health_rate: 429,
  /**  more updates in this room than `room.publish_rate` */
  publish_rate: 429,
  /**  this address has `access.connections_per_ip` sockets in one object of the room */
  too_many_connections: 429,
  /**  a binding is missing: the deployment is not whole */
  misconfigured: 500,
  /**  of a batch's item: the room's answer cannot be read; repeat it with the same key */
  unreadable_answer: 502,
  /**  of a batch's item: those before it took too long, and it was not published */
  batch_time: 503,
  /**  the room has `room.max_shards` objects and none has a place */
  room_full: 503,
  /**  the room does not answer right now: it restarts, or is overloaded */
  room_unavailable: 503,
  /**  `/health?deep=1`: the room script does not answer as it should */
  room_unhealthy: 503,
};

/** A ping of exactly this text is answered without waking the room. */
export const PING = '{"type":"ping"}';

/** Bytes after which a client acknowledges, if they came within `ACK_WINDOW_MS`; `ack` in `connected` is the room's own. */
export const ACK_BYTES = 262144;

/** Milliseconds after which it counts anew. */
export const ACK_WINDOW_MS = 30000;
