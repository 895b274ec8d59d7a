// A client on a host whose clock, sockets and chance are the test's.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as index from "../dist/index.js";
import { subscribeOn } from "../dist/subscribe.js";
import { fakeHost } from "./clock.mjs";

const URL_OF_TEST = "https://rooms.example";
const PING = '{"type":"ping"}';
const greeting = (more = {}) => ({ type: "connected", connectionId: "c", token: "T", epoch: "e1", seq: 0, recovered: false, ...more });
const update = (seq, more = {}) => ({ type: "P", ...more, seq, epoch: "e1" });

/** A client that has begun, and all that it has told, one line each. */
async function client({ host = fakeHost(), tokens = "T", ...options } = {}) {
  const told = [];
  const subscription = subscribeOn(host, tokens, {
    url: URL_OF_TEST,
    onUpdate: (update) => told.push(`update ${update.seq}`),
    onGap: (gap) => told.push(`gap ${gap.reason}`),
    onState: (state) => told.push([state.kind, state.via, state.retryAt && `in ${Math.ceil(state.retryAt - host.time)}`, state.code, state.reason].filter((word) => word !== undefined).join(" ")),
    ...options,
  });
  await undefined;
  await undefined;
  return { host, told, subscription };
}

/** One whose socket is open. */
async function opened(options) {
  const all = await client(options);
  all.host.last().opens();
  all.host.last().hears(greeting());
  all.told.length = 0;
  return all;
}

const pings = (socket) => socket.sent.filter(({ text }) => text === PING).map(({ at }) => at - socket.at);

test("an address is joined as text: what a token has is kept, and nothing is added", async () => {
  const all = await client({ tokens: ["binance:BTC", "a_b.c-d", "binance:BTC"], url: "http://127.0.0.1:8080/" });
  assert.deepEqual(all.host.sockets.map(({ url }) => url), [
    "ws://127.0.0.1:8080/ws/binance%3ABTC?errors=close",
    "ws://127.0.0.1:8080/ws/a_b.c-d?errors=close",
  ]);
  const other = await opened();
  other.host.last().hears(update(7));
  other.host.last().ends();
  other.host.pass(1000);
  assert.equal(other.host.last().url, "wss://rooms.example/ws/T?errors=close&since=7&epoch=e1");
});

test("an app learns of every state, and of a gap before what follows it", async () => {
  const { host, told, subscription } = await client();
  assert.deepEqual(told, ["connecting"]);
  host.last().opens();
  host.last().hears(greeting({ snapshot: update(3), seq: 3 }));
  host.last().ends(1012, "a new version");
  host.pass(125);
  host.last().hears(greeting({ seq: 90, snapshot: update(90) }));
  subscription.close();
  assert.deepEqual(told, [
    "connecting", "open ws", "update 3", "waiting in 125 1012 a new version", "connecting", "open ws", "gap missed", "update 90",
  ]);
  assert.deepEqual(subscription.counters(), { migration: { connected: { ws: 2, poll: 0, aws: 0 } } });
  assert.deepEqual([...subscription.states()], [["T", { kind: "ended", reason: "closed" }]]);
});

