"""Headers that decide whether and how often a request is done: Idempotency-Key, If-Match, If-None-Match."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any, Final

from gateway.problems import Refusal
from services.chassis.context import Actor
from services.contracts.catalog.entities import MOST_VERSIONS

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IDEMPOTENCY_REPLAYED: Final = "Idempotency-Replayed"
"""On an answer that is that of an earlier request with the same key: nothing was done again."""
TICKET_TOKEN: Final = "Ticket-Token"  # noqa: S105 - a header's name

SHORTEST_GLOBAL_KEY: Final = 16
"""Shorter keys of callers without an account are likely to collide ("1", "test"): they count per client address."""

IDEMPOTENCY_KEY_PATTERN: Final = r"^[ -~]{1,255}$"
ENTITY_TAG_PATTERN: Final = r'^(\*|"[1-9][0-9]{0,8}")$'

NO_VERSION: Final = MOST_VERSIONS
"""The greatest version that the contracts admit; no object is ever changed so often."""

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)
_ENTITY_TAG = re.compile(r'(?:W/)?"[!#-~]*"')
_VERSION = re.compile(r'"([1-9][0-9]{0,8})"')
_OF_PACKED = re.compile(r'-(?:gzip|zstd|br)"$')
"""What a proxy that packs an answer appends to its tag (RFC 9110, section 8.8.3.3). Ours name a state, however it was packed."""


def command_id(idempotency_key: str | None, actor: Actor, client: str) -> str:
    """Return the id under which a service does this command once.

    A key belongs to the actor who sent it; without one the command gets an id of its own. Raises
    ``Refusal("idempotency_key_invalid")``.
    """
    caller = actor.id or "anonymous"
    if idempotency_key is None:
        return f"{caller}:{uuid.uuid4()}"
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise Refusal("idempotency_key_invalid")
    if actor.id is None and len(idempotency_key) < SHORTEST_GLOBAL_KEY:
        return f"{caller}@{client}:{idempotency_key}"
    return f"{caller}:{idempotency_key}"


def expected_version(if_match: str | None) -> int | None:
    """Return the version that an ``If-Match`` header demands, ``None`` when it demands none.

    A tag that never was one of ours (weak, or not a version) demands ``NO_VERSION``: whether the rest of the request
    is right and the object exists is said first (RFC 9110, section 13.2.1). Raises ``Refusal("header_invalid")`` for
    what is no entity tag.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tag = _as_given(if_match)
    version = _VERSION.fullmatch(tag)
    if version:
        return int(version[1])
    if _ENTITY_TAG.fullmatch(tag):
        return NO_VERSION
    raise Refusal("header_invalid", header="If-Match")


def entity_tag(answer: Any) -> str | None:
    """Return the strong entity tag of an object with a version, else ``None``."""
    version = answer.get("version") if isinstance(answer, dict) else None
    return f'"{version}"' if isinstance(version, int) else None


def content_tag(body: bytes) -> str:
    """Return the strong entity tag of an answer without a version: a digest of what it says."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_unchanged(if_none_match: str | None, tag: str | None) -> bool:
    """Whether a reader who sent ``If-None-Match`` already holds this version."""
    if if_none_match is None or tag is None:
        return False
    return if_none_match.strip() == "*" or tag in (_as_given(held).removeprefix("W/") for held in if_none_match.split(","))


def _as_given(tag: str) -> str:
    """Return a tag as this gateway gave it, before a proxy marked it as that of a packed answer."""
    return _OF_PACKED.sub('"', tag.strip())
