// The release RELEASE of a room that serves nobody and says which version it runs.
import "./index_bg.wasm";

export class BroadcastRoom {
  constructor(state, env) {
    this.env = env;
  }

  fetch() {
    return Response.json({ status: "ok", version: this.env.CF_VERSION_METADATA.id });
  }
}

export default {
  fetch() {
    return new Response();
  },
};
