// The client as it is shipped, against the deployed system: a crowd whose sockets are dropped, a restart, and more than a client is
// sent that acknowledges nothing.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { here } from "../dist/host.js";
import { subscribe } from "../dist/index.js";
import { subscribeOn } from "../dist/subscribe.js";
import { cutting } from "./proxy.mjs";
import { seeded } from "./random.mjs";
import { ingress, inspect, publish, restart, until } from "./world.mjs";

const at = (port) => `http://${process.env.HOST}:${port}`;

/** All of one address: each time all sockets are dropped, each comes back after a delay of its own. */
async function crowd() {
  const CLIENTS = 160;
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  console.log(`seed ${seed}`);
  const proxy = await cutting(ingress, () => undefined);
  // Without another way than sockets, whose delays are measured: polls count as handshakes where these are limited
  const host = { ...here({ WebSocket }), random: seeded(seed), fetch: undefined };
  const clients = Array.from({ length: CLIENTS }, () => {
    const client = { ends: [], delays: [] };
    const onState = (state) => {
      client.kind = state.kind;
      if (state.kind === "waiting") client.ends.push({ at: Date.now(), ...state });
      if (state.kind === "connecting" && client.ends.length > 0) client.delays.push(Date.now() - client.ends.at(-1).at);
    };
    client.subscription = subscribeOn(host, "crowd", { url: at(proxy.port), onUpdate: () => {}, onState });
    return client;
  });
  const areOpen = (count) => () => clients.every(({ kind, ends }) => kind === "open" && ends.length === count);
  await until("all are there", areOpen(0));
  for (let round = 0; round < 4; round++) {
    proxy.drop();
    await until("all are back", areOpen(round + 1));
    const bound = 250 * 2 ** round;
    const chosen = clients.map(({ ends }) => ends[round].retryAt - ends[round].at);
    const tenths = (all) => {
      const parts = Array(10).fill(0);
      for (const delay of all) parts[Math.min(9, Math.max(0, Math.floor((delay / bound) * 10)))] += 1;
      return parts.join(" ");
    };
    console.log(`${CLIENTS} clients after failure ${round + 1}, delays in tenths of ${bound} ms: ${tenths(chosen)}`);
    console.log(`  as they were on this machine: ${tenths(clients.map(({ delays }) => delays[round]))}`);
    assert(Math.max(...chosen) < bound, `${chosen}`);
  }
  // The network's own ends, and never a refusal
  assert.deepEqual(clients.flatMap(({ ends }) => ends.filter(({ code }) => code !== undefined)), []);
  for (const { subscription } of clients) subscription.close();
  proxy.close();
}

async function deliveries() {
  const [token, seen, gaps] = ["binance:BTC", [], []];
  const subscription = subscribe(token, { WebSocket, url: at(ingress.port), onUpdate: ({ n }) => seen.push(n), onGap: (gap) => gaps.push(gap) });
  const isOpen = () => subscription.states().get(token).kind === "open";
  let n = 0;
  const more = async (count, members) => {
    for (let each = 0; each < count; each++) {
      assert(await publish(token, [{ type: "PRICE_UPDATE", n: ++n, ...members }]));
      await until(`update ${n} is shown`, () => seen.at(-1) === n);
    }
  };
  await until("it is open", isOpen);
  await more(3);
  // What is kept is written within about a second, after the frames have left
  await new Promise((rested) => setTimeout(rested, 1500));
  await restart();
  await more(3);
  await more(55, { text: "x".repeat(200_000) });
  assert.deepEqual([seen, gaps], [Array.from({ length: n }, (_, before) => before + 1), []]);
  const { counters } = (await inspect(token)).root;
  assert.deepEqual([counters.slow, counters.loud], [0, 0]);
  const { messages } = counters.month;
  assert(messages >= 20 && messages < 40, `${messages} acknowledgements`);
  subscription.close();
}

await crowd();
await deliveries();
process.exit(0);
