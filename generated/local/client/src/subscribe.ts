// An app's subscription: its tokens, each with its session, its callbacks and the way by which its updates come.

import { guarded } from "./calls.ts";
import { KEY, URL_OF_GATEWAY } from "./config.ts";
import type { Reply } from "./connection.ts";
import { here, type Host } from "./host.ts";
import { begin, step, type Effect, type Event } from "./session.ts";
import type { Counters, Options, State, Subscription, Via } from "./types.ts";
import type { Line } from "./way.ts";
import { ways } from "./ways.ts";

/** Brings every update of `tokens` until it is closed. */
export function subscribe(tokens: string | readonly string[], options: Options): Subscription {
  return subscribeOn(here(options), tokens, options);
}

/** The same on another host. */
export function subscribeOn(where: Host, tokens: string | readonly string[], options: Options): Subscription {
  const connected: Record<Via, number> = { ws: 0, poll: 0, aws: 0 };
  const { host, wake } = awoken(where);
  const names = new Set(typeof tokens === "string" ? [tokens] : tokens);
  const feeds = new Map([...names].map((token) => [token, feed(host, token, options, connected)]));
  return {
    close: () => feeds.forEach((each) => each.close()),
    states: () => new Map([...feeds].map(([token, each]) => [token, each.state()])),
    wake,
    counters: (): Counters => ({ migration: { connected: { ...connected } } }),
  };
}

/** The host, which the app wakes too. */
function awoken(host: Host): { readonly host: Host; wake(): void } {
  const sleepers = new Set<() => void>();
  const onWake = (then: () => void): (() => void) => {
    sleepers.add(then);
    const deaf = host.onWake(then);
    return () => {
      sleepers.delete(then);
      deaf();
    };
  };
  return { host: { ...host, onWake }, wake: () => [...sleepers].forEach((then) => then()) };
}

interface Feed {
  state(): State;
  close(): void;
}

/** One token. It begins after `subscribe` has returned, so that callbacks may use the subscription. */
function feed(host: Host, token: string, options: Options, connected: Record<Via, number>): Feed {
  const session = begin(KEY);
  const call = guarded(options, token);
  let state: State = { kind: "connecting" };
  let isClosed = false;
  let stop = (): void => {};

  const told = (next: State): void => {
    state = next;
    if (next.kind === "open") connected[next.via] += 1;
    call(() => options.onState?.(next, token));
  };
  const done = (effect: Effect): void => {
    if (isClosed) return;
    if (effect.kind === "open") told({ kind: "open", via: "ws" });
    if (effect.kind === "gap") call(() => options.onGap?.(effect.gap, token));
    if (effect.kind === "show") call(() => options.onUpdate(effect.update, token));
  };
  const take = (event: Event): Reply => {
    if (isClosed) return { opened: false, texts: [] };
    const effects = step(session, event, host.now());
    effects.forEach(done);
    const opened = effects.some(({ kind }) => kind === "open");
    return { opened, texts: effects.flatMap((effect) => (effect.kind === "send" ? [effect.text] : [])) };
  };
  const line: Line = {
    token,
    host,
    url: options.url ?? URL_OF_GATEWAY,
    position: () => session.position,
    take,
    tell: (next) => {
      if (!isClosed) told(next);
    },
  };
  void Promise.resolve().then(() => {
    if (isClosed) return;
    stop = ways(options.aws)(line);
    // A callback of its first state may have closed it
    if (isClosed) stop();
  });
  return {
    state: () => state,
    close() {
      if (isClosed) return;
      isClosed = true;
      state = { kind: "ended", reason: "closed" };
      stop();
    },
  };
}
