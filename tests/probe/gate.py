"""A service that starts, and stops, only when a file tells it to."""

from __future__ import annotations

import os
from pathlib import Path

import eventlet
from nameko.extensions import DependencyProvider

FILE = "PROBE_GATE_FILE"
"""The environment's variable that names the file: it starts when the file exists, and stops when it does not."""


class Gate(DependencyProvider):
    """Holds up its container."""

    def start(self) -> None:
        """Wait for the file."""
        while not _file().exists():
            eventlet.sleep(0.02)

    def stop(self) -> None:
        """Wait until the file is gone."""
        while _file().exists():
            eventlet.sleep(0.02)


def _file() -> Path:
    return Path(os.environ[FILE])


class GateService:
    """Does nothing else."""

    name = "gate"
    gate = Gate()