test("a refusal is told with code and reason; it is waited as the server asks, and ends where coming back is useless", async () => {
  for (const [code, reason, ...wanted] of [
    [4000, "invalid_token", "ended 4000 invalid_token"],
    [4001, "only pings and acknowledgements are accepted", "ended 4001 only pings and acknowledgements are accepted"],
    [4003, "origin_not_allowed", "ended 4003 origin_not_allowed"],
    [4003, "origin_required", "ended 4003 origin_required"],
    [4003, "a_reason_of_a_newer_room", "ended 4003 a_reason_of_a_newer_room"],
    [4004, "not_found", "ended 4004 not_found"],
    [4008, "no ping within the idle time", "waiting in 125 4008 no ping within the idle time", "connecting"],
    [4009, "message too large", "ended 4009 message too large"],
    [4010, "too slow for what this room sends", "waiting in 125 4010 too slow for what this room sends", "connecting"],
    [4013, "room_full;retry=30", "waiting in 30125 4013 room_full", "connecting"],
    [4029, "connect_rate;retry=60", "waiting in 60125 4029 connect_rate", "connecting"],
    [4029, "too_many_connections;retry=30", "waiting in 30125 4029 too_many_connections", "connecting"],
    [4029, "too many messages", "ended 4029 too many messages"],
    [4050, "misconfigured", "waiting in 125 4050 misconfigured", "connecting"],
    [4053, "unknown_call", "waiting in 125 4053 unknown_call", "connecting"],
    [4053, "room_unavailable;retry=2", "waiting in 2125 4053 room_unavailable", "connecting"],
    [4999, "a_code_of_a_newer_room", "waiting in 125 4999 a_code_of_a_newer_room", "connecting"],
    [1000, "", "waiting in 125 1000 the connection was closed", "connecting"],
  ]) {
    const { host, told } = await client();
    host.last().opens();
    host.last().ends(code, reason);
    const ms = Number(/in (\d+)/.exec(wanted[0])?.[1] ?? 1e9);
    host.pass(ms - 1);
    assert.equal(host.sockets.length, 1, reason);
    host.pass(2);
    assert.deepEqual(told, ["connecting", ...wanted], reason);
    assert.equal(host.wakes.size, wanted.length - 1, "one that ended listens for nothing");
  }
});

test("each failure doubles the bound, and ten good seconds forget them all", async () => {
  const host = fakeHost();
  const { told } = await client({ host });
  const fail = (good) => {
    host.last().opens();
    if (good !== undefined) host.last().hears(greeting({ recovered: true })), host.pass(good);
    host.last().ends();
    for (const { length } = host.sockets; host.sockets.length === length; ) host.pass(5);
  };
  for (let failures = 0; failures < 9; failures++) fail();
  for (const good of [9_999, 10_000, 0]) fail(good);
  const waits = told.flatMap((line) => /waiting in (\d+)/.exec(line)?.[1] ?? []);
  assert.deepEqual(waits.map(Number), [125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 125, 250]);
});

test("a handshake may take fifteen seconds, and the greeting fifteen more", async () => {
  const { host, told } = await client();
  host.pass(14_900);
  host.last().opens();
  host.pass(14_900);
  host.last().hears(greeting());
  assert.deepEqual(told, ["connecting", "open ws"]);
  for (const opens of [() => {}, () => host.last().opens()]) {
    host.last().ends();
    host.pass(30_000);
    told.length = 0;
    const [{ at }, count] = [host.last(), host.sockets.length];
    host.time = Math.max(host.time, at);
    opens();
    while (host.sockets.length === count) host.pass(100);
    assert.match(told.join(), /^waiting in \d+ no handshake within 15 seconds,connecting$/);
    assert(host.sockets.at(-2).closed);
  }
});

test("it pings every 25 seconds from a random phase, and each answer keeps it", async () => {
  const { host, told } = await opened({ host: fakeHost({ random: () => 0.2 }) });
  const socket = host.last();
  for (let second = 0; second < 120; second++) {
    host.pass(1000);
    if (socket.sent.length > pings.answered) socket.hears({ type: "pong" });
    pings.answered = socket.sent.length;
  }
  const times = pings(socket);
  assert.equal(times[0], 5000);
  times.slice(1).forEach((at, n) => assert(at - times[n] >= 25_000 && at - times[n] <= 26_000, `${times}`));
  assert.deepEqual([host.sockets.length, told], [1, []]);
});
pings.answered = 0;

test("a link that dies without a close is dead ten seconds after a ping, whatever is in the way", async () => {
  const { host, told } = await opened();
  host.last().hears(update(1));
  const handlers = { ...host.last() };
  // Half of 25 s, then silence
  host.pass(12_500 + 9_999);
  assert.deepEqual(told, ["update 1"]);
  host.pass(1);
  assert.deepEqual(told, ["update 1", "waiting in 125 no answer to a ping within 10 seconds"]);
  const dead = host.last();
  assert(dead.closed);
  host.pass(125);
  dead.hears(update(2));
  dead.ends();
  // Not every WebSocket lets go of its handlers
  handlers.onmessage({ data: JSON.stringify(update(3)) });
  handlers.onclose({ code: 4000, reason: "invalid_token" });
  assert.deepEqual(told.slice(2), ["connecting"]);
  assert.equal(host.last().url, "wss://rooms.example/ws/T?errors=close&since=1&epoch=e1");
});

