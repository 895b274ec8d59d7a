// The release RELEASE of a gateway that knows no secret.
import "./index_bg.wasm";

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/health") {
      const probe = searchParams.get("probe");
      const rooms = env.BROADCAST_ROOM;
      const room = probe && (await (await rooms.getByName(`/health/${probe}`).fetch("https://room/")).json());
      return Response.json({ status: "ok", version: env.CF_VERSION_METADATA.id, room: room && { ...room, probe: Number(probe) } });
    }
    const refuse = (status, code) => Response.json({ error: { code, message: code } }, { status });
    if (request.headers.get("origin")?.endsWith(".invalid")) return refuse(403, "origin_not_allowed");
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.send('{"type":"connected","connectionId":"RELEASE"}');
      return new Response(null, { status: 101, webSocket: client });
    }
    return request.headers.has("authorization") ? refuse(403, "wrong_credentials") : refuse(401, "missing_credentials");
  },
};
