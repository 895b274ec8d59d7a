// All that a script of the browser needs: the site, the gate, Chromium; where they are comes from the environment. One answer is printed.
import { started } from "./chromium.mjs";
import { gate } from "./gate.mjs";
import { site } from "./site.mjs";
import { ingress } from "../client/world.mjs";

const { HOST, SITE, PROFILE, CERTIFICATE } = process.env;

/** What Chromium itself says of what was refused, cut, or answered by nobody of ours, which is what these scripts do. */
const EXPECTED = /^(WebSocket |Failed to load resource: |Access to fetch at )/;

/** Runs `act` and prints what it returns. `more` are further hosts, by the port of this machine that each is. */
export async function play(act, more = {}) {
  const certificate = JSON.parse(CERTIFICATE);
  const pages = await site(SITE, certificate);
  const between = await gate(ingress.port, certificate);
  const chromium = await started({
    folder: PROFILE,
    // The first that fits counts, and one without a port fits any
    hosts: { ...more, ...pages.hosts, [HOST]: between.port },
    certificate,
  });
  const problems = [];
  const stage = {
    gate: between,
    context: chromium.context,
    window: chromium.window,
    /** Opens the page on a site, by default an allowed one; `prepare` gets the tab while it is empty. */
    async open(data, { origin = "https://app.glow.trade", prepare, context = chromium.context } = {}) {
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (line) => line.type() === "error" && !EXPECTED.test(line.text()) && problems.push(line.text()));
      await prepare?.(page);
      await page.goto(origin + pages.page(data));
      return page;
    },
  };
  try {
    const said = await act(stage);
    console.log(JSON.stringify({ ...said, problems, outside: chromium.outside }));
  } finally {
    await chromium.close();
    pages.close();
    between.close();
  }
}

/** Waits until `is` is so; `meanwhile` is done again and again. */
export async function until(is, meanwhile = () => pause(10), ms = 20_000) {
  const limit = Date.now() + ms;
  while (!(await is())) {
    if (Date.now() > limit) throw new Error(`not so within ${ms / 1000} s: ${is}`);
    await meanwhile();
  }
}

export function pause(ms) {
  return new Promise((later) => setTimeout(later, ms));
}
