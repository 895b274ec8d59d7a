// The hook in a real browser and on a server; prints what was seen. Arguments: the project that has the package, and a folder for the
// page and the browser's profile.
import { createRequire } from "node:module";
import { join } from "node:path";

const [project, folder] = process.argv.slice(2);
const load = createRequire(join(process.env.NPM_MODULES, "x.js"));
const { chromium } = load("playwright-core");

const bundled = await load("esbuild").build({
  entryPoints: [new URL("hook.page.mjs", import.meta.url).pathname],
  nodePaths: [join(project, "node_modules"), process.env.NPM_MODULES],
  bundle: true,
  write: false,
  format: "iife",
  define: { "process.env.NODE_ENV": '"development"' },
});
const browser = await chromium.launchPersistentContext(join(folder, "profile"), {
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  const said = [];
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.setContent("<!doctype html><title>hook</title>");
  await page.addScriptTag({ content: bundled.outputFiles[0].text });
  const story = await page.evaluate(() => globalThis.story());
  console.log(JSON.stringify({ ...story, said, server: await onServer() }));
} finally {
  await browser.close();
}

/** What a server renders, which has no sockets. */
async function onServer() {
  const { createElement } = load("react");
  const { renderToString } = load("react-dom/server");
  const { useToken } = await import(join(project, "node_modules/glow-broadcast-staging-client/dist/react.js"));
  const Price = () => createElement("p", null, useToken("SOL").state?.kind ?? "nothing");
  return renderToString(createElement(Price));
}
