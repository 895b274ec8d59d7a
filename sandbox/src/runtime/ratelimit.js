// The rate limit binding: at most `limit` calls for one key within each window of `period` seconds.
// workers-rs checks the class's name.
class Ratelimit {
  #limit;
  #window;
  #calls = new Map();

  constructor(limit, period) {
    this.#limit = limit;
    this.#window = period * 1000;
  }

  async limit({ key }) {
    const now = Date.now();
    if (this.#calls.size > 10_000) this.#calls.clear();
    const open = this.#calls.get(key);
    const current = open && now - open.since < this.#window ? open : { since: now, count: 0 };
    current.count += 1;
    this.#calls.set(key, current);
    return { success: current.count <= this.#limit };
  }
}

export default function (env) {
  return new Ratelimit(env.limit, env.period);
}
