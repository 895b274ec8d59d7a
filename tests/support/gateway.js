// The release RELEASE of a gateway that knows no secret.
import "./index_bg.wasm";

export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === "/health") {
      return Response.json({ status: "ok", version: env.CF_VERSION_METADATA.id });
    }
    if (request.headers.get("origin")?.endsWith(".invalid")) return new Response(null, { status: 403 });
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.send('{"type":"connected","connectionId":"RELEASE"}');
      return new Response(null, { status: 101, webSocket: client });
    }
    return new Response(null, { status: request.headers.has("authorization") ? 403 : 401 });
  },
};
