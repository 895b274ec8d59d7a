// When a client comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { advice, delay, failuresBefore } from "../dist/backoff.js";
import { seeded } from "./random.mjs";

test("a delay is anything between nothing and 250 ms, doubled by each failure, up to 30 s", () => {
  const bounds = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
  assert.deepEqual(bounds.map((_, failures) => delay(failures, 1)), bounds);
  assert.equal(delay(2000, 1), 30_000);
  assert.equal(delay(3, 0), 0);
});

test("delays are spread evenly over all of that, whatever came before", () => {
  const random = seeded(7);
  const [clients, parts] = [16_000, 16];
  for (const failures of [0, 3, 7, 40]) {
    const counts = Array(parts).fill(0);
    const bound = delay(failures, 1);
    for (let client = 0; client < clients; client++) counts[Math.floor((delay(failures, random()) / bound) * parts)] += 1;
    // 1000 each; six standard deviations are 184
    for (const count of counts) assert(Math.abs(count - clients / parts) < 184, `${failures}: ${counts}`);
  }
});

test("failures are forgotten after ten good seconds and not before", () => {
  assert.deepEqual([undefined, 0, 9_999, 10_000, 60_000].map((good) => failuresBefore(5, good)), [5, 5, 5, 0, 0]);
});

test("the server's advice is taken out of the reason and kept", () => {
  for (const [reason, ...wanted] of [
    ["connect_rate;retry=60", "connect_rate", 60_000],
    ["room_full", "room_full", 0],
    ["", "", 0],
    ["a;retry=x", "a;retry=x", 0],
    ["a;retry=1;retry=2", "a;retry=1", 2000],
    // A timer of more than 24 days would come at once
    [`a;retry=${"9".repeat(80)}`, "a", 86_400_000],
  ]) {
    assert.deepEqual(advice(reason), { reason: wanted[0], retryMs: wanted[1] }, reason);
  }
});
