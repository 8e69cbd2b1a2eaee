"""The pages of the handbook and the fenced blocks in them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

OPERATIONS = Path(__file__).resolve().parents[2] / "deploy" / "operations"
PAGES = sorted(page.stem for page in OPERATIONS.glob("*.md"))

LANGUAGES = {"sh", "promql", "cron", "yaml", "text"}
"""Each of them is run, read or compared by a test; a block in another language would be run by nobody."""

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of one language in a page, in order."""
    return [text for found, text in all_blocks(page) if found == language]


def all_blocks(page: str) -> list[tuple[str, str]]:
    """Return ``(language, text)`` of every block of a page."""
    found = _BLOCK.finditer((OPERATIONS / f"{page}.md").read_text())
    return [(block["language"], textwrap.dedent(block["text"])) for block in found]
