"""`mpp` as an operator at a shell runs it, against a platform of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests.processes import CHECKOUT


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said: results on `out`, everything else on `err`."""

    status: int
    out: str
    err: str


class Shell:
    """A shell with some of the platform's variables set, and no others."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {name: value for name, value in os.environ.items() if not name.startswith("MPP_")} | dict(variables)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `mpp` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", *arguments],
            cwd=CHECKOUT,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def mpp(self, *arguments: str) -> Said:
        """Run `mpp` to its end."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=120)
        return Said(process.returncode, out, err)
