"""What the delivered monitoring asks for: its rules, and the names of metrics in PromQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

MONITORING = Path(__file__).resolve().parents[1] / "deploy" / "monitoring"

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_MATCHERS = re.compile(r"\{[^}]*\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def rules() -> list[dict[str, Any]]:
    """Return all rules of all files."""
    files = [yaml.safe_load(path.read_text()) for path in sorted((MONITORING / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alert_rules() -> list[dict[str, Any]]:
    """Return the rules that tell somebody."""
    return [rule for rule in rules() if "alert" in rule]


def rule_expressions() -> list[str]:
    """Return the PromQL of all rules."""
    return [rule["expr"] for rule in rules()]


def metric_names(expressions: Iterable[str]) -> set[str]:
    """Return the names of the metrics in some PromQL: what is neither function, label, string, range nor operator."""
    names: set[str] = set()
    for expression in expressions:
        bare = _STRING.sub('""', expression)
        for part in (_GROUPING, _MATCHERS, _RANGE):
            bare = part.sub(" ", bare)
        names |= set(_NAME.findall(bare)) - _WORDS
    return names
