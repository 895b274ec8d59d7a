// Each state of a token as a person sees it, on a wide and a narrow page, by day and by night.
import { join } from "node:path";
import { call, publish } from "../client/world.mjs";
import { socketsAlone } from "./hurried.mjs";
import { reads, rows, text } from "./shown.mjs";
import { pause, play } from "./stage.mjs";

const { HOST, SCREENSHOTS } = process.env;

const WIDE = { width: 1100, height: 640 };
const NARROW = { width: 390, height: 760 };

await play(async ({ open, gate }) => {
  const shot = async (page, name, { size = WIDE, colors = "light" } = {}) => {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: colors });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    return { name, over };
  };
  const price = (token, price) => publish(token, [{ type: "PRICE_UPDATE", price }]);

  const page = await open({ tokens: "SOL BONK JUP WIF" }, { prepare: (page) => page.addInitScript(socketsAlone) });
  for (const token of ["SOL", "BONK", "JUP", "WIF"]) await reads(page, token, /Live/);
  for (const [token, ...prices] of [["SOL", 146.32, 147.1], ["BONK", 0.00002341, 0.00002301], ["JUP", 0.4127, 0.4127], ["WIF", 1204.5]]) {
    for (const each of prices) await price(token, each);
    await reads(page, token, new RegExp(`\\| ${prices.length} \\|`));
  }
  const live = { rows: await rows(page), summary: await text(page, ".summary"), made: await text(page, "#connections") };
  const shots = [
    await shot(page, "open"),
    await shot(page, "open-dark", { colors: "dark" }),
    await shot(page, "open-narrow", { size: NARROW }),
    await shot(page, "open-narrow-dark", { size: NARROW, colors: "dark" }),
  ];

  // Away for longer than the room remembers
  gate.refuse();
  gate.cut("SOL");
  await reads(page, "SOL", /Waiting|Connecting/);
  for (let n = 0; n < 70; n++) await price("SOL", 150 + n);
  gate.admit();
  await reads(page, "SOL", /219.*Live/);
  const missed = { row: (await rows(page))[0], gaps: (await text(page, "#gaps")).replace(/[\d:]{8}/g, "TIME") };
  shots.push(await shot(page, "gap"), await shot(page, "gap-narrow-dark", { size: NARROW, colors: "dark" }));
  await page.close();

  // Refused for a while: its rate of connecting is used up by asking for its snapshot
  let [refused, began] = [];
  const refuse = async () => {
    while ((await call("GET", "/snapshot/SOL", { host: HOST })).status !== 429);
    await refused?.close();
    began = Date.now();
    refused = await open({ tokens: "SOL BONK no/token" }, { prepare: (page) => page.addInitScript(retries) });
    return reads(refused, "SOL", /Waiting|Live/);
  };
  // Where a new period has begun meanwhile, it is let in
  while (!(await refuse()).includes("Waiting"));
  await reads(refused, "no/token", /Ended/);
  await reads(refused, "BONK", /Live|Waiting/);
  const retryAt = await refused.evaluate(() => globalThis.retryAt);
  const waiting = { rows: (await rows(refused)).map((row) => row.map((cell) => cell.replace(/\d+ s$/, "SOME s"))), spoken: await text(refused, "#spoken"), waits: retryAt - began >= 60_000 };
  shots.push(
    await shot(refused, "waiting"),
    await shot(refused, "waiting-dark", { colors: "dark" }),
    await shot(refused, "waiting-narrow", { size: NARROW }),
  );
  await refused.close();

  // A page that may not connect at all
  const before = gate.handshakes("JUP");
  const foreign = await open({ tokens: "JUP WIF" }, { origin: "https://elsewhere.example" });
  for (const token of ["JUP", "WIF"]) await reads(foreign, token, /Ended/);
  await pause(1500);
  const ended = { rows: await rows(foreign), summary: await text(foreign, ".summary"), handshakes: gate.handshakes("JUP") - before };
  shots.push(await shot(foreign, "ended"), await shot(foreign, "ended-narrow-dark", { size: NARROW, colors: "dark" }));
  return { live, missed, waiting, ended, wider_than_the_window: shots.filter(({ over }) => over > 0) };
});

/** Runs in the page before anything else. */
function retries() {
  document.addEventListener("broadcast", ({ detail: { state } }) => {
    if (state?.kind === "waiting") globalThis.retryAt ??= state.retryAt;
  });
}
