"""``python -m services.contracts check|publish``: keeps the published JSON Schemas and the code together."""

from __future__ import annotations

import sys

import click

from services.contracts.publication import PUBLISHED, Finding, findings
from services.contracts.publication import publish as publish_changes

NEW_VERSION = (
    "A published version never breaks. Undo the change, or keep version 1 as it is and add the contract with version=2 "
    "in services/contracts/registry.py."
)
PUBLISH = "Run `python -m services.contracts publish` and commit services/contracts/published."


@click.group()
def main() -> None:
    """Compare the contracts in the code with the published JSON Schemas."""


@main.command()
def check() -> None:
    """Fail when a contract differs from what is published."""
    found = findings()
    _show(found)
    if not found:
        click.echo(f"All contracts are as published in {PUBLISHED.name}/.")
        return
    if any(finding.broken for finding in found):
        click.echo(NEW_VERSION, err=True)
    if not all(finding.broken for finding in found):
        click.echo(PUBLISH, err=True)
    sys.exit(1)


@main.command()
def publish() -> None:
    """Write new and compatibly changed contracts; refuse the others."""
    written, refused = publish_changes()
    for path in written:
        click.echo(f"published {path}")
    _show(refused)
    if refused:
        click.echo(NEW_VERSION, err=True)
        sys.exit(1)
    click.echo(f"{len(written)} written; everything is published.")


def _show(found: list[Finding]) -> None:
    for finding in found:
        for sentence in finding.sentences:
            click.echo(f"{finding.path}: {sentence}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m services.contracts")
