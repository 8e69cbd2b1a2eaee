"""What is published and what the code says stay together; an incompatible change is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.contracts import __main__ as command_line
from services.contracts import publication
from services.contracts.publication import PUBLISHED, findings, publish

pytestmark = pytest.mark.contract

COMMAND = "ticketing/issue_ticket.v1.json"
EVENT = "ticketing/ticket.called.v1.json"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of the published files, to change."""
    return Path(shutil.copytree(PUBLISHED, tmp_path / "published"))


def edit(published: Path, path: str, **changes: Any) -> None:
    document = json.loads((published / path).read_text(encoding="utf-8"))
    (published / path).write_text(json.dumps({**document, **changes}), encoding="utf-8")


def test_the_code_is_as_published() -> None:
    assert findings() == [], "run `python -m services.contracts check`"


def test_publishing_again_changes_nothing(published: Path) -> None:
    assert publish(published) == ([], [])


def test_a_new_contract_is_found_and_published(published: Path) -> None:
    (published / COMMAND).unlink()
    assert [(finding.path, finding.broken) for finding in findings(published)] == [(COMMAND, False)]
    assert publish(published) == ([COMMAND], [])
    assert (published / COMMAND).read_text(encoding="utf-8") == (PUBLISHED / COMMAND).read_text(encoding="utf-8")


def test_a_compatible_change_is_found_and_published(published: Path) -> None:
    edit(published, COMMAND, description="Take a number.")
    assert [(finding.path, finding.broken) for finding in findings(published)] == [(COMMAND, False)]
    assert publish(published) == ([COMMAND], [])
    assert findings(published) == []


def test_an_incompatible_change_is_never_published(published: Path) -> None:
    document = json.loads((published / EVENT).read_text(encoding="utf-8"))
    document["properties"]["queue"] = {"type": "string"}
    edit(published, EVENT, properties=document["properties"])
    before = (published / EVENT).read_text(encoding="utf-8")
    written, refused = publish(published)
    assert written == []
    assert [finding.path for finding in refused] == [EVENT]
    assert "queue: the new code does not send this field any more" in refused[0].sentences
    assert (published / EVENT).read_text(encoding="utf-8") == before


def test_a_published_contract_that_left_the_code_is_found(published: Path) -> None:
    shutil.copy(published / COMMAND, published / "ticketing" / "reserve_ticket.v1.json")
    assert [(finding.path, finding.broken) for finding in findings(published)] == [("ticketing/reserve_ticket.v1.json", True)]


def test_the_command_line_tells_what_to_do(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_order = CliRunner().invoke(command_line.main, ["check"])
    assert (in_order.exit_code, in_order.stderr) == (0, "")

    edit(published, COMMAND, additionalProperties=True)
    edit(published, EVENT, description="x")
    found = publication.findings(published)
    monkeypatch.setattr(command_line, "findings", lambda: found)
    check = CliRunner().invoke(command_line.main, ["check"])
    assert check.exit_code == 1
    assert f"{COMMAND}: payload: who knows the published version may send fields of any name" in check.stderr
    assert f"{EVENT}: has changed compatibly and is not published yet" in check.stderr
    assert command_line.NEW_VERSION in check.stderr
    assert command_line.PUBLISH in check.stderr

    monkeypatch.setattr(command_line, "publish_changes", lambda: publication.publish(published))
    refused = CliRunner().invoke(command_line.main, ["publish"])
    assert refused.exit_code == 1
    assert refused.stdout == f"published {EVENT}\n"
    assert command_line.NEW_VERSION in refused.stderr
