// The deployed room, with faults that a test asks for. One isolate holds all objects of a namespace and this module.
import { BroadcastRoom as Base } from "./room.js";

let faults = [];
let seen = { sent: [], stubs: [] };

// The first fault that fits; one with `times` is used up.
function fault(what, fits) {
  const found = faults.find((fault) => fault.what === what && fault.times !== 0 && fits(fault));
  if (found?.times) found.times--;
  return found;
}

const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (frame) {
  const { name, id } = JSON.parse(this.deserializeAttachment() ?? "{}");
  if (fault("send", (fault) => fault.id === id)) throw new Error("a fault of the test");
  seen.sent.push({ object: name, id, frame: JSON.parse(frame) });
  return send.call(this, frame);
};

// What a full object's own sockets take, without a full object.
const timer = globalThis.setTimeout;
globalThis.setTimeout = (then, ms, ...rest) => timer(then, ms === 0 && fault("late", () => true) ? 2000 : ms, ...rest);

export class BroadcastRoom extends Base {
  constructor(state, env) {
    const objects = env.BROADCAST_ROOM;
    const self = (fault) => objects.idFromName(fault.object).toString() === state.id.toString();
    const { storage } = state;
    for (const method of ["get", "put"]) {
      const original = storage[method].bind(storage);
      storage[method] = async (key, ...rest) => {
        if (fault(method, (fault) => fault.key === key && self(fault))) throw new Error("a fault of the test");
        return original(key, ...rest);
      };
    }
    const recorded = {
      idFromName: (name) => name,
      get(name, options) {
        seen.stubs.push({ name, hint: options?.locationHint ?? null });
        if (fault("stub", (fault) => fault.object === name)) throw new Error("a fault of the test");
        return objects.get(objects.idFromName(name), options);
      },
    };
    super(state, new Proxy(env, { get: (env, name) => (name === "BROADCAST_ROOM" ? recorded : env[name]) }));
    this.disturb = async (call) => {
      const of = (fault) => fault.call === call && self(fault);
      if (fault("throw", of)) throw new Error("a fault of the test");
      if (fault("hang", of)) await scheduler.wait(60_000);
      if (fault("abort", of)) state.abort("a fault of the test");
    };
  }

  async fetch(request) {
    const call = JSON.parse(request.headers.get("x-edge-call"));
    await this.disturb(typeof call === "string" ? call : Object.keys(call)[0]);
    return super.fetch(request);
  }
}

export default {
  async fetch(request) {
    if (request.method === "PUT") {
      faults = await request.json();
      seen = { sent: [], stubs: [] };
    }
    return Response.json(seen);
  },
};
