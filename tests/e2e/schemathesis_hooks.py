"""Loaded by schemathesis in its own process: puts names of things that exist into most requests.

Generated ids hit nothing, and a request that ends with 404 shows little of an operation's answers. Which names exist is
told by the test in the variable `EXISTING`.
"""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any
from urllib.parse import unquote

import schemathesis

EXISTING: dict[str, Any] = json.loads(os.environ["EXISTING"])
SHARE = 0.8
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Replace what names something by what names something that exists, most of the time and each for itself.

    The regency always, where one is named at all: the others' data are not for playing with.
    """
    in_path = case.path_parameters
    if isinstance(in_path, dict) and SLUG.fullmatch(str(in_path.get("regency", ""))) and len(in_path["regency"]) <= 40:
        in_path["regency"] = EXISTING["regency"]
    kind = case.operation.path.split("/")[3] if case.operation.path.startswith("/v1/{regency}/") else ""
    if kind in ("accounts", "devices") and isinstance(in_path, dict) and "@" in unquote(str(in_path.get("id", ""))):
        in_path["id"] = EXISTING["ids"].get(kind, "nobody")  # who walks here would be signed out: answers are read for more names
    if isinstance(case.body, dict) and "@" in str(case.body.get("username", "")):
        case.body["username"] = f"nobody@{EXISTING['regency']}"  # the examples' officer is one of other tests, who would have to wait
    names = EXISTING["names"]
    for values, known in ((in_path, {**names, "id": EXISTING["ids"].get(kind)}), (case.query, names), (case.body, names)):
        if isinstance(values, dict):
            for name in values.keys() & known.keys():
                if known[name] is not None and random.random() < SHARE:
                    values[name] = random.choice(known[name]) if isinstance(known[name], list) else known[name]
