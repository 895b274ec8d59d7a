// A thousand random cuts, restarts and evictions: every update shows exactly once and in the order of its key, or a gap was told.

import assert from "node:assert/strict";
import { subscribeOn } from "../dist/subscribe.js";
import { fastHost, fastTime, recorder } from "./fast.mjs";
import { violations } from "./ledger.mjs";
import { cutting, KINDS } from "./proxy.mjs";
import { seeded } from "./random.mjs";
import { cut, disasters, publishing } from "./storm.mjs";
import { ingress, until } from "./world.mjs";

const began = Date.now();
const [CUTS, CLIENTS] = [1000, 96];
/** The clients' seconds in one of ours: they wait for a dead link or a refused one for a moment only. */
const SPEED = 20;
const seed = Number(process.env.SEED ?? Date.now() % 1e9);
// Rooms in which nothing was published before
const TOKENS = [`storm:${seed}`, `storm:${seed}:clock`];
console.log(`seed ${seed}`);
const [random, chance] = [seeded(seed), seeded(seed + 1)];

const proxy = await cutting(ingress, () => {
  // Most within what a client soon has: in its handshake, its greeting, its first updates
  const bytes = Math.floor(random() ** 2 * 8000);
  return { kind: KINDS[Math.floor(random() * KINDS.length)], bytes };
});
const url = `http://${process.env.HOST}:${proxy.port}`;
const time = fastTime(SPEED);
const clients = Array.from({ length: CLIENTS }, (_, at) => {
  const record = recorder();
  const host = fastHost(time, chance, record.onFrame);
  return { ...record, token: TOKENS[at % TOKENS.length], subscription: subscribeOn(host, TOKENS[at % TOKENS.length], { ...record.options, url }) };
});
const publishers = publishing(TOKENS, seeded(seed + 2));
const storm = disasters(TOKENS, seeded(seed + 3), { progress: () => proxy.total() / CUTS, shares: [0.3, 0.7] });
await cut(() => proxy.total(), CUTS, { speed: SPEED, ease: (speed) => time.hurry(speed) });
const counts = await storm;
// A handshake has 0.75 s in the storm, which a machine that is busy with other things may never keep: all would only try again, for ever.
time.hurry(1);
proxy.calm();
await publishers.end();

const last = (token) => new Map(publishers.published.get(token).map(({ n, key }) => [key, n]));
const isBack = ({ logs, token }) => {
  const shown = new Map((logs.get(token) ?? []).filter(({ show }) => show !== undefined).map(({ show, key }) => [key, show]));
  return [...last(token)].every(([key, n]) => shown.get(key) >= n);
};
await until("every client is shown the last update of each key", () => clients.every(isBack));
for (const { subscription } of clients) subscription.close();
proxy.close();

const told = { shown: 0, open: 0, missed: 0, restarted: 0, behind: 0, stale: 0, poll: 0 };
for (const { token, logs, counts } of clients) {
  assert.deepEqual(violations(publishers.published.get(token), logs.get(token)), [], `seed ${seed}`);
  for (const [name, count] of Object.entries(counts)) told[name] += count;
  told.shown += logs.get(token).filter(({ show }) => show !== undefined).length;
}
console.log(JSON.stringify({ cuts: proxy.cuts, ...counts, seconds: (Date.now() - began) / 1000, published: [...publishers.published.values()].map(({ length }) => length), ...told }));
// Most cuts cost nothing, or the test would prove little
assert(told.missed + told.restarted + told.behind < told.open, "every connection was told a gap");
process.exit(0);
