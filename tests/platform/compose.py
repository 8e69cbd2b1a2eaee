"""docker-compose.yml as Compose reads it: variables from `.env`, merged anchors, lists and mappings in one form.

Only what the file uses; what the reader does not know fails loudly.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "docker-compose.yml"
_MAKES_ENV = ("deploy/new-env.sh", ".env.example")

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?])(?P<text>[^{}]*))?\}|(?P<other>.))")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class ComposeError(Exception):
    """Compose would refuse the file, or it uses something that this reader does not know."""


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a document with `${NAME}`, `${NAME-default}`, `${NAME:?reason}` and `$$` of its texts replaced.

    :raises ComposeError: with Compose's reason, when a needed variable is not set.
    """

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        if match["other"]:
            raise ComposeError(f"not a variable: {match[0]!r} in {match.string!r}")
        name, operator = match["name"], match["operator"] or ""
        found = variables.get(name)
        if operator.startswith(":") and not found:
            found = None
        if found is None and operator.endswith("?"):
            raise ComposeError(f"required variable {name} is missing a value: {match['text']}")
        return found if found is not None else (match["text"] if operator.endswith("-") else "")

    if isinstance(value, str):
        return _VARIABLE.sub(replaced, value)
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    return value


def read_env(file: Path) -> dict[str, str]:
    """Read an env file of plain `NAME=value` lines and comments."""
    variables = {}
    for line in file.read_text().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, separator, value = line.partition("=")
            if not separator or not name.isidentifier() or value != value.strip() or value[:1] in ("'", '"'):
                raise ComposeError(f"{file}: cannot read {name!r}")
            variables[name] = value
    return variables


def new_env(folder: Path, name: str = "") -> Path:
    """Make a `.env` in a folder as the README tells an operator to, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in _MAKES_ENV:
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(CHECKOUT / file, folder / file)
    command = ["sh", str(folder / _MAKES_ENV[0]), *([name] if name else [])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"}, cwd="/")
    return folder / ".env"


def seconds(duration: str) -> float:
    """Return how many seconds a duration such as `1m30s` is."""
    match = _DURATION.fullmatch(duration)
    if match is None or not duration:
        raise ComposeError(f"not a duration: {duration!r}")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def size(text: str) -> int:
    """Return how many bytes a size such as `512m` is."""
    units = {"k": 2**10, "m": 2**20, "g": 2**30}
    if text[-1] not in units or not text[:-1].isdigit():
        raise ComposeError(f"not a size: {text!r}")
    return int(text[:-1]) * units[text[-1]]


@dataclass(frozen=True)
class ComposeService:
    """One service of the file, with everything replaced."""

    name: str
    raw: Mapping[str, Any]
    environment: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """What is given to the image's entrypoint."""
        command = self.raw.get("command", [])
        if not isinstance(command, list):
            raise ComposeError(f"{self.name}: a command in one text is split by nobody here")
        return [str(part) for part in command]

    @property
    def stop_grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return seconds(self.raw.get("stop_grace_period", "10s"))

    @property
    def memory_limit(self) -> int:
        """Bytes after which the kernel ends it."""
        return size(self.raw["mem_limit"])

    @property
    def health_command(self) -> list[str]:
        """The command that says by its exit status whether the container is healthy."""
        form, *command = self.raw["healthcheck"]["test"]
        if form != "CMD":
            raise ComposeError(f"{self.name}: a health check of the form {form!r}")
        return [str(part) for part in command]

    @property
    def needs(self) -> Mapping[str, str]:
        """What is waited for before it is started: service and condition."""
        return {name: needed["condition"] for name, needed in self.raw.get("depends_on", {}).items()}

    @property
    def networks(self) -> frozenset[str]:
        """Where it has an address."""
        return frozenset(self.raw.get("networks", ["default"]))


class ComposeFile:
    """The whole file with the variables of a `.env`; env files that it names are looked up in `folder`."""

    def __init__(self, variables: Mapping[str, str], folder: Path | None = None) -> None:
        self.variables = dict(variables)
        self.document: dict[str, Any] = interpolated(yaml.safe_load(FILE.read_text()), self.variables)
        self._folder = folder

    @classmethod
    def of(cls, env_file: Path) -> Self:
        """The file as Compose reads it where this `.env` lies."""
        return cls(read_env(env_file), env_file.parent)

    def __iter__(self) -> Iterator[ComposeService]:
        return (self[name] for name in self.document["services"])

    def __getitem__(self, name: str) -> ComposeService:
        raw = self.document["services"][name]
        environment: dict[str, str] = {}
        for entry in raw.get("env_file", []):
            if self._folder is not None and (self._folder / entry["path"]).exists():
                environment |= read_env(self._folder / entry["path"])
            elif entry.get("required", True):
                raise ComposeError(f"env file {entry['path']} not found")
        environment |= {variable: str(value) for variable, value in raw.get("environment", {}).items()}
        return ComposeService(name, raw, environment)
