"""The published JSON Schemas on disk, and how the code stands to them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contracts.asyncapi import asyncapi_document
from services.contracts.compatibility import incompatibilities
from services.contracts.json_schema import as_text, published_document
from services.contracts.registry import CONTRACTS, Contract

PUBLISHED = Path(__file__).parent / "published"
ASYNCAPI = "asyncapi.json"
"""The description of all public events; it follows from the contracts, and breaks only where one of them does."""


@dataclass(frozen=True)
class Finding:
    """Something about one published file that is not as it should be; `broken` findings are never published."""

    path: str
    sentences: tuple[str, ...]
    broken: bool


def findings(directory: Path = PUBLISHED, contracts: Iterable[Contract] = CONTRACTS) -> list[Finding]:
    """All differences between the code and the published files, by path; empty when they agree."""
    by_path = {contract.path: contract for contract in contracts}
    found = [finding for contract in by_path.values() if (finding := _finding(directory, contract))]
    on_disk = {path.relative_to(directory).as_posix() for path in directory.rglob("*.json")}
    for path in on_disk - by_path.keys() - {ASYNCAPI}:
        sentence = "is published but not in the code; put it back, or delete the file when nobody uses it any more"
        found.append(Finding(path, (sentence,), broken=True))
    if _asyncapi_is_outdated(directory):
        found.append(Finding(ASYNCAPI, ("does not describe the events as they are",), broken=False))
    return sorted(found, key=lambda finding: finding.path)


def publish(directory: Path = PUBLISHED, contracts: Iterable[Contract] = CONTRACTS) -> tuple[list[str], list[Finding]]:
    """Write what is new or has changed compatibly; returns the written paths and what was refused."""
    by_path = {contract.path: contract for contract in contracts}
    written, refused = [], []
    for finding in findings(directory, by_path.values()):
        if finding.broken:
            refused.append(finding)
            continue
        target = directory / finding.path
        target.parent.mkdir(parents=True, exist_ok=True)
        document = asyncapi_document() if finding.path == ASYNCAPI else published_document(by_path[finding.path])
        target.write_text(as_text(document), encoding="utf-8")
        written.append(finding.path)
    return written, refused


def _asyncapi_is_outdated(directory: Path) -> bool:
    target = directory / ASYNCAPI
    return not target.exists() or target.read_text(encoding="utf-8") != as_text(asyncapi_document())


def _finding(directory: Path, contract: Contract) -> Finding | None:
    target = directory / contract.path
    if not target.exists():
        return Finding(contract.path, ("is new and not published yet",), broken=False)
    text = target.read_text(encoding="utf-8")
    current = published_document(contract)
    if text == as_text(current):
        return None
    published: dict[str, Any] = json.loads(text)
    broken = incompatibilities(published, current, contract.direction)
    if broken:
        return Finding(contract.path, tuple(broken), broken=True)
    return Finding(contract.path, ("has changed compatibly and is not published yet",), broken=False)
