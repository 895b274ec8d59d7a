"""Generated from environments/local.toml: publishes updates; the README of the folder above says how."""

import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import httpx
from standardwebhooks import Webhook

URL = (os.environ.get("EDGE_BROADCAST_URL") or "https://broadcast.glow.localhost").rstrip("/") + "/broadcast"
MODE, PERCENT, CREDENTIALS = "edge", 0, "bearer"
Update = Mapping[str, Any]
Queue = Callable[[Sequence[Update]], object]
HTTP, THREADS, JSON = httpx.Client(), ThreadPoolExecutor(), json.JSONEncoder(allow_nan=False, separators=(",", ":"))


@dataclass
class Report:
    """How many updates were `accepted`, `duplicate`, `stale` or `queued`; which were not taken, each with a reason."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Update, str]] = field(default_factory=list)  # They never will be
    failed: list[tuple[Update, str]] = field(default_factory=list)  # They may be another time


class PublishError(Exception): ...  # Has the report. Where the call is made again, the edge delivers nothing twice


def publish(updates: Sequence[Update], queue: Queue | None = None, deadline: float = 0.9) -> Report:
    """Sends updates to the edge, the queue, or both. In the mode `edge` a queue gets what fails to reach the edge."""
    mode = MODE if os.environ.get("USE_EDGE_BROADCAST") == "true" else "sqs"
    if mode != "edge" and queue is None:
        raise ValueError(f"the mode `{mode}` needs a queue (it is `sqs` unless `USE_EDGE_BROADCAST` is `true`)")
    if mode != "sqs" and not os.environ.get("EDGE_BROADCAST_SECRET", "").strip():
        raise ValueError("publishing to the edge needs its secret in `EDGE_BROADCAST_SECRET`")
    end, report, failure = time.monotonic() + deadline, Report(), ""
    items, alike = list[tuple[str, Update]](), Counter[str]()
    for update in updates:
        try:
            items.append((name_of(update, alike), update))
        except (KeyError, TypeError, ValueError) as error:
            report.refused.append((update, repr(error)))
    percent = {"sqs": 0, "percent": PERCENT}.get(mode, 100)
    to_edge = [(name, update) for name, update in items if share(update["token"]) < percent]
    to_queue = [update for _, update in items if mode == "dual" or share(update["token"]) >= percent]
    queued = THREADS.submit(queue if queue and to_queue else len, to_queue)
    spare = deadline / 3 if queue and mode == "edge" else 0  # A queue that gets what failed needs time too
    for (_, update), result in zip(to_edge, at_edge(to_edge, end - spare), strict=True):
        if result["status"] == 200:
            report.counts["duplicate" if result["duplicate"] else "stale" if result["stale"] else "accepted"] += 1
        else:
            of = report.refused if result["status"] in (400, 413, 422) else report.failed
            of.append((update, f"{result['status']} {result.get('error', {}).get('code')}"))
    if queue and spare and report.failed:
        to_queue, report.failed = [update for update, _ in report.failed], []
        queued = THREADS.submit(queue, to_queue)
    try:
        queued.result(max(0, end - time.monotonic()))
        report.counts["queued"] = len(to_queue)
    except Exception as error:  # Whatever a queue raises, or that it takes too long
        failure = f"the queue: {error!r}"
    if mode == "dual":  # What either has taken has not failed
        took = report.counts.total() - report.counts["queued"]
        dual = dict(zip(("edge_only", "neither") if failure else ("both", "sqs_only"), (took, len(to_queue) - took)))
        print(JSON.encode({"event": "edge-broadcast.publish", "mode": mode, "dual": dual, "sqs": failure}), flush=True)
        report.failed, failure = report.failed if failure else [], ""
    report.failed += [(update, failure) for update in to_queue if failure]
    if report.failed:
        raise PublishError(report)
    return report


def name_of(update: Update, alike: Counter[str]) -> str:
    """What a repeat has too: its own `id`, or a digest. Without a moment, a price that comes back is no repeat."""
    text = JSON.encode({**update, "token": "" + update["token"]})
    alike[text] += 1
    seed = f"{alike[text]} {text}".encode() if update.keys() & {"signature", "slot", "timestamp"} else os.urandom(16)
    return str(update.get("id", hashlib.sha256(seed).hexdigest()[:24]))


def share(token: str) -> int:
    """From 0 to 99, the same in every language: all updates of a token go the same way."""
    return reduce(lambda place, character: (place * 31 + ord(character)) % 2**32, token, 0) % 100


def at_edge(items: Sequence[tuple[str, Update]], end: float, tries: int = 0) -> list[dict[str, Any]]:
    """The results, in order. What may fare better (a 401 is signed anew) goes again while there is time, as advised."""
    if len(items) > (most := 63) or not items:  # As many large ones as a request has room for
        return [result for at in range(0, len(items), most) for result in at_edge(items[at : at + most], end)]
    secret, name, now = os.environ["EDGE_BROADCAST_SECRET"].strip(), os.urandom(12).hex(), datetime.now(UTC)
    body = JSON.encode([{"id": name, **update} for name, update in items])
    headers, left = {"authorization": f"Bearer {secret}"}, max(0.01, end - time.monotonic())
    one: dict[str, Any] = {"status": 0}
    try:
        if CREDENTIALS == "signature":
            headers = {"webhook-id": name, "webhook-timestamp": str(int(now.timestamp()))}
            headers["webhook-signature"] = Webhook(secret).sign(name, now, body)
        answer = THREADS.submit(HTTP.post, URL, content=body, headers=headers, timeout=left).result(left)
        advice = answer.headers.get("retry-after", "")
        one = {"status": max(300, answer.status_code), "retry_after": int(advice) if advice.isdecimal() else 0}
        found = answer.json()
        results = found["results"] if len(found.get("results", "")) == len(items) else [one | found] * len(items)
    except Exception as error:  # Nothing of the edge may fail the queue
        results = [one | {"error": {"code": type(error).__name__}}] * len(items)
    again = [at for at, result in enumerate(results) if result["status"] in (0, 401, 429) or result["status"] >= 500]
    wait = max([random.uniform(0, min(0.4, 0.05 * 2**tries)), *(results[at].get("retry_after", 0) for at in again)])
    if again and time.monotonic() + wait < end:
        time.sleep(wait)
        for at, result in zip(again, at_edge([items[at] for at in again], end, tries + 1), strict=True):
            results[at] = result
    return results
