// Live updates of rooms: what an app imports.

export { subscribe } from "./subscribe.ts";
export type { Counters, Gap, Options, SocketLike, State, Subscription, Update, Via } from "./types.ts";
