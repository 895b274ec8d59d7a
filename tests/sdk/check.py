"""Reads an upload's metadata from standard input; prints `ok`, or what the SDK's types say against it."""

import json
import sys

from cloudflare.types.workers import script_update_params
from cloudflare.types.workers.scripts import version_create_params
from pydantic import TypeAdapter, ValidationError

# Sent by wrangler 4.164 and newer than the SDK.
NEWER = {
    "script": {"code_update_strategy"},
    "version": {"placement", "limits", "observability"},
}
TYPES = {"script": script_update_params.Metadata, "version": version_create_params.Metadata}



def consume(value):
    """Pydantic checks the items of an `Iterable` only when they are read."""
    if isinstance(value, dict):
        for inner in value.values():
            consume(inner)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for inner in value:
            consume(inner)


kind = sys.argv[1]
metadata = json.load(sys.stdin)
known = set(TYPES[kind].__annotations__) | NEWER[kind]
unknown = sorted(set(metadata) - known)
if unknown:
    print("unknown keys: " + ", ".join(unknown))
    sys.exit()
try:
    consume(TypeAdapter(TYPES[kind]).validate_python({key: value for key, value in metadata.items() if key not in NEWER[kind]}))
    print("ok")
except ValidationError as error:
    print("; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]))
