"""`docker`, where no Docker is: checks a `docker compose` command against docker-compose.yml, and runs what `run` would.

This table is what the test of the handbook believes of Compose:

- a command and its options are among those in `COMMANDS`; anything else ends with status 64;
- a service that is named exists in the compose file; one that is scaled has neither a name nor a port of its own;
- ``run SERVICE ARGUMENTS`` of the platform's image becomes ``mpp ARGUMENTS`` here, with exactly the variables that the
  compose file gives that service, each with the value that it has for the platform under test; a volume's folder inside
  the container is the folder of the checkout that is mounted there;
- everything else starts, stops or shows containers, of which there are none: it is checked and written down.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import yaml

DESK = "HANDBOOK_DESK"
"""Variable with the path of a file that describes the platform under test."""

COMMANDS: dict[str, dict[str, bool]] = {
    "up": {"-d": False, "--build": False, "--no-deps": False, "--scale": True},
    "ps": {},
    "build": {},
    "restart": {},
    "stop": {},
    "logs": {"--tail": True},
    "run": {"--rm": False, "-T": False},
}
"""Options by command, and whether they take a value."""

EMPTY = {"MPP_BROKER_PUBLIC_URL"}
"""Variables that may stay empty in `.env`."""


def refuse(reason: str) -> NoReturn:
    """End with the status of a command that is used wrongly."""
    sys.stderr.write(f"docker compose: {reason}\n")
    sys.exit(64)


def parsed(words: list[str], known: dict[str, bool], *, until_name: bool = False) -> tuple[dict[str, list[str]], list[str]]:
    """Return options and the rest; with ``until_name`` everything behind the first name belongs to somebody else."""
    options: dict[str, list[str]] = {}
    names: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            names.append(word)
            if until_name:
                return options, names + left
        elif word not in known:
            refuse(f"option {word} is not known")
        else:
            options.setdefault(word, []).append(left.pop(0) if known[word] else "")
    return options, names


def main() -> None:
    """Check the command; run it when it is `run`."""
    desk = json.loads(Path(os.environ[DESK]).read_text())
    services: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text())["services"]
    words = sys.argv[1:]
    if words[:1] != ["compose"]:
        refuse("only `docker compose` is known")
    options, rest = parsed(words[1:], {"--profile": True}, until_name=True)
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    if not set(options.get("--profile", [])) <= profiles or not rest or rest[0] not in COMMANDS:
        refuse(f"{' '.join(words[1:])}: no such profile or command")
    command, arguments = rest[0], rest[1:]
    options, names = parsed(arguments, COMMANDS[command], until_name=command == "run")
    for name in names[:1] if command == "run" else names:
        if name not in services:
            refuse(f"no service {name}")
    for scale in options.get("--scale", []):
        name, _, count = scale.partition("=")
        if name not in services or not count.isdigit() or {"container_name", "ports"} & set(services[name]):
            refuse(f"{scale} cannot be scaled")
    with Path(desk["said"]).open("a") as said:
        said.write(" ".join(words) + "\n")
    if command == "run":
        sys.exit(run(desk, services[names[0]], names[1:]))


def run(desk: dict[str, Any], service: dict[str, Any], arguments: list[str]) -> int:
    """Run what the container would; return the exit status."""
    program, *first = service.get("entrypoint", ["mpp"])
    if service["image"] != "mpp" or program != "mpp":
        refuse("only the platform's own image can be run here")
    folders = {target: str(Path(source).resolve()) for source, target, *_ in (volume.split(":") for volume in service.get("volumes", []))}
    variables = {name: value_of(desk, folders, name, value) for name, value in service["environment"].items()}
    words = [*first, *(arguments or service.get("command", []))]
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("MPP_")}, **variables}
    environment["PYTHONPATH"] = desk["checkout"]
    command = [sys.executable, "-m", "deploy.cli", *(into(folders, word) for word in words)]
    done = subprocess.run(command, check=False, env=environment, stdout=subprocess.PIPE, text=True)
    out = done.stdout
    for target, source in folders.items():
        out = out.replace(source, target)
    sys.stdout.write(out)
    return done.returncode


def value_of(desk: dict[str, Any], folders: dict[str, str], name: str, told: Any) -> str:
    """Return the value of a variable for the platform under test."""
    if name in desk["variables"]:
        return str(desk["variables"][name])
    if "${" in str(told) and name not in EMPTY:
        refuse(f"{name} has no value here")
    return "" if name in EMPTY else into(folders, str(told))


def into(folders: dict[str, str], word: str) -> str:
    """Return a path inside the container as it is outside."""
    for target, source in folders.items():
        if word == target or word.startswith(f"{target}/"):
            return source + word.removeprefix(target)
    return word


if __name__ == "__main__":
    main()
