// What an app is shown of what comes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, keyOf, step } from "../dist/session.js";
import { seeded } from "./random.mjs";

/** A session, and what it does, one word an effect: `open`, `gap missed`, `gap stale 3`, `show 7`, `send …`. */
function scene(names = ["type"]) {
  const session = begin(names);
  const does = (event, now) =>
    step(session, event, now).map((effect) => {
      if (effect.kind === "gap") return ["gap", effect.gap.reason, effect.gap.update?.n].filter((word) => word !== undefined).join(" ");
      if (effect.kind === "show") return `show ${effect.update.n}`;
      return effect.kind === "send" ? `send ${effect.text}` : effect.kind;
    });
  const frame = (data, now = 0) => does({ kind: "frame", data: typeof data === "string" ? data : JSON.stringify(data) }, now);
  return { session, does, frame, update: (...all) => frame(update(...all)) };
}

/** The `n` that the tests go by is the number in its epoch, unless `more` says another. */
const update = (seq, more = {}, epoch = "e1") => ({ type: "P", n: seq, ...more, seq, epoch });
const connected = (seq, more = {}, epoch = "e1") => ({ type: "connected", connectionId: "c", token: "T", epoch, seq, recovered: false, ...more });

test("a new client is shown the newest of each key, older first, and then what comes", () => {
  const { session, frame, update: comes } = scene();
  assert.deepEqual(frame(connected(0)), ["open"]);
  assert.deepEqual(comes(1), ["show 1"]);
  const other = scene();
  const greeting = connected(9, { snapshots: [update(3, { type: "V" }), update(7, { type: "W" })], snapshot: update(9) });
  assert.deepEqual(other.frame(greeting), ["open", "show 3", "show 7", "show 9"]);
  assert.deepEqual(other.frame({ type: "BATCH_UPDATE", updates: [update(12), update(13, { type: "V" })] }), ["show 12", "show 13"]);
  assert.deepEqual([session.position, other.session.position], [{ epoch: "e1", seq: 1 }, { epoch: "e1", seq: 13 }]);
});

test("a client that recovered resumes from what it has until the rest is there", () => {
  const { session, frame, update: comes } = scene();
  frame(connected(4));
  comes(5);
  // The greeting has the number of the last update, which is cut off on its way
  assert.deepEqual(frame(connected(8, { recovered: true })), ["open"]);
  assert.deepEqual(session.position, { epoch: "e1", seq: 5 });
  assert.deepEqual(frame(connected(9, { recovered: true })), ["open"]);
  assert.deepEqual(frame({ type: "BATCH_UPDATE", updates: [6, 7, 8, 9].map((seq) => update(seq)) }), ["show 6", "show 7", "show 8", "show 9"]);
});

test("what came before comes without a word, whatever brings it again", () => {
  const { does, frame, update: comes } = scene();
  frame(connected(2, { snapshot: update(2) }));
  assert.deepEqual(comes(2), []);
  comes(3);
  assert.deepEqual(comes(3), []);
  assert.deepEqual(comes(2, { type: "V" }), []);
  assert.deepEqual(frame(connected(3, { snapshot: update(3) })), ["open", "gap missed"]);
  const body = { token: "T", epoch: "e1", seq: 3, snapshot: update(3) };
  assert.deepEqual(does({ kind: "snapshot", body }, 0), []);
});

test("too long away, a new epoch, and a room that has lost what the client has, are told before what follows", () => {
  const { session, frame, update: comes } = scene();
  frame(connected(2, { snapshot: update(2) }));
  assert.deepEqual(frame(connected(90, { snapshots: [update(1, { type: "V" })], snapshot: update(90) })), ["open", "gap missed", "show 90"]);
  // The value that was shown is of the epoch before
  assert.deepEqual(frame(connected(90, { snapshot: update(90) }, "e2")), ["open", "gap restarted"]);
  assert.deepEqual(comes(91, {}, "e2"), ["show 91"]);
  assert.deepEqual(frame(connected(80, { behind: true }, "e3")), ["open", "gap behind"]);
  assert.deepEqual(session.position, { epoch: "e3", seq: 80 });
  assert.deepEqual(comes(81, {}, "e3"), ["show 81"]);
  assert.deepEqual(frame(connected(70, { behind: true }, "e3")), ["open", "gap behind"]);
  assert.deepEqual(session.position, { epoch: "e3", seq: 70 });
  assert.deepEqual(comes(10_071, {}, "e3"), ["show 10071"]);
});

test("a new epoch on an open socket is told, and an old one does not come back by an update of it", () => {
  const { session, frame, update: comes } = scene();
  frame(connected(5, { snapshot: update(5) }));
  assert.deepEqual(comes(1, { n: 6 }, "e2"), ["gap restarted", "show 6"]);
  assert.deepEqual(comes(2, { n: 7 }, "e2"), ["show 7"]);
  assert.deepEqual(comes(6, { n: 99 }), ["gap stale 99"]);
  assert.deepEqual(session.position, { epoch: "e2", seq: 2 });
});

