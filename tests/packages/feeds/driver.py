"""Publishes what each line of its input says, and prints what became of it as a line of JSON."""

import contextlib
import functools
import importlib
import io
import json
import os
import socket
import sys
import time

import publisher
import sqs_queue

# No name server knows the deployed hosts: on this machine they are the sandbox's
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: look_up(
    "127.0.0.1" if str(host).endswith(".glow.trade") else host, *rest, **more
)
sqs = functools.cache(sqs_queue.sqs)


def fails(updates):
    raise RuntimeError("it is down")


QUEUES = {"none": None, "well": len, "down": fails, "slow": lambda updates: time.sleep(2)}


def told(left_out):
    return [[update.get("token"), why] for update, why in left_out]


def publish(ask):
    before = os.environ.get("EDGE_BROADCAST_URL")
    for name in ("USE_EDGE_BROADCAST", "EDGE_BROADCAST_URL", "EDGE_BROADCAST_SECRET"):
        os.environ.pop(name, None)
    os.environ.update(ask["environment"])
    if os.environ.get("EDGE_BROADCAST_URL") != before:
        importlib.reload(publisher)
    publisher.MODE, publisher.CREDENTIALS = ask["mode"], ask["credentials"]
    queue = sqs(ask["queue"], 5) if ask["queue"].startswith("http") else QUEUES[ask["queue"]]
    printed, failed = io.StringIO(), False
    try:
        with contextlib.redirect_stdout(printed):
            report = publisher.publish(ask["updates"], queue, ask["deadline_ms"] / 1000)
    except publisher.PublishError as error:
        report, failed = error.args[0], True
    except ValueError as error:
        return {"error": str(error)}
    counts = {name: count for name, count in report.counts.items() if count}
    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    left_out = {"refused": told(report.refused), "failed": told(report.failed)}
    return {**counts, **{kind: found for kind, found in left_out.items() if found}, "raised": failed, "logged": lines}


if __name__ == "__main__":
    for line in sys.stdin:
        ask = json.loads(line)
        print(json.dumps(publisher.share(ask) if isinstance(ask, str) else publish(ask)), flush=True)
