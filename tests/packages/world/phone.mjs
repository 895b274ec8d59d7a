// A phone's JavaScript as React Native has it: its own `WebSocket` and `URL`, none of a browser's events, and sockets that are
// native and send the origin that Android's do (`getDefaultOrigin` in its `WebSocketModule`).
import { createRequire } from "node:module";

const { WebSocket } = createRequire(`${process.env.NPM_MODULES}/x.js`)("ws");

const sockets = new Map();
const heard = new Map();
const emit = (type, event) => [...(heard.get(type) ?? [])].forEach((listener) => listener(event));
globalThis.nativeSockets = {
  hear(type, listener) {
    heard.set(type, (heard.get(type) ?? new Set()).add(listener));
    return { remove: () => heard.get(type).delete(listener) };
  },
  connect(url, protocols, { headers }, id) {
    const origin = headers.origin ?? url.replace(/^ws/, "http").replace(/^(https?:..[^/]*).*/, "$1");
    const socket = new WebSocket(url, protocols ?? [], { headers: { ...headers, origin } });
    sockets.set(id, socket);
    socket.on("open", () => emit("websocketOpen", { id, protocol: socket.protocol }));
    socket.on("message", (data) => emit("websocketMessage", { id, type: "text", data: String(data) }));
    socket.on("close", (code, reason) => emit("websocketClosed", { id, code, reason: String(reason) }));
    socket.on("error", ({ message }) => emit("websocketFailed", { id, message }));
  },
  send: (text, id) => sockets.get(id).send(text),
  close: (code, reason, id) => sockets.get(id)?.close(code, reason),
};
for (const name of ["Event", "EventTarget", "MessageEvent", "CloseEvent", "CustomEvent", "addEventListener", "reportError"]) {
  delete globalThis[name];
}
globalThis.window = globalThis;
await import(process.env.REACT_NATIVE);
if (new URL("https://a.example/ws/SOL").toString() !== "https://a.example/ws/SOL/") throw new Error("this is not React Native's URL");
