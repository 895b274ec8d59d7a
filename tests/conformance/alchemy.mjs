// A Worker with a Durable Object as alchemy keeps it: `create`, `update` and `destroy` by the first argument, state in the folder.

import alchemy from "alchemy";
import { DurableObjectNamespace, Worker } from "alchemy/cloudflare";

const step = process.argv[2];
const app = await alchemy("conformance", {
  phase: step === "destroy" ? "destroy" : "up",
  stage: "test",
  password: "only of this test",
  quiet: true,
  noTrack: true,
});
if (step !== "destroy") {
  await Worker("worker", {
    name: "alchemy",
    script: `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject { async fetch() { await this.ctx.storage.put("a", 1); return new Response("room"); } }
export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === "/text") return new Response(env.TEXT + env.SECRET);
    return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request);
  },
};`,
    bindings: {
      ROOM: DurableObjectNamespace("room", { className: "Room", sqlite: true }),
      TEXT: step,
      SECRET: alchemy.secret("of alchemy"),
    },
    url: true,
  });
}
await app.finalize();