test("a value of an epoch that the client has not known is shown, and keeps nothing of the room's own from being shown", () => {
  const { frame, update: comes } = scene();
  frame(connected(5, { snapshot: update(5, {}, "e2") }, "e2"));
  const greeting = connected(9, { snapshots: [update(3, { type: "V" })], snapshot: update(9, {}, "e2") }, "e2");
  assert.deepEqual(frame(greeting), ["open", "gap missed", "show 3", "show 9"]);
  assert.deepEqual(comes(10, { type: "V" }, "e2"), ["show 10"]);
});

test("of two values of a key in one greeting the older one is not shown after the other", () => {
  const { frame } = scene();
  assert.deepEqual(frame(connected(9, { snapshots: [update(7)], snapshot: update(3) })), ["open", "show 7", "gap stale 3"]);
});

test("after a crash a greeting with an older value than the client has changes nothing but the position, and is told", () => {
  // The room has lost the epoch in which the client was, and greets with what it had stored before it
  const { frame, update: comes } = scene();
  frame(connected(5, { snapshot: update(5) }));
  comes(1, { n: 6 }, "e2");
  assert.deepEqual(frame(connected(5, { snapshot: update(5) }, "e3")), ["open", "gap restarted"]);
  const lost = scene();
  lost.frame(connected(5, { snapshot: update(5) }));
  lost.update(1, { n: 60 }, "e2");
  assert.deepEqual(lost.frame(connected(6, { snapshot: update(6) }, "e3")), ["open", "gap restarted", "gap stale 6"]);
  // Where the client has never seen that epoch, the publisher's own clocks tell
  for (const clock of ["slot", "timestamp"]) {
    const late = scene();
    late.frame(connected(5, { snapshot: update(5, { [clock]: 500 }, "e2") }, "e2"));
    const old = connected(4, { snapshot: update(4, { [clock]: 400 }, "e1") }, "e3");
    assert.deepEqual(late.frame(old), ["open", "gap restarted", "gap stale 4"], clock);
  }
});

test("an epoch that only a greeting or a snapshot tells of stands where its numbers say", () => {
  // The room crashed after 1, which it had stored, and after 4, which it had not: the client came between the two
  const value = update(1, { n: 1 }, "e1");
  const asks = (body) => ({ kind: "snapshot", body: { token: "T", ...body } });
  for (const greets of [(scene) => scene.frame(connected(6, { snapshot: value }, "e4")), (scene) => scene.does(asks({ epoch: "e4", seq: 6, snapshot: value }), 0)]) {
    const late = scene();
    late.frame(connected(3, {}, "e2"));
    late.update(4, { n: 4 }, "e2");
    late.frame(connected(3, { behind: true }, "e3"));
    assert.deepEqual(greets(late).at(-1), "gap stale 1");
    assert.deepEqual(late.session.position, { epoch: "e4", seq: 6 });
  }
  // What is numbered above all that the client knows the beginning of came later
  const early = scene();
  early.frame(connected(3, {}, "e2"));
  early.update(4, { n: 4 }, "e2");
  assert.deepEqual(early.frame(connected(6, { snapshot: update(6, {}, "e3") }, "e4")), ["open", "gap restarted", "show 6"]);
});

test("a client that is behind is shown what the room has stored since", () => {
  const { frame } = scene();
  frame(connected(9, { snapshot: update(9) }));
  const since = { snapshots: [update(5, { type: "V" }, "e2")], snapshot: update(6, {}, "e2") };
  assert.deepEqual(frame(connected(6, { behind: true, ...since }, "e3")), ["open", "gap behind", "show 5", "show 6"]);
});

test("an update with a lower slot or timestamp than its key's is left out and told, whatever its number", () => {
  const { frame, update: comes } = scene();
  frame(connected(0));
  assert.deepEqual(comes(1, { slot: 10, timestamp: 1000 }), ["show 1"]);
  assert.deepEqual(comes(2, { slot: 9, timestamp: 1001 }), ["gap stale 2"]);
  assert.deepEqual(comes(3, { slot: 10, timestamp: 999 }), ["gap stale 3"]);
  assert.deepEqual(comes(4, { slot: 10, timestamp: 1000 }), ["show 4"]);
  // The slot decides alone where it can
  assert.deepEqual(comes(5, { slot: 11, timestamp: 900 }), ["show 5"]);
  assert.deepEqual(comes(6, { timestamp: 899 }), ["gap stale 6"]);
  assert.deepEqual(comes(7, { type: "V", slot: 1, timestamp: 1 }), ["show 7"]);
  assert.deepEqual(comes(8, { slot: 3, force: true }), ["show 8"]);
  assert.deepEqual(comes(9, { slot: 4 }), ["show 9"]);
  assert.deepEqual(comes(10, { slot: "5" }), ["show 10"]);
});

