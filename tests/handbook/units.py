"""systemd's unit files, as far as the handbook's have need of systemd: the command and the variables of a service."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.servers.process import Guard, wait_for_exit
from tests.handbook.pages import OPERATIONS


class Unit:
    """A unit file or drop-in of the handbook, installed on a machine whose folders and ports lie elsewhere.

    :param places: what a path or port of the file is here.
    """

    def __init__(self, name: str, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        lines = [line.partition("=") for line in (OPERATIONS / name).read_text().splitlines() if "=" in line and not line.startswith("#")]
        self._settings = [(key, self._here(value)) for key, _, value in lines]

    def _here(self, text: str) -> str:
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def _all(self, key: str) -> list[str]:
        """Values of a setting; an empty one takes back those before it, the distribution's included."""
        values: list[str] = []
        for name, value in self._settings:
            if name == key:
                values = [*values, value] if value else []
        return values

    @property
    def command(self) -> list[str]:
        """What is started."""
        (command,) = self._all("ExecStart")
        return shlex.split(command)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that it is given: of its files, as systemd reads quotes in them."""
        lines = [line for file in self._all("EnvironmentFile") for line in Path(file).read_text().splitlines()]
        words = [*lines, *(word for value in self._all("Environment") for word in shlex.split(value))]
        return dict("".join(shlex.split(word)).split("=", 1) for word in words if "=" in word and not word.startswith(("#", ";")))


@contextmanager
def running(unit: Unit, log: Path) -> Iterator[None]:
    """Run what a unit file starts, as long as wanted; what it prints goes to a file."""
    with log.open("wb") as output:
        environment = {"PATH": os.environ["PATH"], **unit.environment}
        process = subprocess.Popen(unit.command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    guard = Guard(process.pid, unit.command[-1], "TERM")
    try:
        yield
    finally:
        process.terminate()
        if not wait_for_exit(process, 20):
            process.kill()
            wait_for_exit(process, 20)
        guard.dismiss()
