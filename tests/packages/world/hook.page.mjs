// A page of two prices, whose sockets are a stand-in: what the hook makes of what comes.
import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useToken } from "glow-broadcast-staging-client/react";

const sockets = [];
globalThis.WebSocket = class {
  readyState = 0;
  constructor(url) {
    this.token = /\/ws\/([^?]*)/.exec(url)[1];
    sockets.push(this);
    setTimeout(() => {
      this.onopen?.({});
      this.say({ type: "connected", epoch: "e", seq: 0, recovered: false });
    });
  }
  say(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  send() {}
  close() {
    this.closed = true;
  }
};

/** Every text that was ever shown of a token. */
const texts = new Set();
function Price({ token }) {
  const { update, updates, state } = useToken(token);
  const text = `${token}: ${state?.kind ?? "nothing"} ${update?.n ?? "-"} [${updates.map(({ n }) => n)}]`;
  texts.add(text);
  return createElement("p", null, text);
}

const root = createRoot(document.body.appendChild(document.createElement("main")));
const later = async (what, ready) => {
  const end = Date.now() + 20_000;
  while (!ready()) {
    if (Date.now() > end) throw new Error(`never ${what}: ${document.body.innerText}`);
    await new Promise((then) => setTimeout(then, 5));
  }
};
const shown = (...lines) => later(lines.join(), () => [...document.querySelectorAll("p")].map((p) => p.textContent).join() === lines.join());
const open = () => sockets.filter(({ closed }) => !closed).map(({ token }) => token);
const render = (...tokens) =>
  root.render(createElement(StrictMode, null, ...tokens.map((token, key) => createElement(Price, { key, token }))));

globalThis.story = async () => {
  render("SOL", "SOL");
  await shown("SOL: open - []", "SOL: open - []");
  const [sol] = sockets;
  sol.say({ type: "PRICE_UPDATE", n: 1, seq: 1, epoch: "e" });
  sol.say({ type: "VIEWERS", n: 2, seq: 2, epoch: "e" });
  sol.say({ type: "PRICE_UPDATE", n: 3, seq: 3, epoch: "e" });
  await shown("SOL: open 3 [2,3]", "SOL: open 3 [2,3]");
  const together = open();
  // One goes to another token and comes back, the other goes on
  render("BONK", "SOL");
  await shown("BONK: open - []", "SOL: open 3 [2,3]");
  render("SOL", "SOL");
  await shown("SOL: open 3 [2,3]", "SOL: open 3 [2,3]");
  await later("closed", () => open().join() === "SOL");
  const back = open();
  // All leave, and return before anything has been closed
  render();
  await shown();
  render("SOL");
  await shown("SOL: open 3 [2,3]");
  const returned = open();
  render(null);
  await shown("null: nothing - []");
  await later("closed", () => open().length === 0);
  root.unmount();
  return { together, back, returned, sockets: sockets.map(({ token }) => token), texts: [...texts] };
};
