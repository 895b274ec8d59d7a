// A tab that nobody sees, as Chromium itself treats it: its timers come once a second, then once a minute, then not at all.
import { publish } from "../client/world.mjs";
import { hurried } from "./hurried.mjs";
import { reads } from "./shown.mjs";
import { pause, play, until } from "./stage.mjs";

/** The page's own time: its 25 seconds between two pings are two, so that a minute without timers is as ten. */
const FASTER = 12;
const [HIDDEN_MS, THROTTLED_MS] = [17_000, 4000];

await play(async ({ open, gate, context }) => {
  const frames = { sent: 0, heard: 0 };
  const prepare = async (page) => {
    await page.addInitScript(hurried, { faster: FASTER });
    await page.addInitScript(watched);
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => (frames.sent += payload === '{"type":"ping"}'));
      socket.on("framereceived", ({ payload }) => (frames.heard += payload === '{"type":"pong"}'));
    });
  };
  const page = await open({ tokens: "SOL" }, { prepare });
  await reads(page, "SOL", /Live/);
  const seen = () => page.evaluate(() => ({ ...globalThis.seen, visibility: document.visibilityState }));
  const shows = (n) => until(async () => (await seen()).prices.at(-1) === n);
  const price = (price) => publish("SOL", [{ type: "PRICE_UPDATE", price }]);
  // A room to which nothing was ever published forgets its epoch when it is quiet
  await price(1);
  await shows(1);

  const other = await context.newPage();
  await other.bringToFront();
  await until(async () => (await seen()).visibility === "hidden");
  await pause(HIDDEN_MS - THROTTLED_MS);
  // Of eight: a minute may begin meanwhile. A machine that is busy comes to that later
  const isThrottled = async () => {
    const { ticks } = await seen();
    await pause(THROTTLED_MS);
    return (await seen()).ticks - ticks <= 1;
  };
  await until(isThrottled, undefined, 60_000);
  await price(2);
  await shows(2);
  const hidden = { handshakes: gate.handshakes("SOL"), prices: (await seen()).prices };

  const sent = frames.sent;
  await page.bringToFront();
  await until(() => frames.sent > sent && frames.heard === frames.sent);
  await price(3);
  await reads(page, "SOL", /\$3\.00.*Live/);
  const { prices, gaps, lifecycle } = await seen();
  const back = { handshakes: gate.handshakes("SOL"), prices, gaps, lifecycle };

  // Frozen: nothing of it runs, Chromium ends its socket, and what came meanwhile is not lost
  const session = await context.newCDPSession(page);
  await other.bringToFront();
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await price(4);
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await page.bringToFront();
  await shows(4);
  await reads(page, "SOL", /\$4\.00.*Live/);
  const end = await seen();
  return { hidden, back, frozen: { prices: end.prices, gaps: end.gaps, lifecycle: end.lifecycle } };
});

/** Runs in the page before anything else: writes down what it sees, and when a timer of half a second comes. */
function watched() {
  const seen = (globalThis.seen = { ticks: 0, prices: [], gaps: [], lifecycle: [] });
  setInterval(() => seen.ticks++, 500);
  document.addEventListener("broadcast", ({ detail }) => {
    if (detail.kind === "update") seen.prices.push(detail.update.price);
    if (detail.kind === "gap") seen.gaps.push(detail.gap.reason);
  });
  for (const type of ["freeze", "resume", "visibilitychange"]) {
    document.addEventListener(type, () => seen.lifecycle.push(type === "visibilitychange" ? document.visibilityState : type));
  }
}