test("one slot or timestamp of another clock is shown, and keeps nothing from being shown after it", () => {
  for (const clock of ["slot", "timestamp"]) {
    const [here, other] = [300_000_000, 1_796_000_000_000];
    const { frame, update: comes } = scene();
    frame(connected(0));
    const values = [here, other, here + 1, here, other, other + 1, here, here + 2];
    const said = values.map((value, at) => comes(at + 1, { [clock]: value })[0]);
    const wanted = ["show 1", "show 2", "show 3", "gap stale 4", "show 5", "show 6", "show 7", "show 8"];
    assert.deepEqual(said, wanted, clock);
  }
});

test("updates without any of the key's members are never compared", () => {
  const { frame, does } = scene(["pool", "kind"]);
  frame(connected(0));
  const bare = (seq, more) => frame({ n: seq, ...more, seq, epoch: "e1" });
  assert.deepEqual(bare(1, { slot: 10 }), ["show 1"]);
  assert.deepEqual(bare(2, { slot: 9 }), ["show 2"]);
  assert.deepEqual(bare(3, { slot: 9, pool: null }), ["show 3"]);
  assert.deepEqual(bare(4, { slot: 10, pool: 1 }), ["show 4"]);
  assert.deepEqual(bare(5, { slot: 9, pool: "1" }), ["show 5"]);
  assert.deepEqual(bare(6, { slot: 9, pool: 1 }), ["gap stale 6"]);
  assert.deepEqual(does({ kind: "value", update: { n: 7, pool: 1, slot: 8, seq: 0, epoch: "" } }, 0), ["gap stale 7"]);
  assert.equal(keyOf(["toString"], { seq: 1, epoch: "e" }), undefined);
});

test("frames that it does not know are no updates and no errors", () => {
  const { frame, does, session } = scene();
  frame(connected(1));
  const strange = [
    "", "ping", "{", "null", "7", '"text"', "[]", '[{"seq":9,"epoch":"e1"}]', "{}",
    '{"type":"pong"}', '{"type":"ping"}', '{"type":"resume_token","token":"x"}', '{"type":"connected"}',
    '{"type":"connected","seq":"1","epoch":7}', '{"type":"BATCH_UPDATE"}', '{"type":"BATCH_UPDATE","updates":7}',
    '{"type":"P","seq":2}', '{"type":"P","seq":1.5,"epoch":"e1"}', '{"type":"P","seq":"2","epoch":"e1"}',
  ];
  for (const text of strange) assert.deepEqual(frame(text), [], text);
  for (const data of [undefined, null, 7, new ArrayBuffer(4), {}]) assert.deepEqual(does({ kind: "frame", data }, 0), []);
  const mixed = { type: "BATCH_UPDATE", updates: [null, 7, [], { type: "P" }, update(2), "x", update(3)] };
  assert.deepEqual(frame(mixed), ["show 2", "show 3"]);
  assert.deepEqual(session.position, { epoch: "e1", seq: 3 });
});

test("it acknowledges what came within thirty seconds, and nothing in a quiet room", () => {
  const { frame } = scene();
  frame(connected(0, { ack: 200 }), 0);
  const text = "x".repeat(60);
  const at = (seq, now) => frame(update(seq, { text }), now);
  assert.deepEqual(at(1, 0), ["show 1"]);
  assert.deepEqual(at(2, 10_000), ["show 2", 'send {"type":"ack","seq":2}']);
  assert.deepEqual(at(3, 20_000), ["show 3"]);
  assert.deepEqual(at(4, 50_001), ["show 4"]);
  assert.deepEqual(at(5, 90_000), ["show 5"]);
  // What came twice came all the same
  assert.deepEqual(at(5, 90_001), ['send {"type":"ack","seq":5}']);
  frame(connected(5, { recovered: true }), 90_002);
  assert.deepEqual(at(6, 90_003), ["show 6"]);
  assert.deepEqual(at(7, 90_004), ["show 7"]);
});

