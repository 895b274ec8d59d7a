// The deployed gateway with bindings that fail as a test asks. One isolate holds this module and all its requests.
import { WorkerEntrypoint } from "cloudflare:workers";
import Gateway from "./gateway.js";

let faults = {};
let asked = [];

const CALLED = { ANALYTICS: "writeDataPoint", CONNECT_RATE: "limit", BROADCAST_RATE: "limit" };

// What a call of an object comes to; a fault with `times` is used up.
async function answer(stub, place, url, init) {
  const call = JSON.parse(new Headers(init?.headers ?? url.headers).get("x-edge-call"));
  const name = typeof call === "string" ? call : Object.keys(call)[0];
  const sent = init?.body !== undefined;
  asked.push({ call: name, place, sent });
  const found = (faults.calls ?? []).find(
    (fault) => fault.call === name && fault.place === place && sent === (fault.sent ?? sent) && fault.times !== 0,
  );
  if (found?.times) found.times--;
  if (found?.hang) await scheduler.wait(found.hang);
  if (found?.error) throw new Error(found.error);
  if (found?.status) return new Response(found.body, { status: found.status });
  return stub.fetch(url, init);
}

function objects(namespace) {
  return {
    idFromName: (name) => name,
    get(name, options) {
      const stub = namespace.get(namespace.idFromName(name), options);
      return { fetch: (url, init) => answer(stub, name, url, init) };
    },
  };
}

function binding(env, name) {
  if (name === "BROADCAST_ROOM") return objects(env[name]);
  const called = CALLED[name];
  if (called && faults.bindings === "throw") {
    return { [called]() { throw new Error("a fault of the test"); } };
  }
  if (called && faults.bindings === "reject") {
    return { [called]: async () => { throw new Error("a fault of the test"); } };
  }
  return env[name];
}

export default class extends WorkerEntrypoint {
  async fetch(request) {
    if (new URL(request.url).hostname === "faults.glow.trade") {
      if (request.method === "PUT") {
        faults = await request.json();
        asked = [];
      }
      return Response.json(asked);
    }
    const env = new Proxy(this.env, { get: binding });
    return new Gateway(this.ctx, env).fetch(request);
  }
}