test("anything that is heard answers a ping", async () => {
  const { host, told } = await opened();
  host.pass(12_500);
  host.pass(9_000);
  host.last().hears(update(1));
  host.pass(9_000);
  assert.deepEqual([pings(host.last()), told], [[12_500], ["update 1"]]);
});

test("a hidden tab, whose timers come once a minute, keeps its socket in a quiet room for an hour", async () => {
  const { host, told } = await opened();
  host.every = 60_000;
  const socket = host.last();
  for (let answered = 0, second = 0; second < 3600; second++) {
    host.pass(1000);
    if (socket.sent.length > answered) answered = socket.sent.length, socket.hears({ type: "pong" });
  }
  assert.deepEqual([host.sockets.length, told], [1, []]);
  // A room takes one that has not pinged for 90 seconds for silent
  const times = pings(socket);
  times.slice(1).forEach((at, n) => assert(at - times[n] <= 61_000, `${times}`));
  assert(times.length >= 59, `${times.length}`);
});

test("a timer that came late judges nothing: after a sleep a ping has its ten seconds", async () => {
  const { host, told } = await opened();
  host.pass(12_500);
  // The ping is out; the phone sleeps before the answer is read, which then comes after the timer
  host.sleep(3_600_000);
  host.pass(1);
  host.last().hears({ type: "pong" });
  host.pass(5_000);
  assert.deepEqual([host.sockets.length, told], [1, []]);
  host.sleep(3_600_000);
  host.pass(1);
  assert.equal(pings(host.last()).length, 3);
  host.pass(10_000);
  assert.deepEqual(told, ["waiting in 125 no answer to a ping within 10 seconds"]);
});

test("a handshake during which a phone has slept has its time once more", async () => {
  const { host, told } = await client();
  host.sleep(600_000);
  host.pass(1);
  assert.deepEqual(told, ["connecting"]);
  host.pass(15_001);
  assert.deepEqual(told.slice(1), ["waiting in 125 no handshake within 15 seconds"]);
});

test("when the network or the page is back, an open socket is pinged at once and a waiting one opened within a second", async () => {
  const { host, told } = await opened();
  host.pass(1000);
  host.wake();
  host.wake();
  assert.deepEqual(pings(host.last()), [1000]);
  host.last().hears({ type: "pong" });
  host.pass(1000);
  host.wake();
  host.pass(9_999);
  assert.deepEqual(told, []);
  host.pass(1);
  assert.deepEqual(told, ["waiting in 125 no answer to a ping within 10 seconds"]);
  for (let failures = 0; failures < 9; failures++) host.pass(15_000), host.last().ends();
  told.length = 0;
  host.wake();
  assert.deepEqual(told, ["waiting in 500 the connection was closed"]);
  host.pass(499);
  host.wake();
  host.pass(1);
  assert.deepEqual(told.slice(1), ["connecting"]);
  host.wake();
  assert.equal(host.last().closed, false);
});

test("not even the network's return makes it come before the server's `retry`", async () => {
  const { host, told } = await client();
  host.last().opens();
  host.last().ends(4013, "room_full;retry=30");
  host.pass(1000);
  host.wake();
  host.pass(28_999);
  assert.deepEqual(told.slice(-1), ["waiting in 29000 4013 room_full"]);
  host.pass(1);
  assert.deepEqual(told.slice(-1), ["connecting"]);
});

