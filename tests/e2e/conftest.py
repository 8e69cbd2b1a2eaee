"""Platforms for the end-to-end tests, started when first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.embedded import EmbeddedPlatform


@pytest.fixture(scope="session")
def embedded_platform(server_folder: Path) -> Iterator[EmbeddedPlatform]:
    """`mpp up` on a new data folder; tests that stop it start it again."""
    with EmbeddedPlatform(server_folder / "embedded") as platform:
        yield platform


@pytest.fixture(scope="module")
def embedded_over_rabbitmq(server_folder: Path) -> Iterator[EmbeddedPlatform]:
    """`mpp up --broker rabbitmq` on a new data folder."""
    with EmbeddedPlatform(server_folder / "embedded-rabbitmq", broker="rabbitmq") as platform:
        yield platform
