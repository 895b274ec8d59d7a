// The release RELEASE of a room that serves nobody.
import "./index_bg.wasm";

export class BroadcastRoom {
  fetch() {
    return new Response();
  }
}

export default {
  fetch() {
    return new Response();
  },
};
