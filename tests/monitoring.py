"""What the delivered monitoring asks for: its rules, and the names of metrics in PromQL."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.platform.deployment import DeployedPlatform

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


def write_targets(folder: Path, platform: DeployedPlatform) -> None:
    """Write whom to watch of a platform without Compose, into a folder that need not exist."""
    parts = {"catalog": [platform.catalog], "ticketing": platform.ticketing, "notification": platform.notification}
    parts |= {"reporting": platform.reporting, "gateway": platform.gateways}
    groups = [{"labels": {"part": part}, "targets": [f"127.0.0.1:{each.probe_port}" for each in parts[part]]} for part in parts]
    folder.mkdir(exist_ok=True)
    (folder / "mpp.yml").write_text(yaml.safe_dump(groups))
    broker = platform.rabbitmq.metrics_url.removeprefix("http://").removesuffix("/metrics")
    (folder / "rabbitmq.yml").write_text(yaml.safe_dump([{"targets": [broker]}]))


def hurried(folder: Path, *, alarm_after: int = 8, intervals: int = 1) -> Path:
    """Copy what is delivered into a new folder, with seconds instead of minutes; return the folder.

    :param alarm_after: how many seconds trouble lasts before it is told. Prometheus looks for Alertmanagers each five seconds.
    """
    for name in ("rules", "alertmanager"):
        shutil.copytree(MONITORING / name, folder / name)
    for name in ("prometheus.yml", "blackbox.yml"):
        shutil.copy(MONITORING / name, folder)
    (folder / "targets").mkdir()
    for path, pattern, seconds, times in (
        (folder / "rules" / "alerts.yml", r"\b(for: )\d+\w", alarm_after, 10),
        (folder / "alertmanager" / "start.sh", r"\b(group_wait: |group_interval: )\d+\w", intervals, 4),
        (folder / "prometheus.yml", r"((?:scrape|evaluation)_(?:interval|timeout): )\d+s", intervals, 3),
    ):
        text, changed = re.subn(pattern, rf"\g<1>{seconds}s", path.read_text())
        assert changed >= times, f"{path.name}: {changed} changed"
        path.write_text(text)
    return folder
