// Every Durable Object of a script lives in this one service, whatever version it runs: no two services may open the same
// storage. The part above, which is made for each configuration, imports the versions as VERSIONS (`{ id, exports }`, the one
// with the greatest share first) and says in TABLE which object runs which of them.

// What the other versions find in their environment, and the namespaces. Not for the script to see.
const inner = env["sandbox:objects"];
delete env["sandbox:objects"];

// No request from outside can have these addresses.
const ASK = "https://objects.sandbox.invalid/";
const END = "https://objects.sandbox.invalid/end";
// By class and id: the version that each object runs that has run here.
const known = new Map();
// The names of these objects; behind that of a jurisdiction, where they are within one.
const names = new Map();

function choose(name, id) {
  const held = TABLE.held[name]?.[id];
  // One that is constructed again was quiet in between: the runtime has evicted it
  if (held && !known.has(`${name} ${id}`) && Date.now() < held.until) return held.version;
  const lot = parseInt(id.slice(0, 8), 16);
  return TABLE.bounds.find(({ end }) => lot < end).version;
}

function host(name) {
  const isModern = VERSIONS.some(({ exports }) => exports[name]?.prototype instanceof DurableObject);
  return class extends (isModern ? DurableObject : Object) {
    constructor(ctx, own) {
      const id = ctx.id.toString();
      const version = choose(name, id);
      known.set(`${name} ${id}`, version);
      if (ctx.id.name !== undefined) names.set(`${name} ${id}`, ctx.id.name.split("\0").at(-1));
      const object = new VERSIONS[version].exports[name](ctx, version === 0 ? own : inner.versions[version]);
      const { fetch } = object;
      const value = (request) => {
        if (request.url === END) ctx.abort("ended by the sandbox");
        if (request.url !== ASK) {
          if (!fetch) throw new TypeError("Handler does not export a fetch() function.");
          return fetch.call(object, request);
        }
        const open = ctx.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN);
        return Response.json({ version, sockets: open.length });
      };
      Object.defineProperty(object, "fetch", { value, configurable: true });
      return object;
    }
  };
}

function call(key, url) {
  const [name, object] = key.split(" ");
  const namespace = inner.objects[name];
  return namespace.get(namespace.idFromString(object)).fetch(url, { signal: AbortSignal.timeout(2000) });
}

async function report(key) {
  try {
    const { version, sockets } = await (await call(key, ASK)).json();
    const [name, object] = key.split(" ");
    return [{ class: name, object, version: VERSIONS[version].id, sockets }];
  } catch {
    return [];
  }
}

// Says which objects have run here, which version they run, and how many sockets they hold; or ends those of a room.
export const sandboxObjects = {
  async fetch(request) {
    const [, room] = new URL(request.url).pathname.split("/evict/");
    if (room === undefined) return Response.json((await Promise.all([...known.keys()].map(report))).flat());
    const isOfRoom = ([, name]) => name === room || name.startsWith(`${room}/`);
    // What is ended does not answer
    await Promise.allSettled([...names].filter(isOfRoom).map(([key]) => call(key, END)));
    return new Response();
  },
};

