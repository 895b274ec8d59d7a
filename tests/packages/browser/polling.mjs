// A network in which sockets are blocked: prices come by asking for them, and by a socket as soon as one comes through.
import { join } from "node:path";
import { publish } from "../client/world.mjs";
import { hurried } from "./hurried.mjs";
import { reads, rows, text } from "./shown.mjs";
import { play } from "./stage.mjs";

/** The page's seconds in one of ours: it has waited for sockets, and asks again, in a moment. */
const FASTER = 10;

await play(async ({ open, gate }) => {
  const price = (price) => publish("SOL", [{ type: "PRICE_UPDATE", price }]);
  await price(146.32);
  gate.block();
  const page = await open({ tokens: "SOL" }, { prepare: (page) => page.addInitScript(hurried, { faster: FASTER }) });
  await reads(page, "SOL", /\$146\.32.*polling/);
  await price(147.1);
  await reads(page, "SOL", /\$147\.10.*polling/);
  const blocked = { rows: await rows(page), made: await text(page, "#connections"), gaps: (await text(page, "#gaps")).replace(/[\d:]{8}/g, "TIME") };
  for (const [name, size, colorScheme] of [["polling", { width: 1100, height: 640 }, "light"], ["polling-narrow-dark", { width: 390, height: 760 }, "dark"]]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
  }
  gate.admit();
  await reads(page, "SOL", /Live \|/);
  await price(148);
  await reads(page, "SOL", /\$148\.00.*Live \|/);
  return { blocked, after: { rows: await rows(page), made: await text(page, "#connections") } };
});
