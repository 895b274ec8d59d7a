// What runs in a page before anything else of it.

/**
 * Makes the page's clock and its timers `faster` than the machine's, and chance such that what is random comes in the first `part`.
 * `globalThis.hurry(faster)` changes the speed for what is timed from then on; the clock does not jump.
 */
export function hurried({ faster, part = 1 }) {
  const [timer, now, random] = [globalThis.setTimeout, Date.now, Math.random];
  let speed = faster;
  let [since, shown] = [now(), now()];
  Math.random = () => random() * part;
  Date.now = () => shown + (now() - since) * speed;
  globalThis.setTimeout = (then, ms = 0, ...rest) => timer(then, ms / speed, ...rest);
  globalThis.hurry = (faster) => {
    [shown, since, speed] = [Date.now(), now(), faster];
  };
}

/** Takes the page's way around sockets, which has a story of its own. */
export function socketsAlone() {
  delete globalThis.fetch;
}

/**
 * Writes down what the page is told, by token. What is told in one turn came of one frame. That by other ways than a socket only the
 * newest values come is told once, and holds until a socket is open.
 */
export function recorded() {
  const logs = (globalThis.logs = {});
  const others = new Map();
  let [frame, isSame] = [0, false];
  document.addEventListener("broadcast", ({ detail }) => {
    if (!isSame) {
      frame++;
      isSame = true;
      queueMicrotask(() => (isSame = false));
    }
    const { kind, token, update, gap, state } = detail;
    const log = (logs[token] ??= []);
    if (gap?.reason === "poll") others.set(token, { gap: "poll" });
    if (state?.via === "ws") others.delete(token);
    if (kind === "gap") log.push({ frame, gap: gap.reason, n: gap.update?.n });
    if (kind === "update") log.push(...[others.get(token) ?? []].flat().map((other) => ({ frame, ...other })), { frame, show: update.n, key: update.type });
  });
}
