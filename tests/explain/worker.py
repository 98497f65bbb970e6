"""Asks the page's worker in Node."""

import base64
import hashlib
import json
import zlib

from node import run_node
from runs import payload


def packed(content):
    return base64.b64encode(zlib.compress(content)).decode()


def special(found):
    return float(found["special"].replace("Infinity", "inf")) if "special" in found else found


def conversation(content, questions, other=None, sha256=None):
    """The answers {"answer": ..} or {"error": ..}, that to "open" first; their order; how often
    progress was reported."""
    given = {
        "payload": packed(content),
        "sha256": sha256 or hashlib.sha256(content).hexdigest(),
        "other": other and packed(other),
        "questions": questions,
    }
    found = run_node("ask.mjs", given=json.dumps(given).encode())
    return json.loads(found, object_hook=special)


def ask(name, *questions, other=None):
    """The answers to questions about the run `name`, none of which may be an error."""
    found = conversation(payload(name), questions, other and payload(other))["answers"][1:]
    errors = [entry["error"] for entry in found if "error" in entry]
    assert not errors, errors
    return [entry["answer"] for entry in found]
