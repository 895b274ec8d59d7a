// An app's callbacks: what one of them throws costs no other call.

import type { Options } from "./types.ts";

type Report = (error: unknown) => void;

/** Calls back, and hands what was thrown to `onError`, or to whoever hears of uncaught errors. */
export function guarded(options: Options, token: string): (call: () => unknown) => void {
  const { onError } = options;
  const report: Report = (error) => {
    if (onError === undefined) return uncaught(error);
    attempt(() => onError(error, token), uncaught);
  };
  return (call) => attempt(call, report);
}

function attempt(call: () => unknown, report: Report): void {
  try {
    const result = call();
    // An `async` callback throws later
    if (isPromise(result)) result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function uncaught(error: unknown): void {
  if (typeof globalThis.reportError === "function") return globalThis.reportError(error);
  setTimeout(() => {
    throw error;
  });
}
