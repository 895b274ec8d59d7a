// A thousand random cuts, restarts and evictions while pages show what is published: every update exactly once and in the order of its key,
// or a gap was told.
import { violations } from "../client/ledger.mjs";
import { cutting, KINDS } from "../client/proxy.mjs";
import { seeded } from "../client/random.mjs";
import { cut, disasters, publishing } from "../client/storm.mjs";
import { ingress } from "../client/world.mjs";
import { hurried, recorded, socketsAlone } from "./hurried.mjs";
import { reads, rows } from "./shown.mjs";
import { pause, play, until } from "./stage.mjs";

const { HOST } = process.env;
const CUTS = 1000;
const PATIENCE_MS = 240_000;
/**
 * The page's seconds in one of ours: it waits for a dead link or a refused one for a moment only. More would leave a handshake less time
 * than Chromium itself may hold it back, which is for up to five seconds where most have failed or sixteen are under way. Before the first
 * cut and after the last it is as fast as ours: eighteen are under way then, and one that the machine is too busy for holds back the next.
 */
const FASTER = 25;
const TOKENS = ["storm", "storm:clock", "calm"];
/** A browser makes one handshake at a time with one address: so each window has an address of its own. */
const WINDOWS = 6;
/** Of the request, its answer and the greeting. */
const HANDSHAKE_BYTES = 1500;
const QUICK = ["reset", "end"];

const seed = Number(process.env.SEED ?? Date.now() % 1e9);
const random = seeded(seed);
const below = (bound) => Math.floor(random() * bound);
const SLOW = KINDS.filter((kind) => !QUICK.includes(kind));
let isOpen = false;

/** Every sixth connection is cut in its handshake, the others while updates are sent. What takes long to be seen is rarer. */
function fate() {
  if (!isOpen) return undefined;
  if (below(6) === 0) return { kind: below(20) === 0 ? "silence" : QUICK[below(QUICK.length)], bytes: below(HANDSHAKE_BYTES) };
  return { kind: below(3) === 0 ? SLOW[below(SLOW.length)] : QUICK[below(QUICK.length)], bytes: HANDSHAKE_BYTES + below(4000) };
}

const proxies = await Promise.all(Array.from({ length: WINDOWS }, () => cutting(ingress, fate)));
const address = (n) => `${HOST}:${4430 + n}`;
const total = () => proxies.reduce((sum, proxy) => sum + proxy.total(), 0);

await play(async ({ open, window }) => {
  const prepare = (n) => async (page) => {
    await page.addInitScript(hurried, { faster: 1, part: 0.3 });
    await page.addInitScript(recorded);
    // Polling promises less, so most pages have sockets alone
    if (n > 0) await page.addInitScript(socketsAlone);
  };
  const pages = await Promise.all(
    proxies.map(async (_, n) => open({ tokens: TOKENS.join(" "), url: `http://${address(n)}` }, { prepare: prepare(n), origin: "http://localhost:3000", context: await window() })),
  );
  for (const page of pages) for (const token of TOKENS) await reads(page, token, /Live/);
  const hurry = (faster) => Promise.all(pages.map((page) => page.evaluate((faster) => globalThis.hurry(faster), faster)));
  await hurry(FASTER);
  isOpen = true;
  for (const proxy of proxies) proxy.drop();

  const publishers = publishing(TOKENS, seeded(seed + 1));
  const storm = disasters(TOKENS, seeded(seed + 2), { progress: () => total() / CUTS, shares: [0.3, 0.7] });
  await cut(total, CUTS, { speed: FASTER, ease: hurry });
  const counts = await storm;
  await hurry(1);
  for (const proxy of proxies) proxy.calm();
  await publishers.end();

  // What was published last is shown on every page
  const logs = (page) => page.evaluate(() => globalThis.logs);
  const isBack = async (page) => {
    const told = await logs(page);
    return [...publishers.published].every(([token, all]) => told[token].some(({ show }) => show === all.at(-1).n));
  };
  for (const page of pages) await until(() => isBack(page), () => pause(50), PATIENCE_MS);
  // It may have come by polling, and the socket comes later
  let states;
  const areLive = async () => {
    states = [...new Set((await Promise.all(pages.map(rows))).flat().map((row) => row[5]))];
    return states.join() === "Live";
  };
  await until(areLive, () => pause(50), PATIENCE_MS);
  const wrong = [];
  const told = { update: 0, missed: 0, restarted: 0, behind: 0, stale: 0, poll: 0 };
  for (const page of pages) {
    for (const [token, log] of Object.entries(await logs(page))) {
      wrong.push(...violations(publishers.published.get(token), log));
      for (const { gap = "update" } of log) told[gap]++;
    }
  }
  const connected = (await Promise.all(pages.map((page) => page.locator("#ws").textContent()))).map(Number).reduce((a, b) => a + b);
  console.error(JSON.stringify({ seed, cuts: total(), ...counts, ...told, connected }));
  for (const proxy of proxies) proxy.close();
  // Most cuts cost nothing, or this would prove little
  return { wrong, states, resumed: told.missed + told.restarted + told.behind < connected };
}, Object.fromEntries(proxies.map(({ port }, n) => [address(n), port])));
