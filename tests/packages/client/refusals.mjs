// How the deployed system refuses, and what the app is told of it: where each place and each rate is used up soon.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { subscribe } from "../dist/index.js";
import { ingress, until } from "./world.mjs";

const PAGE = "https://app.glow.trade";
const handshakes = [];

/** A client of a page and an address, and what it is told. */
function client(token, address, origin = PAGE) {
  class Page extends WebSocket {
    constructor(url) {
      super(url, { origin, headers: { "cf-connecting-ip": address } });
      handshakes.push(url);
    }
  }
  const told = [];
  const began = Date.now();
  const onState = (state) => told.push({ ...state, told: Date.now() });
  const subscription = subscribe(token, { WebSocket: Page, url: `http://${process.env.HOST}:${ingress.port}`, onUpdate: () => {}, onState });
  return { token, told, began, subscription };
}

async function open(token, address) {
  const { told } = client(token, address);
  await until(`${token} is open`, () => told.length === 2);
  assert.equal(told[1].kind, "open", JSON.stringify(told));
}

async function refused(token, address, origin, wanted) {
  const before = handshakes.length;
  const { told, began, subscription } = client(token, address, origin);
  await until(`${token} is refused`, () => told.length === 2);
  const { kind, code, reason, retryAt } = told[1];
  assert.equal(`${kind} ${code} ${reason}`, wanted);
  const seconds = { room_full: 30, too_many_connections: 30, connect_rate: 60 }[reason];
  if (seconds !== undefined) {
    assert(retryAt >= began + seconds * 1000 && retryAt < told[1].told + seconds * 1000 + 250, `${reason} at ${retryAt - began}`);
  }
  assert.equal(handshakes.length, before + 1);
  if (kind === "waiting") subscription.close();
}

await refused("a/b", "192.0.2.9", PAGE, "ended 4000 invalid_token");
await refused("", "192.0.2.9", PAGE, "ended 4004 not_found");
await refused("SOL", "192.0.2.9", "https://evil.example", "ended 4003 origin_not_allowed");
await open("SOL", "192.0.2.1");
await open("SOL", "192.0.2.1");
await open("SOL", "192.0.2.2");
await refused("SOL", "192.0.2.3", PAGE, "waiting 4013 room_full");
await open("binance:BONK", "192.0.2.4");
await open("binance:BONK", "192.0.2.4");
await refused("binance:BONK", "192.0.2.4", PAGE, "waiting 4029 too_many_connections");
await refused("binance:BONK", "192.0.2.4", PAGE, "waiting 4029 too_many_connections");
await refused("binance:BONK", "192.0.2.4", PAGE, "waiting 4029 connect_rate");
console.log(`${handshakes.length} handshakes`);
process.exit(0);
