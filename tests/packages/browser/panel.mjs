// The page at `/console`, which the gateway itself serves, as a person sees and uses it.
import { started } from "./chromium.mjs";

const { CONSOLE, PROFILE, CERTIFICATE } = process.env;

/** What Chromium itself says of what was refused or cut. */
const EXPECTED = /^(WebSocket |Failed to load resource: )/;

/** Opens the page, runs `act` and prints what it returns. */
export async function play(act) {
  const { hostname, port } = new URL(CONSOLE);
  const chromium = await started({ folder: PROFILE, hosts: { [hostname]: port }, certificate: JSON.parse(CERTIFICATE) });
  const problems = [];
  try {
    const page = await chromium.context.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (line) => line.type() === "error" && !EXPECTED.test(line.text()) && problems.push(line.text()));
    await page.goto(CONSOLE);
    const said = await act(page);
    console.log(JSON.stringify({ ...said, problems, outside: chromium.outside }));
  } finally {
    await chromium.close();
  }
}

/** The text of what `selector` finds once `pattern` fits it. */
export async function reads(page, selector, pattern) {
  const until = Date.now() + 30_000;
  for (;;) {
    const found = page.locator(selector).first();
    const text = (await found.count()) === 0 ? "" : (await found.textContent()).replace(/\s+/g, " ").trim();
    if (pattern.test(text)) return text;
    if (Date.now() > until) throw new Error(`\`${selector}\` stays at \`${text}\`, which is not ${pattern}`);
    await new Promise((later) => setTimeout(later, 30));
  }
}

/** A card: price, state, and the figures by name but for the latency, which is another each time. */
export function card(page, token) {
  return page.locator(`[data-token="${token}"]`).evaluate((card) => {
    const figures = [...card.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.textContent]);
    const { latency, epoch, ...rest } = Object.fromEntries(figures);
    return { price: card.querySelector(".price").textContent, state: card.querySelector(".state").textContent, ...rest };
  });
}

/** Waits until the page sees that nothing holds the room any more: all that has happened in it is written. */
export async function rests(page, token) {
  const isOfIt = (response) => response.url().endsWith(`/rooms/${token}`) && response.ok();
  for (let looks = 0; ; looks++) {
    const answer = await page.waitForResponse(isOfIt);
    const { root } = await answer.json();
    // The first one may have been asked before
    if (looks > 0 && root.awake.held_by.length === 0) return;
  }
}

/** Publishes `body` by the keyboard; what its receipt says: token, status, number and sockets. */
export async function publish(page, token, body) {
  const receipts = () => page.locator("#receipts tr").count();
  const before = await receipts();
  await page.getByLabel("Token", { exact: true }).fill(token);
  await page.getByLabel("Body, one JSON object").fill(JSON.stringify(body));
  await page.getByRole("button", { name: "Publish" }).press("Enter");
  while ((await receipts()) === before) await new Promise((later) => setTimeout(later, 10));
  const cells = await page.locator("#receipts tr").first().locator("td").allTextContents();
  return cells.slice(1, 5).join(" ");
}
