"""An operator's desk: a copy of the checkout's files, a shell, and nothing on the path that a test does not answer for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.handbook.docker import DESK
from tests.handbook.pages import blocks
from tests.processes import CHECKOUT

TOOLS = ("cat", "cp", "date", "dirname", "grep", "install", "ls", "mv", "od", "rm", "sed", "sh", "tail", "tr")
"""Programs of every Debian that pages may use as they are."""

ADDRESS = "https://antrean.example.go.id"

_NOTHING = "#!/bin/sh\nexit 0\n"
_PYTHON = '#!/bin/sh\nPYTHONPATH="{checkout}" exec "{python}" -W ignore -m tests.handbook.{name} "$@"\n'


class Desk:
    """Where pages are run, one after the other, as somebody who reads them would."""

    def __init__(self, folder: Path, variables: Mapping[str, str], gateway: str) -> None:
        self.folder = folder / "checkout"
        self._said = folder / "said"
        self._tools = folder / "bin"
        for each in (self.folder, self._tools):
            each.mkdir(parents=True)
        (self.folder / "deploy/monitoring/targets").mkdir(parents=True)
        for name in ("docker-compose.yml", ".env.example", "deploy/new-env.sh"):
            shutil.copy(CHECKOUT / name, self.folder / name)
        for name in TOOLS:
            (self._tools / name).symlink_to(str(shutil.which(name)))
        for name in ("docker", "curl"):
            self._write(name, _PYTHON.format(checkout=CHECKOUT, python=sys.executable, name=name))
        self._write("chown", _NOTHING)  # to user 10001, which only root may do
        self._description = folder / "desk.json"
        described = {"variables": dict(variables), "checkout": str(CHECKOUT), "said": str(self._said)}
        self._description.write_text(json.dumps({**described, "address": ADDRESS, "gateway": gateway}))

    def _write(self, name: str, text: str) -> None:
        (self._tools / name).write_text(text)
        (self._tools / name).chmod(0o755)

    def run(self, *texts: str, **variables: str) -> str:
        """Run shell texts one after the other in one shell; return what was printed. Fails at the first command that fails."""
        short = next(block for block in blocks("README", "sh") if block.startswith("mpp()")).splitlines()[0]
        script = "\n".join(["set -euo pipefail", short, *texts])
        environment = {"PATH": str(self._tools), DESK: str(self._description), "HOME": os.environ.get("HOME", "/"), **variables}
        command = ["/bin/bash", "-c", script]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def said_to_docker(self) -> list[str]:
        """Every `docker` command until now."""
        return self._said.read_text().splitlines()
