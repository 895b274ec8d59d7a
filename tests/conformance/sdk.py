"""What a program with Cloudflare's SDK for Python does with Workers, against the API of `CLOUDFLARE_BASE_URL`.

Prints `{"operation", "calls"}` a line. Every answer is read strictly: one that is not of the SDK's own types is an error.
"""

import json
import os
import urllib.request

from cloudflare import Cloudflare

BASE, TOKEN, ACCOUNT = (os.environ[name] for name in ("CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"))
SCRIPT = "sdk"
CODE = b"""
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch() { await this.ctx.storage.put("a", 1); return new Response("room"); }
}
export default { fetch(request, env) { return env.ROOM.get(env.ROOM.idFromName("one")).fetch(request); }, scheduled() {} };
"""
client = Cloudflare(base_url=BASE, api_token=TOKEN, max_retries=0, _strict_response_validation=True)
# For the answers of which a recording from the live API contradicts the SDK's types: `"placement": {}`.
lenient = Cloudflare(base_url=BASE, api_token=TOKEN, max_retries=0)


def journal(method):
    """The sandbox's own list of the calls that it had, read or emptied."""
    request = urllib.request.Request(f"{BASE}/sandbox/requests", method=method, headers={"Authorization": f"Bearer {TOKEN}"})
    return json.load(urllib.request.urlopen(request))["result"]


def run(operation, call):
    """One operation: what it gives, after telling which calls it made. A list is read to its end."""
    journal("DELETE")
    try:
        result = call()
        if hasattr(result, "iter_pages"):
            result = list(result)
    except Exception as error:
        told = [str(error), str(error.__cause__ or ""), str(getattr(error, "body", ""))]
        raise SystemExit(f"{operation}: {type(error).__name__}: {'; '.join(told)}; calls: {journal('GET')}") from error
    print(json.dumps({"operation": operation, "calls": journal("GET")}), flush=True)
    return result


def modules():
    return [("index.js", CODE, "application/javascript+module")]


def metadata(**more):
    room = {"type": "durable_object_namespace", "name": "ROOM", "class_name": "Room"}
    return {"main_module": "index.js", "compatibility_date": "2026-10-01", "bindings": [room], **more}


def check(condition, told):
    if not condition:
        raise SystemExit(f"not as expected: {told}")


def account():
    run("user.get", client.user.get)
    run("user.tokens.verify", client.user.tokens.verify)
    run("accounts.list", client.accounts.list)
    run("accounts.get", lambda: client.accounts.get(account_id=ACCOUNT))
    run("accounts.tokens.verify", lambda: client.accounts.tokens.verify(account_id=ACCOUNT))
    run("memberships.list", client.memberships.list)
    run("workers.subdomains.get", lambda: client.workers.subdomains.get(account_id=ACCOUNT))


def script():
    of = {"script_name": SCRIPT, "account_id": ACCOUNT}
    scripts = client.workers.scripts
    first = metadata(migrations={"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Room"]}]})
    run("workers.scripts.update", lambda: scripts.update(metadata=first, files=modules(), **of))
    listed = run("workers.scripts.list", lambda: scripts.list(account_id=ACCOUNT))
    check([item.id for item in listed] == [SCRIPT], listed)
    run("workers.scripts.search", lambda: scripts.search(account_id=ACCOUNT, name=SCRIPT))
    code = run("workers.scripts.get", lambda: scripts.get(**of))
    check("export class Room" in code, code)
    run("workers.scripts.content.get", lambda: scripts.content.get(**of).read())
    run("workers.scripts.settings.edit", lambda: scripts.settings.edit(tags=["a"], logpush=False, **of))
    settings = run("workers.scripts.settings.get", lambda: scripts.settings.get(**of))
    check(settings.tags == ["a"], settings)
    both = lenient.workers.scripts.script_and_version_settings
    run("workers.scripts.script_and_version_settings.edit", lambda: both.edit(settings={"tags": ["b"]}, **of))
    check(run("workers.scripts.script_and_version_settings.get", lambda: both.get(**of)).tags == ["b"], "tags")
    run("workers.scripts.subdomain.create", lambda: scripts.subdomain.create(enabled=True, **of))
    check(run("workers.scripts.subdomain.get", lambda: scripts.subdomain.get(**of)).enabled, "enabled")
    run("workers.scripts.subdomain.delete", lambda: scripts.subdomain.delete(**of))
    run("workers.scripts.schedules.update", lambda: scripts.schedules.update(body=[{"cron": "*/5 * * * *"}], **of))
    schedules = run("workers.scripts.schedules.get", lambda: scripts.schedules.get(**of)).schedules
    check([item.cron for item in schedules] == ["*/5 * * * *"], schedules)
    run("workers.scripts.secrets.update", lambda: scripts.secrets.update(name="A", text="1", type="secret_text", **of))
    patch = {"B": {"name": "B", "text": "2", "type": "secret_text"}, "C": None}
    run("workers.scripts.secrets.bulk_update", lambda: scripts.secrets.bulk_update(secrets=patch, **of))
    listed = run("workers.scripts.secrets.list", lambda: scripts.secrets.list(**of))
    check(sorted(item.name for item in listed) == ["A", "B"], listed)
    run("workers.scripts.secrets.get", lambda: scripts.secrets.get("A", **of))
    run("workers.scripts.secrets.delete", lambda: scripts.secrets.delete("A", **of))
    versions(scripts, of)
    tail = run("workers.scripts.tail.create", lambda: scripts.tail.create(extra_body={"filters": []}, **of))
    check(run("workers.scripts.tail.get", lambda: scripts.tail.get(**of)).id == tail.id, tail)
    run("workers.scripts.tail.delete", lambda: scripts.tail.delete(tail.id, **of))


