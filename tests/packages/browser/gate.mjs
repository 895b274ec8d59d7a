// What stands between the browser and the gateway: ends TLS, as Cloudflare does, and can be cut, be shut, or fall silent.
import { connect } from "node:net";
import { createServer } from "node:tls";

export async function gate(ingress, certificate) {
  const requests = [];
  const links = new Set();
  let mode = "open";
  const server = createServer(certificate, (client) => {
    if (mode === "shut") return client.destroy();
    const room = connect(ingress, "127.0.0.1");
    const link = { client, room, path: "" };
    links.add(link);
    client.once("data", (head) => {
      link.path = head.toString("latin1").split(" ", 2)[1];
      requests.push(link.path);
      if (mode === "blocked" && link.path.startsWith("/ws/")) client.destroy();
    });
    for (const [from, to] of [[client, room], [room, client]]) {
      from.on("data", (bytes) => mode === "silent" || to.write(bytes));
      from.on("close", () => (to.destroy(), links.delete(link)));
      from.on("error", () => {});
    }
  });
  server.on("tlsClientError", () => {});
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const of = (token) => (path) => path.startsWith(`/ws/${token}?`);
  return {
    port: server.address().port,
    /** How often a socket of this token was asked for. */
    handshakes: (token) => requests.filter(of(token)).length,
    isSilent: () => mode === "silent",
    /** From now on nothing passes, and nobody is told. */
    silence: () => (mode = "silent"),
    speak: () => (mode = "open"),
    /** From now on nobody comes in. */
    refuse: () => (mode = "shut"),
    /** From now on no socket comes in, and everything else does: what some proxies of companies do. */
    block: () => (mode = "blocked"),
    admit: () => (mode = "open"),
    cut(token) {
      for (const { client, path } of links) if (of(token)(path)) client.destroy();
    },
    close() {
      for (const { client } of links) client.destroy();
      server.close();
    },
  };
}