test("polling and the old system tell that not all comes, and never take anything back", () => {
  const { does, frame, session, update: comes } = scene();
  frame(connected(5, { snapshot: update(5) }));
  assert.deepEqual(does({ kind: "fallback", via: "poll" }, 0), ["gap poll"]);
  const poll = (seq, values, epoch = "e1") => does({ kind: "snapshot", body: { token: "T", epoch, seq, snapshot: values.at(-1) ?? null, snapshots: values.slice(0, -1) } }, 0);
  assert.deepEqual(poll(9, [update(7, { type: "V" }), update(9)]), ["show 7", "show 9"]);
  assert.deepEqual(poll(9, [update(7, { type: "V" }), update(9)]), []);
  assert.deepEqual(poll(8, [update(8)]), []);
  assert.deepEqual(session.position, { epoch: "e1", seq: 9 });
  assert.deepEqual(frame(connected(11, { recovered: true })), ["open"]);
  assert.deepEqual(comes(10), ["show 10"]);
  assert.deepEqual(poll(1, [update(1, { n: 12 }, "e2")], "e2"), ["show 12"]);
  assert.deepEqual(poll(11, [update(11)]), ["gap stale 11"]);
  assert.deepEqual(session.position, { epoch: "e2", seq: 1 });
  assert.deepEqual(does({ kind: "snapshot", body: "<html>" }, 0), []);
  assert.deepEqual(does({ kind: "fallback", via: "aws" }, 0), ["gap aws"]);
});

test("however many keys and epochs there are, few are remembered", () => {
  const { session, frame, update: comes } = scene();
  frame(connected(0));
  for (let seq = 1; seq <= 3000; seq++) comes(seq, { type: `K${seq}` }, `e${seq % 300}`);
  assert.deepEqual([session.shown.size, session.epochs.size], [1024, 16]);
});

/** A room, as far as a client sees it: it numbers, keeps some history, crashes, and greets as the protocol says. */
class Room {
  constructor(random) {
    Object.assign(this, { random, epoch: 1, seq: 0, history: [], values: new Map(), earlier: new Map(), n: 0 });
    this.store();
  }
  name() {
    return `e${this.epoch}`;
  }
  publish() {
    const update = { type: "PVW"[Math.floor(this.random() * 3)], n: ++this.n, seq: ++this.seq, epoch: this.name() };
    this.history = [...this.history, update].slice(-8);
    this.values.delete(update.type);
    this.values.set(update.type, update);
    return update;
  }
  store() {
    this.stored = { seq: this.seq, values: new Map(this.values) };
  }
  /** Loses what it did not store, and begins a new epoch. */
  crash() {
    const { seq, values } = this.stored;
    this.earlier.set(this.name(), seq);
    this.epoch += 1;
    Object.assign(this, { seq, values: new Map(values), history: [] });
    this.store();
  }
  greet(position) {
    const { history, seq } = this;
    const epoch = this.name();
    const start = (more) => connected(history[0] ? history[0].seq - 1 : seq, more, epoch);
    const survived = position?.epoch === epoch ? seq : this.earlier.get(position?.epoch);
    const values = [...this.values.values()].filter((value) => !history.includes(value));
    if (position?.seq > survived) {
      const since = values.filter((value) => value.seq > survived);
      return [start({ behind: true, snapshots: since.slice(0, -1), snapshot: since.at(-1) }), ...history];
    }
    if (position?.epoch === epoch && (history[0]?.seq ?? seq + 1) <= position.seq + 1) {
      const missed = history.filter((update) => update.seq > position.seq);
      return [connected(seq, { recovered: true }, epoch), ...missed];
    }
    return [start({ snapshots: values.slice(0, -1), snapshot: values.at(-1) }), ...history];
  }
}

test("through cuts and crashes, everything is shown once, in order, or a gap is told: a thousand lives", async () => {
  const { violations } = await import("./ledger.mjs");
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  let shows = 0;
  for (let life = 0; life < 1000; life++) {
    const room = new Room(random);
    const session = begin(["type"]);
    const [published, log] = [[], []];
    let [pipe, online] = [[], false];
    const hear = (count) => {
      for (const frame of pipe.splice(0, count)) {
        for (const { kind, gap, update } of step(session, { kind: "frame", data: JSON.stringify(frame) }, 0)) {
          if (kind === "show") log.push({ frame, show: update.n, key: update.type });
          if (kind === "gap") log.push({ frame, gap: gap.reason, n: gap.update?.n });
        }
      }
    };
    pipe.push(...room.greet(undefined));
    online = true;
    hear(Infinity);
    const acts = [
      ...Array(6).fill(() => {
        const update = room.publish();
        published.push({ n: update.n, key: update.type });
        if (online) pipe.push(update);
      }),
      () => hear(1 + Math.floor(random() * 4)),
      () => hear(Infinity),
      () => {
        [pipe, online] = [[], false];
      },
      () => {
        if (!online) [pipe, online] = [room.greet(session.position), true];
      },
      () => room.store(),
      () => {
        if (random() < 0.3) room.crash(), ([pipe, online] = [[], false]);
      },
    ];
    for (let turn = 0; turn < 60; turn++) acts[Math.floor(random() * acts.length)]();
    [pipe, online] = [online ? pipe : room.greet(session.position), true];
    hear(Infinity);
    assert.deepEqual(violations(published, log), [], `life ${life} of seed ${seed}: ${JSON.stringify({ published, log })}`);
    shows += log.length;
  }
  assert(shows > 5000, `${shows}`);
});
