// The site that the page is on, under the strictest policy that it works with.
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { join } from "node:path";

const KINDS = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript" };
const GATEWAY = "https://broadcast-staging.glow.trade";

/** Serves `folder` under any name, on a port with a certificate and one without; `page(data)` is the path of the page with these data. */
export async function site(folder, certificate) {
  const pages = [];
  const serve = (request, response) => {
    const data = pages[request.url.slice(1)];
    const name = data ? "index.html" : request.url.slice(1);
    const kind = KINDS[name.split(".").pop()];
    if (!kind) return response.writeHead(404).end();
    const text = readFileSync(join(folder, name), "utf8");
    response.writeHead(200, { "content-type": kind, "content-security-policy": policy(data?.url ?? GATEWAY) });
    response.end(data ? text.replace(/<body[^>]*>/, body(data)) : text);
  };
  const servers = [https.createServer(certificate, serve), http.createServer(serve)];
  for (const server of servers) await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const [secure, plain] = servers.map((server) => server.address().port);
  return {
    hosts: { "app.glow.trade": secure, "elsewhere.example": secure, "localhost:3000": plain },
    page: (data) => `/${pages.push({ url: GATEWAY, ...data }) - 1}`,
    close: () => servers.forEach((server) => (server.closeAllConnections(), server.close())),
  };
}

/** No script and no style in the page itself, no `eval`, and nobody but the gateway: its sockets, and its snapshots for polling. */
function policy(url) {
  return `default-src 'self'; img-src data:; connect-src ${url} ${url.replace("http", "ws")}`;
}

function body(data) {
  return `<body ${Object.entries(data).map(([name, value]) => `data-${name}="${value}"`).join(" ")}>`;
}
