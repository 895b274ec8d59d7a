// A TCP proxy on the way to the deployed system that ends connections as networks do, each after a random number of bytes.

import { createServer, connect } from "node:net";

/** How connections end: by a reset, by an end without a close frame, by silence in which nothing arrives, slowly and then by a reset. */
export const KINDS = ["reset", "end", "silence", "slow"];

/**
 * Listens on this machine. `fate(n)` says of the nth connection what becomes of it: `{ kind, bytes }`, after so many bytes in either
 * direction; or nothing, and it lives on.
 */
export async function cutting(to, fate) {
  const cuts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  const pairs = new Set();
  let calm = false;
  let count = 0;
  const server = createServer((near) => {
    const far = connect(to.port, to.address);
    const pair = new Pair(near, far, calm ? undefined : fate(count++), (kind) => cuts[kind]++);
    pairs.add(pair);
    near.on("close", () => pairs.delete(pair));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    port: server.address().port,
    cuts,
    total: () => Object.values(cuts).reduce((sum, count) => sum + count, 0),
    /** Nothing is cut from now on; what is silent or slow already is reset. */
    calm() {
      calm = true;
      for (const pair of pairs) pair.spare();
    },
    /** Resets every connection that there is. */
    drop() {
      for (const pair of pairs) pair.reset();
    },
    close() {
      server.close();
      for (const pair of pairs) pair.reset();
    },
  };
}

class Pair {
  constructor(near, far, fate, cut) {
    Object.assign(this, { near, far, fate, cut, left: fate?.bytes ?? Infinity, ended: false });
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on("error", () => this.reset());
      from.on("close", () => to.destroy());
      from.on("data", (chunk) => this.pass(chunk, to));
    }
  }

  pass(chunk, to) {
    if (this.ended) return;
    if (chunk.length <= this.left) {
      this.left -= chunk.length;
      to.write(chunk);
      return;
    }
    this.ended = true;
    const rest = chunk.subarray(this.left);
    to.write(chunk.subarray(0, this.left));
    this.cut(this.fate.kind);
    if (this.fate.kind === "reset") this.reset();
    if (this.fate.kind === "end") for (const end of [this.near, this.far]) end.end();
    if (this.fate.kind === "slow") this.dribble(rest, to);
  }

  /** What is left comes a few bytes at a time, and then nothing does. */
  dribble(rest, to) {
    if (rest.length === 0 || to.destroyed) return this.reset();
    to.write(rest.subarray(0, 16));
    setTimeout(() => this.dribble(rest.subarray(16), to), 5);
  }

  spare() {
    if (this.ended) this.reset();
    this.left = Infinity;
  }

  reset() {
    this.ended = true;
    for (const end of [this.near, this.far]) reset(end);
  }
}

/** libuv refuses to reset a socket that is just being shut down, which Node never closes then: it would spin for ever at its exit. */
function reset(socket) {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
