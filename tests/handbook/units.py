"""systemd's unit files, as far as the handbook's have need of systemd: the command and the variables of a service."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

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
