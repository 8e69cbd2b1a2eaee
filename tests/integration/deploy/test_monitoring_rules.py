"""Prometheus' own judgement of what is delivered: configuration, rules, and what the rules say in trouble."""

import subprocess
from pathlib import Path

import pytest

from deploy.servers.prometheus import ensure_installed
from tests.monitoring import MONITORING, alert_rules

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Prometheus' tool for checking, installed first where it is missing."""
    return ensure_installed()["promtool"]


def check(promtool: Path, *arguments: str | Path) -> str:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_configuration_is_valid_with_all_its_rules(promtool: Path):
    said = check(promtool, "check", "config", MONITORING / "prometheus.yml")
    assert "2 rule files found" in said


def test_rules_are_valid(promtool: Path):
    said = check(promtool, "check", "rules", "--lint-fatal", *sorted((MONITORING / "rules").glob("*.yml")))
    assert f"SUCCESS: {len(alert_rules())} rules found" in said


def test_rules_tell_trouble_and_nothing_else(promtool: Path):
    check(promtool, "test", "rules", *sorted((MONITORING / "rule_tests").glob("*.yml")))


def test_a_rule_that_is_wrong_would_be_noticed(promtool: Path, tmp_path: Path):
    """The check above can fail: with another limit the rules' tests do."""
    for folder in ("rules", "rule_tests"):
        (tmp_path / folder).mkdir()
        for path in (MONITORING / folder).glob("*.yml"):
            (tmp_path / folder / path.name).write_text(path.read_text().replace("age_seconds) > 30", "age_seconds) > 3000"))
    done = subprocess.run(
        [promtool, "test", "rules", *(tmp_path / "rule_tests").glob("*.yml")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "OutboxStuck" in done.stdout + done.stderr
