"""Helpers for tests of the private servers: a folder of one's own, and a starter process that can be killed."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one server, with a space in its name, that every account may pass through."""
    parent = Path(tempfile.mkdtemp(prefix="mpp-test-"))
    parent.chmod(0o711)
    yield parent / "a server"
    shutil.rmtree(parent)


@pytest.fixture
def abandoned() -> Iterator[Callable[[str, Path], list[str]]]:
    """Starts a server in a process that is then killed with SIGKILL; gives the attributes it had printed."""
    starters: list[subprocess.Popen[str]] = []

    def start_and_kill(kind: str, data_dir: Path) -> list[str]:
        module, name = kind.rsplit(".", 1)
        program = (
            f"import sys, time, pathlib; from {module} import {name}; server = {name}(pathlib.Path(sys.argv[1]))\n"
            "server.start(); print(server.pid, server.port, flush=True); sys.stdin.read()"
        )
        starter = subprocess.Popen([sys.executable, "-c", program, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        starters.append(starter)
        assert starter.stdout is not None
        printed = starter.stdout.readline().split()
        starter.kill()
        starter.communicate()
        return printed

    yield start_and_kill
    for starter in starters:
        starter.kill()
        starter.wait()
