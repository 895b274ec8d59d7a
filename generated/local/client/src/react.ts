"use client";
// The newest updates of a token in React: components of the same token share one subscription.

import { useMemo, useSyncExternalStore } from "react";

import { KEY } from "./config.ts";
import { keyOf } from "./session.ts";
import { subscribe } from "./subscribe.ts";
import type { Options, State, Subscription, Update } from "./types.ts";

export type TokenOptions = Pick<Options, "url" | "aws" | "WebSocket">;

export interface TokenView {
  /** The newest update; none until the first has come. */
  readonly update: Update | undefined;
  /** The newest update of each key, the newest last. */
  readonly updates: readonly Update[];
  /** Undefined while nothing is subscribed to: without a token, and on a server. */
  readonly state: State | undefined;
}

/** A subscription is kept for so long without a component: screens change, and strict mode mounts everything twice. */
const GRACE_MS = 1_000;
const NOTHING: TokenView = { update: undefined, updates: [], state: undefined };
const nothing = (): TokenView => NOTHING;

/** One subscription and the components that show it. */
interface Feed {
  readonly listeners: Set<() => void>;
  subscription: Subscription | undefined;
  view: TokenView;
  end: ReturnType<typeof setTimeout> | undefined;
}

const feeds = new Map<string, Feed>();

/**
 * What `token` shows now; the component is rendered anew when that changes. Without a token nothing is subscribed to. It shows the
 * newest values: an app that needs every update calls `subscribe`.
 */
export function useToken(token: string | null | undefined, options: TokenOptions = {}): TokenView {
  const { url, aws, WebSocket } = options;
  const feed = useMemo(() => {
    if (token == null) return { listen: () => () => {}, view: nothing };
    const key = JSON.stringify([token, url, aws]);
    return {
      listen: (listener: () => void) => join(key, token, { url, aws, WebSocket }, listener),
      view: () => feeds.get(key)?.view ?? NOTHING,
    };
  }, [token, url, aws, WebSocket]);
  return useSyncExternalStore(feed.listen, feed.view, nothing);
}

/** `Subscription.wake` of everything that components show: for React Native's `AppState`. */
export function wake(): void {
  for (const feed of feeds.values()) feed.subscription?.wake();
}

type Where = { readonly [Name in keyof TokenOptions]: TokenOptions[Name] | undefined };

function join(key: string, token: string, where: Where, listener: () => void): () => void {
  const feed = feeds.get(key) ?? begin(key, token, where);
  clearTimeout(feed.end);
  feed.listeners.add(listener);
  return () => {
    feed.listeners.delete(listener);
    if (feed.listeners.size > 0) return;
    feed.end = setTimeout(() => {
      feeds.delete(key);
      feed.subscription?.close();
    }, GRACE_MS);
  };
}

function begin(key: string, token: string, { url, aws, WebSocket }: Where): Feed {
  const feed: Feed = { listeners: new Set(), subscription: undefined, view: NOTHING, end: undefined };
  const show = (view: Partial<TokenView>) => {
    feed.view = { ...feed.view, ...view };
    for (const listener of [...feed.listeners]) listener();
  };
  feed.subscription = subscribe(token, {
    ...(url === undefined ? {} : { url }),
    ...(aws === undefined ? {} : { aws }),
    ...(WebSocket === undefined ? {} : { WebSocket }),
    onUpdate: (update) => show({ update, updates: replaced(feed.view.updates, update) }),
    onState: (state) => show({ state }),
  });
  feeds.set(key, feed);
  return feed;
}

/** The newest of each key with this one, which is now the newest. */
function replaced(updates: readonly Update[], update: Update): readonly Update[] {
  const key = keyOf(KEY, update);
  return [...updates.filter((other) => keyOf(KEY, other) !== key), update];
}
