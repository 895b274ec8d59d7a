// The judge of all that clients are shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "./ledger.mjs";

const published = (...numbers) => numbers.map((n) => ({ n, key: n % 2 === 0 ? "even" : "odd" }));
/** Each entry of a frame of its own, but those that stand together. */
const shown = (...frames) =>
  frames.flatMap((frame, at) => [frame].flat().map((entry) => ({ frame: at, ...(typeof entry === "number" ? published(entry)[0] : entry) }))
  .map(({ n, key, gap, frame }) => (gap === undefined ? { frame, show: n, key } : { frame, gap, n })));
const gap = (reason, n) => ({ gap: reason, n });

test("everything once and in order is what is wanted; what came before the first and after the last is nobody's loss", () => {
  assert.deepEqual(violations(published(1, 2, 3, 4, 5), shown(1, 2, 3, 4, 5)), []);
  assert.deepEqual(violations(published(1, 2, 3, 4, 5, 6), shown(3, 4, 5)), []);
});

test("repeats, disorder and losses that nobody told are found", () => {
  assert.deepEqual(violations(published(1, 2), shown(1, 2, 2)), ["entry 2: 2 was shown again"]);
  assert.deepEqual(violations(published(1, 3), shown(3, 1)), ["entry 1: 1 of odd was shown after 3"]);
  assert.deepEqual(violations(published(1, 2, 3, 4), shown(1, 2, 4)), ["3 of odd was neither shown nor told of, before entry 2"]);
});

test("a gap excuses what lies around it, and nothing that was shown to be missing before it was told", () => {
  const all = published(1, 2, 3, 4, 5, 6, 7, 8);
  assert.deepEqual(violations(all, shown(1, 2, gap("missed"), 5, 6, 7, 8)), []);
  assert.equal(violations(all, shown(1, 2, 5, gap("missed"), 6, 7, 8)).length, 2);
  assert.equal(violations(all, shown(gap("missed"), 1, 2, 5, 6, 7, 8)).length, 2);
});

test("a greeting is shown as a whole: its gap is for what lies between its values too", () => {
  const all = published(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  assert.deepEqual(violations(all, shown(1, 2, [gap("restarted"), 3, 6], 9, 10)), []);
  assert.deepEqual(violations(all, shown([3, 6], 7, 8, 9, 10)), []);
  assert.equal(violations(all, shown(1, 2, [gap("restarted"), 3, 6], 7, 10)).length, 2);
});

test("a stale update excuses itself alone", () => {
  assert.deepEqual(violations(published(1, 2, 3, 4), shown(1, 2, gap("stale", 3), 4)), []);
  assert.equal(violations(published(1, 2, 3, 4, 5, 6), shown(1, 2, gap("stale", 3), 6)).length, 2);
});
