// A host whose time is the test's: clock, timers, sockets, chance, and what wakes a client.

/** Its timers come when they are due, or where `every` is set at its multiples only, as a hidden tab's do. */
export function fakeHost({ random = () => 0.5 } = {}) {
  const host = { time: 1_000_000, every: 1, timers: new Map(), sockets: [], wakes: new Set(), random };
  let id = 0;
  host.now = () => host.time;
  host.setTimeout = (then, ms) => {
    host.timers.set(++id, { at: host.time + ms, then });
    return id;
  };
  host.clearTimeout = (timer) => host.timers.delete(timer);
  host.onWake = (then) => {
    host.wakes.add(then);
    return () => host.wakes.delete(then);
  };
  host.wake = () => host.wakes.forEach((then) => then());
  host.WebSocket = class {
    sent = [];
    closed = false;
    constructor(url) {
      this.url = url;
      this.at = host.time;
      host.sockets.push(this);
    }
    send(text) {
      this.sent.push({ at: host.time, text });
    }
    close() {
      this.closed = true;
    }
    /** What comes from the other side. */
    opens() {
      this.onopen?.({});
    }
    hears(frame) {
      this.onmessage?.({ data: typeof frame === "object" ? JSON.stringify(frame) : frame });
    }
    ends(code = 1006, reason = "") {
      this.onclose?.({ code, reason });
    }
  };
  host.last = () => host.sockets.at(-1);
  /** Lets time pass, and what is due happen. */
  host.pass = (ms) => {
    const until = host.time + ms;
    const fires = (timer) => Math.ceil(Math.max(timer.at, host.time) / host.every) * host.every;
    for (;;) {
      const [next, timer] = [...host.timers].sort(([, a], [, b]) => fires(a) - fires(b))[0] ?? [];
      if (timer === undefined || fires(timer) > until) break;
      host.timers.delete(next);
      host.time = fires(timer);
      timer.then();
    }
    host.time = until;
  };
  /** Time passes and nothing runs, as in a phone that sleeps. */
  host.sleep = (ms) => {
    host.time += ms;
  };
  return host;
}
