// Says what a bundle exports. The sandbox puts it in front of the bundle's main module.
import * as main from "MAIN_MODULE";

const HANDLERS = [
  "fetch", "scheduled", "queue", "email", "tail", "tailStream", "trace", "alarm",
  "webSocketMessage", "webSocketClose", "webSocketError",
];

function handlers(value) {
  const source = typeof value === "function" ? value.prototype : value;
  return HANDLERS.filter((name) => typeof source?.[name] === "function");
}

export default {
  fetch() {
    const named = Object.entries(main).filter(([name]) => name !== "default");
    return Response.json({
      handlers: handlers(main.default),
      named_handlers: named
        .filter(([, value]) => typeof value === "function" ? value.prototype : typeof value === "object" && value)
        .map(([name, value]) => ({ name, type: typeof value === "function" ? "class" : "object", handlers: handlers(value) }))
        .filter(({ type, handlers }) => type === "class" || handlers.length > 0),
    });
  },
};
