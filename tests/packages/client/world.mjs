// The deployed system from outside: who publishes, and what befalls the room. Where it is comes from the environment.

import { request } from "node:http";

const { INGRESS, HOST, SECRET, ADMIN, API, API_TOKEN, ACCOUNT, ROOM_SCRIPT, FAULTS_HOST } = process.env;

/** Where its clients and publishers come in. */
export const ingress = { address: INGRESS?.split(":")[0], port: Number(INGRESS?.split(":")[1]) };

/** Publishes one update, or several as a batch; whether it was accepted. A room that restarts accepts nothing for a moment. */
export async function publish(token, updates) {
  const body = updates.length === 1 ? updates[0] : { type: "BATCH_UPDATE", updates };
  const headers = { authorization: `Bearer ${SECRET}`, "content-type": "application/json" };
  const { status, text } = await call("POST", `/broadcast/${encodeURIComponent(token)}`, { host: HOST, ...headers }, JSON.stringify(body));
  if (status >= 400 && status < 500) throw new Error(`publishing was refused: ${text}`);
  return status === 200;
}

/** Ends the runtime and starts it again, as a new version of the room does; all sockets end. */
export async function restart() {
  const url = `${API}/accounts/${ACCOUNT}/workers/scripts/${ROOM_SCRIPT}/secrets`;
  const secret = { name: "UNUSED", text: String(performance.now()), type: "secret_text" };
  const headers = { authorization: `Bearer ${API_TOKEN}`, "content-type": "application/json" };
  const answer = await (await fetch(url, { method: "PUT", headers, body: JSON.stringify(secret) })).json();
  if (!answer.success) throw new Error(`restarting the room: ${JSON.stringify(answer)}`);
}

/** Lets the object of a room die, with what it had in memory and its sockets; where its script is wrapped. */
export async function evict(token) {
  const fault = [{ what: "abort", object: token, call: "snapshot", times: 1 }];
  await call("PUT", "/", { host: FAULTS_HOST }, JSON.stringify(fault));
  await call("GET", `/snapshot/${encodeURIComponent(token)}`, { host: HOST });
}

/** What a room says of itself to its administrator. */
export async function inspect(token) {
  const { text } = await call("GET", `/rooms/${encodeURIComponent(token)}`, { host: HOST, authorization: ADMIN });
  return JSON.parse(text);
}

/** Waits for something outside to become so. */
export async function until(what, isSo, limitMs = 60_000) {
  const limit = Date.now() + limitMs;
  while (!(await isSo())) {
    if (Date.now() > limit) throw new Error(`${what}: not within ${limitMs / 1000} s`);
    await new Promise((rested) => setTimeout(rested, 20));
  }
}

/** A request as `fetch` cannot make it: its `Host` is not where it goes. */
export function call(method, path, headers, body) {
  return new Promise((answered) => {
    const failed = () => answered({ status: 0, text: "" });
    const sent = request({ host: ingress.address, port: ingress.port, method, path, headers, timeout: 5000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => answered({ status: response.statusCode, text }));
      response.on("error", failed);
    });
    sent.on("error", failed);
    sent.on("timeout", () => sent.destroy());
    sent.end(body);
  });
}
