// The console against `dev`: two subscriptions, updates, rooms, and the two faults.
import { join } from "node:path";
import { card, play, publish, reads, rests } from "./panel.mjs";

const { SCREENSHOTS } = process.env;

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 760 };

await play(async (page) => {
  await page.setViewportSize(WIDE);
  await page.locator("#kill:not([disabled])").waitFor();
  await page.getByLabel("Tokens, separated by spaces").fill("SOL BONK");
  await page.keyboard.press("Enter");
  const subscribed = await reads(page, "#summary", /^2 of 2/);

  await page.getByLabel("let price wander").uncheck();
  const receipts = [
    await publish(page, "SOL", { type: "PRICE_UPDATE", price: 147.32 }),
    await publish(page, "SOL", { type: "PRICE_UPDATE", price: 148 }),
    await publish(page, "BONK", { type: "<img src=x>", price: 0.00002301 }),
  ];
  await reads(page, '[data-token="SOL"] .price', /^148$/);
  await reads(page, '[data-token="BONK"] .price', /^0.00002301$/);
  const published = {
    receipts,
    cards: [await card(page, "SOL"), await card(page, "BONK")],
    sparkline: await page.locator('[data-token="SOL"] .sparkline').getAttribute("aria-label"),
    latency: (await reads(page, "#latency", /^3 arrivals/)).replace(/[\d.]+ m?s/g, "TIME"),
    bars: (await page.locator("#histogram .bar").count()) > 0,
    frame: await reads(page, "#frames li", /<img src=x>/).then(() => "as text"),
    markup: await page.locator("img").count(),
  };

  // What is written survives
  await rests(page, "BONK");
  await rests(page, "SOL");
  const room = (await reads(page, '[data-room="SOL"]', /held by nothing/)).replace(/[\d:]{8}/, "TIME");

  const trial = async (button, pattern) => {
    await page.getByRole("button", { name: button }).press("Enter");
    const told = await reads(page, "#trials li", pattern);
    return told.replace(/^[\d:]{8} /, "").replace(/[\d.]+ m?s/, "TIME");
  };
  const killed = {
    told: await trial("Kill the runtime", /runtime killed: .*(; |within|sandbox)/),
    receipt: await publish(page, "SOL", { type: "PRICE_UPDATE", price: 149 }).then((text) => text.replace(/200 \d+/, "200 SEQ")),
    price: await reads(page, '[data-token="SOL"] .price', /^149$/),
    reconnects: await reads(page, '[data-token="SOL"] [data-part="reconnects"]', /^1$/),
    gaps: await page.locator('[data-part="gaps"]').allTextContents(),
  };
  await rests(page, "SOL");
  await page.getByLabel("Room to evict").selectOption("SOL");
  const evicted = {
    told: await trial("Evict the room", /room SOL evicted: .*(; |within|sandbox)/),
    receipt: await publish(page, "SOL", { type: "PRICE_UPDATE", price: 150 }).then((text) => text.replace(/200 \d+/, "200 SEQ")),
    price: await reads(page, '[data-token="SOL"] .price', /^150$/),
    reconnects: [await reads(page, '[data-token="SOL"] [data-part="reconnects"]', /^2$/), (await card(page, "BONK")).reconnects],
    gaps: await page.locator('[data-part="gaps"]').allTextContents(),
  };

  // Frames stop where they are told to
  await page.getByRole("button", { name: "Pause" }).press("Enter");
  const before = await page.locator("#frames li").count();
  await publish(page, "SOL", { type: "PRICE_UPDATE", price: 151 });
  await reads(page, '[data-token="SOL"] .price', /^151$/);
  const paused = (await page.locator("#frames li").count()) === before;

  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("input, select, textarea, button, [tabindex]")]
      .filter((it) => !(it.labels?.length || it.ariaLabel || it.getAttribute("aria-labelledby") || (it.tagName === "BUTTON" && it.textContent.trim())))
      .map((it) => it.outerHTML),
  );
  const over = [];
  for (const [name, size, colorScheme] of [
    ["console", WIDE, "light"],
    ["console-dark", WIDE, "dark"],
    ["console-narrow", NARROW, "light"],
    ["console-narrow-dark", NARROW, "dark"],
  ]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) over.push(name);
  }
  return { subscribed, published, room, killed, evicted, paused, nameless, wider_than_the_window: over };
});
