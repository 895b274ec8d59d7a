// An app that shows what it is told, until it has a price of 2.
const { subscribe } = await import(process.env.CLIENT);

const say = (...words) => console.log(JSON.stringify(words));
let subscription;
const options = {
  url: process.env.GATEWAY,
  onState: (state) => say(state.kind, state.via ?? state.reason ?? ""),
  onGap: ({ reason }) => say("gap", reason),
  onUpdate({ price }) {
    say("price", price);
    if (price === 2) subscription.close();
  },
};
if (!globalThis.WebSocket) {
  const { createRequire } = await import("node:module");
  options.WebSocket = createRequire(`${process.env.NPM_MODULES}/x.js`)("ws");
}
subscription = subscribe("SOL:USD", options);
