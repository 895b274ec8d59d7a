// The console where nobody adds a secret: it says what is missing, and what needs none goes on.
import { play, publish, reads } from "./panel.mjs";

await play(async (page) => {
  const notice = await reads(page, "#notice", /./);
  await page.getByLabel("Tokens, separated by spaces").fill("no/token");
  await page.keyboard.press("Enter");
  const complaint = await reads(page, "#tokens-message", /./);
  await page.getByLabel("Tokens, separated by spaces").fill("SOL");
  await page.keyboard.press("Enter");
  return {
    notice,
    complaint,
    subscribed: await reads(page, "#summary", /^1 of 1/),
    receipt: await publish(page, "SOL", { price: 1 }),
    refused: await reads(page, "#notice", /^Publishing/),
    rooms: await reads(page, "#rooms-message", /./),
    disabled: [await page.locator("#kill").isDisabled(), await page.locator("#evict").isDisabled()],
  };
});
