// What a program with Cloudflare's SDK for JavaScript does with Workers, against the API of `CLOUDFLARE_BASE_URL`.
// Prints `{"operation", "calls"}` a line.

import http from "node:http";
import { Cloudflare, toFile } from "cloudflare";

const { CLOUDFLARE_BASE_URL: base, CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_ACCOUNT_ID: account_id } = process.env;
const client = new Cloudflare({ maxRetries: 0 });
const name = "sdk";
const code = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch() { await this.ctx.storage.put("a", 1); return new Response("room"); }
}
export default { fetch(request, env) { return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request); }, scheduled() {} };
`;

// The sandbox's own list of the calls that it had, read or emptied.
async function journal(method) {
  const answer = await fetch(`${base}/sandbox/requests`, { method, headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()).result;
}

// One operation: what it gives, after telling which calls it made. A list is read to its end.
async function run(operation, call) {
  await journal("DELETE");
  let result;
  try {
    const pending = call();
    if (typeof pending[Symbol.asyncIterator] === "function") {
      result = [];
      for await (const item of pending) result.push(item);
    } else {
      result = await pending;
    }
  } catch (error) {
    throw new Error(`${operation}: ${error}; calls: ${JSON.stringify(await journal("GET"))}`, { cause: error });
  }
  console.log(JSON.stringify({ operation, calls: await journal("GET") }));
  return result;
}

// One operation that is refused with this code.
async function refused(operation, code, call) {
  await journal("DELETE");
  const told = await call().then(() => "no error", (error) => error.errors?.[0]?.code);
  check(told === code, { operation, code, told });
  console.log(JSON.stringify({ operation, calls: await journal("GET"), code }));
}

function check(condition, told) {
  if (!condition) throw new Error(`not as expected: ${JSON.stringify(told)}`);
}

// A form as Cloudflare reads it: JSON parts, and a part for each file.
function form(parts, files) {
  const form = new FormData();
  for (const [name, part] of Object.entries(parts)) form.append(name, JSON.stringify(part));
  for (const file of files) form.append(file.name, file);
  return form;
}

const modules = async () => [await toFile(Buffer.from(code), "index.js", { type: "application/javascript+module" })];
const metadata = (more) => ({
  main_module: "index.js",
  compatibility_date: "2026-10-01",
  bindings: [{ type: "durable_object_namespace", name: "ROOM", class_name: "Room" }],
  ...more,
});

async function account() {
  await run("user.get", () => client.user.get());
  await run("user.tokens.verify", () => client.user.tokens.verify());
  await run("accounts.list", () => client.accounts.list());
  check((await run("accounts.get", () => client.accounts.get({ account_id }))).id === account_id, account_id);
  await run("accounts.tokens.verify", () => client.accounts.tokens.verify({ account_id }));
  await run("memberships.list", () => client.memberships.list());
  await run("workers.subdomains.get", () => client.workers.subdomains.get({ account_id }));
}

async function script() {
  const scripts = client.workers.scripts;
  const migrations = { new_tag: "v1", steps: [{ new_sqlite_classes: ["Room"] }] };
  const files = await modules();
  const first = metadata({ migrations });
  // 7.x sends a form that Cloudflare cannot read either (cloudflare-typescript issue 2799), so uploads go through the SDK's `put`
  await refused("workers.scripts.update", 10021, () => scripts.update(name, { account_id, metadata: first, files }));
  const path = `/accounts/${account_id}/workers/scripts/${name}`;
  await run("put", () => client.put(path, { body: form({ metadata: first }, files) }));
  const listed = await run("workers.scripts.list", () => scripts.list({ account_id }));
  check(listed.length === 1 && listed[0].id === name, listed);
  await run("workers.scripts.search", () => scripts.search({ account_id, name }));
  const text = await run("workers.scripts.get", () => scripts.get(name, { account_id }));
  check(text.includes("export class Room"), text);
  await run("workers.scripts.content.get", () => scripts.content.get(name, { account_id }));
  await run("workers.scripts.settings.edit", () => scripts.settings.edit(name, { account_id, tags: ["a"], logpush: false }));
  check((await run("workers.scripts.settings.get", () => scripts.settings.get(name, { account_id }))).tags[0] === "a", "tags");
  const both = scripts.scriptAndVersionSettings;
  await run("patch", () => client.patch(`${path}/settings`, { body: form({ settings: { tags: ["b"] } }, []) }));
  const read = await run("workers.scripts.script_and_version_settings.get", () => both.get(name, { account_id }));
  check(read.tags[0] === "b" && read.bindings[0].name === "ROOM", read);
  await run("workers.scripts.subdomain.create", () => scripts.subdomain.create(name, { account_id, enabled: true }));
  check((await run("workers.scripts.subdomain.get", () => scripts.subdomain.get(name, { account_id }))).enabled, "enabled");
  await run("workers.scripts.subdomain.delete", () => scripts.subdomain.delete(name, { account_id }));
  const body = [{ cron: "*/5 * * * *" }];
  await run("workers.scripts.schedules.update", () => scripts.schedules.update(name, { account_id, body }));
  const { schedules } = await run("workers.scripts.schedules.get", () => scripts.schedules.get(name, { account_id }));
  check(schedules[0].cron === body[0].cron, schedules);
  await secrets(scripts.secrets);
  await versions(scripts, files, path);
  const filters = { filters: [] };
  const tail = await run("workers.scripts.tail.create", () => scripts.tail.create(name, { account_id, body: filters }));
  check((await run("workers.scripts.tail.get", () => scripts.tail.get(name, { account_id }))).id === tail.id, tail);
  await run("workers.scripts.tail.delete", () => scripts.tail.delete(tail.id, { account_id, script_name: name }));
}

async function secrets(secrets) {
  const secret = (name, text) => ({ name, text, type: "secret_text" });
  await run("workers.scripts.secrets.update", () => secrets.update(name, { account_id, ...secret("A", "1") }));
  const patch = { B: secret("B", "2"), C: null };
  const told = await run("workers.scripts.secrets.bulk_update", () => secrets.bulkUpdate(name, { account_id, secrets: patch }));
  check(told.B.type === "secret_text", told);
  const listed = await run("workers.scripts.secrets.list", () => secrets.list(name, { account_id }));
  check(listed.length === 2, listed);
  await run("workers.scripts.secrets.get", () => secrets.get("A", { account_id, script_name: name }));
  await run("workers.scripts.secrets.delete", () => secrets.delete("A", { account_id, script_name: name }));
}

async function versions({ versions, deployments }, files, path) {
  const kept = metadata({ keep_bindings: ["secret_text"] });
  const flat = { account_id, metadata: kept, files };
  await refused("workers.scripts.versions.create", 10021, () => versions.create(name, flat));
  const create = () => client.post(`${path}/versions`, { body: form({ metadata: kept }, files) });
  for (let count = 0; count < 12; count += 1) await create();
  const newest = (await run("post", create)).result;
  const listed = await run("workers.scripts.versions.list", () => versions.list(name, { account_id }));
  check(new Set(listed.map((item) => item.id)).size === newest.number, listed);
  await run("workers.scripts.versions.get", () => versions.get(newest.id, { account_id, script_name: name }));
  const everybody = { account_id, strategy: "percentage", versions: [{ version_id: newest.id, percentage: 100 }] };
  const former = await deployments.create(name, everybody);
  const created = await run("workers.scripts.deployments.create", () => deployments.create(name, everybody));
  // The SDK looks for `items`, where the live API was recorded to answer `deployments`: it ends, without any
  await run("workers.scripts.deployments.list", () => deployments.list(name, { account_id }));
  await run("workers.scripts.deployments.get", () => deployments.get(created.id, { account_id, script_name: name }));
  await run("workers.scripts.deployments.delete", () => deployments.delete(former.id, { account_id, script_name: name }));
}

async function edge() {
  const [zone] = await run("zones.list", () => client.zones.list({ name: "glow.trade" }));
  const zone_id = zone.id;
  await run("zones.get", () => client.zones.get({ zone_id }));
  const { records } = client.dns;
  const given = { zone_id, name: "sdk.glow.trade", type: "AAAA", content: "100::", proxied: true, ttl: 1 };
  const record = await run("dns.records.create", () => records.create(given));
  await run("dns.records.list", () => records.list({ zone_id }));
  await run("dns.records.get", () => records.get(record.id, { zone_id }));
  await run("dns.records.update", () => records.update(record.id, given));
  await run("dns.records.edit", () => records.edit(record.id, given));
  const { routes, domains } = client.workers;
  const pattern = "sdk.glow.trade/*";
  const route = await run("workers.routes.create", () => routes.create({ zone_id, pattern, script: name }));
  await run("workers.routes.list", () => routes.list({ zone_id }));
  await run("workers.routes.get", () => routes.get(route.id, { zone_id }));
  await run("workers.routes.update", () => routes.update(route.id, { zone_id, pattern: "sdk.glow.trade/a*", script: name }));
  await run("workers.routes.delete", () => routes.delete(route.id, { zone_id }));
  await run("dns.records.delete", () => records.delete(record.id, { zone_id }));
  const attached = { account_id, hostname: "own.glow.trade", service: name, environment: "production", zone_id };
  const domain = await run("workers.domains.update", () => domains.update(attached));
  await run("workers.domains.list", () => domains.list({ account_id }));
  await run("workers.domains.get", () => domains.get(domain.id, { account_id }));
  check((await ask("own.glow.trade")) === "room", "the answer");
  await run("workers.domains.delete", () => domains.delete(domain.id, { account_id }));
}

// Through the ingress, so that an object stores something.
function ask(host) {
  return new Promise((resolve, reject) => {
    const request = http.get(process.env.INGRESS, { headers: { host } }, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      resolve(Buffer.concat(parts).toString());
    });
    request.on("error", reject);
  });
}

async function objects() {
  const { namespaces } = client.durableObjects;
  const [namespace] = await run("durable_objects.namespaces.list", () => namespaces.list({ account_id }));
  const listed = await run("durable_objects.namespaces.objects.list", () => namespaces.objects.list(namespace.id, { account_id }));
  check(listed.length === 1, listed);
}

await account();
await script();
await edge();
await objects();
await run("workers.scripts.delete", () => client.workers.scripts.delete(name, { account_id, force: true }));
