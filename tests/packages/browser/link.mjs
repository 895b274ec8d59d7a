// A link that dies without a word, a machine that sleeps, a network that comes back: on a clock that this script moves.
import { publish } from "../client/world.mjs";
import { socketsAlone } from "./hurried.mjs";
import { reads } from "./shown.mjs";
import { play, until } from "./stage.mjs";

await play(async ({ open, gate, context }) => {
  const frames = { sent: 0, heard: 0 };
  const prepare = async (page) => {
    await page.clock.install();
    await page.addInitScript(socketsAlone);
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => (frames.sent += payload === '{"type":"ping"}'));
      socket.on("framereceived", ({ payload }) => (frames.heard += payload === '{"type":"pong"}'));
    });
  };
  const page = await open({ tokens: "SOL" }, { prepare });
  await reads(page, "SOL", /Live/);

  /** Moves the clock by seconds, one by one: an answer that is under way has arrived before the next. */
  const pass = async (seconds, isEnough = () => false) => {
    for (let second = 0; second < seconds; second++) {
      if (await isEnough()) return second;
      await page.clock.runFor(1000);
      if (!gate.isSilent()) await until(() => frames.heard === frames.sent);
    }
    return seconds;
  };
  const state = () => page.locator("#tokens .title").textContent();
  /** The network goes and comes back; an open socket does not notice. */
  const reconnects = async () => {
    await context.setOffline(true);
    await context.setOffline(false);
  };
  const isGone = async () => (await state()) !== "Live";

  // A quiet room: pings, and one socket
  await pass(300);
  const quiet = { pings: frames.sent >= 10 && frames.sent <= 13, handshakes: gate.handshakes("SOL") };

  // Nothing passes any more, and nobody says so
  gate.silence();
  const seconds = await pass(60, isGone);
  gate.speak();
  frames.heard = frames.sent;
  await pass(30, async () => (await state()) === "Live");
  const dead = { noticed: seconds <= 36, state: await state() };

  // The machine sleeps for an hour: what comes late proves nothing
  let sent = frames.sent;
  const handshakes = gate.handshakes("SOL");
  await page.clock.fastForward(3_600_000);
  await until(() => frames.sent > sent && frames.heard === frames.sent);
  await pass(15);
  const slept = { state: await state(), handshakes: gate.handshakes("SOL") - handshakes };

  // The network is back: asked at once whether the link is, and it is not
  sent = frames.sent;
  await reconnects();
  await until(() => frames.sent > sent);
  const back = { pings: frames.sent - sent };
  await until(() => frames.heard === frames.sent);
  gate.silence();
  await reconnects();
  await until(() => frames.sent > sent + 1);
  back.noticed = (await pass(12, isGone)) <= 11;
  gate.speak();
  frames.heard = frames.sent;
  await pass(30, async () => (await state()) === "Live");
  await publish("SOL", [{ type: "PRICE_UPDATE", price: 7 }]);
  await until(async () => (await page.locator("#tokens .price").textContent()) === "$7.00", () => page.clock.runFor(20));
  back.state = await state();
  return { quiet, dead, slept, back };
});