test("what a callback throws is told, and costs neither the rest of its batch nor the socket", async () => {
  const [seen, errors] = [[], []];
  const broken = (what) => () => {
    throw new Error(what);
  };
  const { host } = await client({
    onUpdate: (update) => {
      seen.push(update.seq);
      throw new Error(`update ${update.seq}`);
    },
    onState: broken("state"),
    onGap: broken("gap"),
    onError: (error, token) => errors.push(`${token}: ${error.message}`),
  });
  host.last().opens();
  host.last().hears(greeting({ ack: 10 }));
  host.last().hears({ type: "BATCH_UPDATE", updates: [update(1), update(2), update(3)] });
  host.last().hears({ type: "P", seq: 1, epoch: "e2" });
  assert.deepEqual(seen, [1, 2, 3, 1]);
  assert.deepEqual(errors, ["T: state", "T: state", "T: update 1", "T: update 2", "T: update 3", "T: gap", "T: update 1"]);
  assert.deepEqual(host.last().sent.map(({ text }) => text), ['{"type":"ack","seq":3}', '{"type":"ack","seq":1}']);
});

test("without `onError` what was thrown is an uncaught error, also of what was promised, and everything is shown", async (context) => {
  const [seen, uncaught] = [[], []];
  globalThis.reportError = (error) => uncaught.push(error.message);
  context.after(() => delete globalThis.reportError);
  const { host } = await client({
    onUpdate: async ({ seq }) => {
      seen.push(seq);
      throw new Error(`update ${seq}`);
    },
    onState: () => {
      throw new Error("state");
    },
  });
  host.last().hears(greeting());
  host.last().hears({ type: "BATCH_UPDATE", updates: [update(1), update(2)] });
  await new Promise((done) => setTimeout(done));
  assert.deepEqual([seen, uncaught], [[1, 2], ["state", "state", "update 1", "update 2"]]);
  // An `onError` that throws itself
  const other = await client({ onError: () => { throw new Error("onError"); }, onState: () => { throw new Error("state"); } });
  other.host.last().hears(greeting());
  assert.deepEqual(uncaught.slice(4), ["onError", "onError"]);
});

test("frames that it does not know cost nothing", async () => {
  const { host, told } = await opened();
  for (const frame of ["", "{", "null", "[]", { type: "a_frame_of_a_newer_room" }, undefined, new ArrayBuffer(2)]) host.last().hears(frame);
  host.last().hears(update(1));
  assert.deepEqual(told, ["update 1"]);
});

test("after it was closed nothing is told, wherever it was closed", async () => {
  for (const [name, when] of [["before it began", "at once"], ["in its first state", "connecting"], ["in a later one", "waiting"], ["when it tries again", "again"], ["when it opens", "open"], ["in a batch", "update"]]) {
    const host = fakeHost();
    const told = [];
    const tell = (what) => {
      told.push(what);
      const isAgain = what === "connecting" && told.length > 1;
      if (what === when || (isAgain && when === "again")) subscription.close();
    };
    const subscription = subscribeOn(host, "T", { url: URL_OF_TEST, onUpdate: () => tell("update"), onState: ({ kind }) => tell(kind) });
    if (when === "at once") subscription.close();
    await new Promise((done) => setTimeout(done));
    const live = () => host.sockets.filter((socket) => !socket.closed);
    live().forEach((socket) => (socket.opens(), socket.hears(greeting())));
    live().forEach((socket) => socket.hears({ type: "BATCH_UPDATE", updates: [update(1), update(2)] }));
    live().forEach((socket) => socket.ends());
    host.wake();
    host.pass(100_000);
    const all = ["connecting", "open", "update", "update", "waiting", "connecting"];
    const count = { "at once": 0, connecting: 1, open: 2, update: 3, waiting: 5, again: 6 }[when];
    assert.deepEqual(told, all.slice(0, count), name);
    assert.deepEqual([live().length, host.timers.size, host.wakes.size], [0, 0, 0], name);
    subscription.close();
  }
});

test("a WebSocket that cannot be made is told and tried again", async () => {
  const host = fakeHost();
  host.WebSocket = class {
    constructor() {
      throw new SyntaxError("mixed content");
    }
  };
  const { told } = await client({ host });
  host.pass(0);
  assert.deepEqual(told, ["connecting", "waiting in 125 the WebSocket cannot be made: SyntaxError: mixed content"]);
});

test("where there is no WebSocket, `subscribe` says what to pass", { skip: "WebSocket" in globalThis }, () => {
  assert.throws(() => index.subscribe("T", { onUpdate: () => {} }), /no global `WebSocket`.*as the option `WebSocket`, such as that of the package `ws`/);
});
