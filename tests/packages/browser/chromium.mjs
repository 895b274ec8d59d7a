// Debian's Chromium without a window, in this process's group, that can reach nothing but this machine.
import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

/**
 * Starts it with an empty profile in `folder`. `hosts` says which port of this machine is which host, and `certificate` is the one that
 * these show. Nothing is emulated: a hidden tab is treated as a user's is.
 */
export async function started({ folder, hosts, certificate }) {
  const outside = await recorder();
  const mapped = Object.entries(hosts).map(([host, port]) => `MAP ${host} 127.0.0.1:${port}`);
  const browser = spawn(
    "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--hide-scrollbars",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${folder}`,
      "--remote-debugging-port=0",
      `--host-resolver-rules=${[...mapped, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"].join(", ")}`,
      // What is for elsewhere is seen here, and goes nowhere
      `--proxy-server=127.0.0.1:${outside.port}`,
      `--proxy-bypass-list=${Object.keys(hosts).join(";")}`,
      `--ignore-certificate-errors-spki-list=${fingerprint(certificate.cert)}`,
      // What it would ask of its makers even so
      "--disable-features=AutofillServerCommunication,NetworkTimeServiceQuerying,OptimizationHints,OptimizationGuideModelDownloading",
      "--gaia-url=http://127.0.0.1:1",
      "--component-updater=url-source=http://127.0.0.1:1/",
      // Of a tab that nobody sees, timers come once a minute after five minutes: here after as many seconds
      "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5",
      "about:blank",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const address = await new Promise((found, failed) => {
    let said = "";
    browser.stderr.on("data", (text) => {
      said += text;
      const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (address) found(address);
    });
    browser.once("error", failed);
    browser.once("exit", () => failed(new Error(`Chromium did not start: ${said}`)));
  });
  const connection = await chromium.connectOverCDP(address, { noDefaults: true });
  return {
    context: connection.contexts()[0],
    /** A window of its own, which is not hidden by another. */
    window: () => connection.newContext({ viewport: null }),
    outside: outside.asked,
    async close() {
      const gone = new Promise((gone) => browser.once("exit", gone));
      const session = await connection.newBrowserCDPSession();
      await session.send("Browser.close").catch(() => {});
      await gone;
      outside.close();
    },
  };
}

function fingerprint(certificate) {
  const key = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("base64");
}

/** A proxy that only writes down what it is asked for. */
async function recorder() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  server.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { port: server.address().port, asked, close: () => (server.closeAllConnections(), server.close()) };
}