def versions(scripts, of):
    # Raw, since 5.9.0 cannot build its own type of a version's bindings
    raw = scripts.versions.with_raw_response
    kept = metadata(keep_bindings=["secret_text"])
    create = lambda: json.loads(raw.create(metadata=kept, files=modules(), **of).text())["result"]
    for _ in range(12):
        create()
    newest = run("workers.scripts.versions.create", create)
    listed = run("workers.scripts.versions.list", lambda: scripts.versions.list(**of))
    check(len({item.id for item in listed}) == len(listed) == newest["number"], listed)
    got = run("workers.scripts.versions.get", lambda: json.loads(raw.get(newest["id"], **of).text())["result"])
    check(got == newest, got)
    everybody = [{"version_id": newest["id"], "percentage": 100}]
    create = lambda: scripts.deployments.create(strategy="percentage", versions=everybody, **of)
    former = create()
    created = run("workers.scripts.deployments.create", create)
    # The SDK looks for `items`, where the live API was recorded to answer `deployments`: it ends, without any
    run("workers.scripts.deployments.list", lambda: scripts.deployments.list(**of))
    run("workers.scripts.deployments.get", lambda: scripts.deployments.get(created.id, **of))
    run("workers.scripts.deployments.delete", lambda: scripts.deployments.delete(former.id, **of))


def edge():
    zone = run("zones.list", lambda: client.zones.list(name="glow.trade"))[0].id
    run("zones.get", lambda: client.zones.get(zone_id=zone))
    records = client.dns.records
    given = {"name": "sdk.glow.trade", "type": "AAAA", "content": "100::", "proxied": True, "ttl": 1}
    record = run("dns.records.create", lambda: records.create(zone_id=zone, **given)).id
    run("dns.records.list", lambda: records.list(zone_id=zone))
    run("dns.records.get", lambda: records.get(record, zone_id=zone))
    run("dns.records.update", lambda: records.update(record, zone_id=zone, **given))
    run("dns.records.edit", lambda: records.edit(record, zone_id=zone, **given))
    routes = client.workers.routes
    route = run("workers.routes.create", lambda: routes.create(zone_id=zone, pattern="sdk.glow.trade/*", script=SCRIPT)).id
    run("workers.routes.list", lambda: routes.list(zone_id=zone))
    run("workers.routes.get", lambda: routes.get(route, zone_id=zone))
    run("workers.routes.update", lambda: routes.update(route, zone_id=zone, pattern="sdk.glow.trade/a*", script=SCRIPT))
    run("workers.routes.delete", lambda: routes.delete(route, zone_id=zone))
    run("dns.records.delete", lambda: records.delete(record, zone_id=zone))
    domains = client.workers.domains
    given = {"hostname": "own.glow.trade", "service": SCRIPT, "zone_id": zone}
    domain = run("workers.domains.update", lambda: domains.update(account_id=ACCOUNT, **given)).id
    run("workers.domains.list", lambda: domains.list(account_id=ACCOUNT))
    run("workers.domains.get", lambda: domains.get(domain, account_id=ACCOUNT))
    ask("own.glow.trade")
    run("workers.domains.delete", lambda: domains.delete(domain, account_id=ACCOUNT))


def ask(host):
    """Through the ingress, so that an object stores something."""
    request = urllib.request.Request(os.environ["INGRESS"], headers={"Host": host})
    check(urllib.request.urlopen(request).read() == b"room", "the answer")


def objects():
    namespaces = client.durable_objects.namespaces
    namespace = run("durable_objects.namespaces.list", lambda: namespaces.list(account_id=ACCOUNT))[0].id
    listed = run("durable_objects.namespaces.objects.list", lambda: namespaces.objects.list(namespace, account_id=ACCOUNT))
    check(len(listed) == 1, listed)


account()
script()
edge()
objects()
run("workers.scripts.delete", lambda: client.workers.scripts.delete(SCRIPT, account_id=ACCOUNT, force=True))
