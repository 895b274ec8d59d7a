// What befalls clients while a storm lasts: updates are published, the room is restarted and its objects die.

import { evict, publish, restart } from "./world.mjs";

const KEYS = ["PRICE", "VOLUME", "WALLET"];

/** Publishes for all `tokens` until it is ended, and remembers what was accepted: `published` by token, as `violations` takes it. */
export function publishing(tokens, random) {
  const published = new Map(tokens.map((token) => [token, []]));
  const numbers = new Map(tokens.map((token) => [token, 0]));
  let ended = false;
  const some = async (token, keys) => {
    const updates = keys.map((type) => {
      const n = numbers.get(token) + 1;
      numbers.set(token, n);
      // Half of all publishers have a clock
      return { type, n, ...(token.endsWith("clock") ? { slot: n, timestamp: n } : {}), text: "x".repeat(random() * 400) };
    });
    const accepted = await publish(token, updates);
    if (accepted) published.get(token).push(...updates.map(({ n, type }) => ({ n, key: type })));
    return accepted;
  };
  const loop = async (token) => {
    while (!ended) {
      const count = 1 + Math.floor(random() * 4);
      await some(token, Array.from({ length: count }, () => KEYS[Math.floor(random() * KEYS.length)]));
      await new Promise((rested) => setTimeout(rested, random() * 60));
    }
  };
  const loops = tokens.map(loop);
  return {
    published,
    /** Ends, and publishes one more of each key, which a client has to be shown in the end. */
    async end() {
      ended = true;
      await Promise.all(loops);
      for (const token of tokens) while (!(await some(token, KEYS)));
    },
  };
}

/** Restarts the room after each of `shares` of `cuts` that have happened, and lets objects die in between, until `isOver`. */
export async function disasters(tokens, random, { progress, shares }) {
  const counts = { restarts: 0, evictions: 0 };
  while (progress() < 1) {
    if (progress() > (shares[counts.restarts] ?? Infinity)) {
      counts.restarts += 1;
      await restart();
    } else {
      await new Promise((rested) => setTimeout(rested, random() * 1500));
      counts.evictions += 1;
      await evict(tokens[Math.floor(random() * tokens.length)]);
    }
  }
  return counts;
}
