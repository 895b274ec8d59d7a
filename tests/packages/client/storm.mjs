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

/** Stops that are so long tell of clients whose hurry this machine cannot keep up with, and of something wrong. */
const [SLOW_MS, STUCK_MS] = [5000, 120_000];

/**
 * Waits until `count` cuts were made by `total`. On a busy machine no handshake may be done in the time that hurried clients give it: all
 * would only try again, for ever. So where hardly any cut is made, they `ease`, to half of their speed.
 */
export async function cut(total, count, { speed, ease }) {
  let [seen, since, eased] = [total(), Date.now(), Date.now()];
  while (total() < count) {
    await new Promise((rested) => setTimeout(rested, 20));
    const now = Date.now();
    if (total() >= seen + 10) [seen, since, eased] = [total(), now, now];
    if (now - since > STUCK_MS) throw new Error(`of ${count} cuts ${total()} were made, and hardly any more in ${STUCK_MS / 1000} s`);
    if (now - eased > SLOW_MS && speed > 1) {
      speed = Math.max(1, speed / 2);
      eased = now;
      await ease(speed);
    }
  }
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
