"""The image of deploy/Dockerfile, made natively: the same files in one folder, and what the Dockerfile says of running them.

Its steps are done as far as they can be without a container engine: the build context goes through .dockerignore and the
Dockerfile's COPY lines, our code is installed from nothing else, and beside it lie the packages of requirements.txt and no
others, taken from the virtual environment of the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

from deploy.servers.account import Account, can_reach
from tests.platform.compose import CHECKOUT

DOCKERFILE = CHECKOUT / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined."""

    name: str
    text: str


def instructions(file: Path = DOCKERFILE) -> list[list[Instruction]]:
    """Return the instructions of each stage; the first is its FROM. What stands before any FROM comes first, as a stage."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in file.read_text().splitlines() if not line.startswith("#")))
    stages: list[list[Instruction]] = [[]]
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        name, _, text = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append(Instruction(name, " ".join(text.split())))
    return stages


class Ignored:
    """What .dockerignore keeps out of the build context: the last pattern that fits a path or a folder above it decides."""

    def __init__(self, file: Path) -> None:
        lines = [line.strip() for line in file.read_text().splitlines()]
        self._patterns = [
            (re.compile(expression_of(line.removeprefix("!").strip("/"))), not line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]

    def __call__(self, path: str) -> bool:
        """Whether the file at this path, relative to the context, is left out."""
        ways = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
        decided = False
        for pattern, ignore in self._patterns:
            if any(pattern.fullmatch(way) for way in ways):
                decided = ignore
        return decided


def expression_of(pattern: str) -> str:
    """Return the regular expression of a pattern in which `*` stays within a folder and `**` does not."""
    meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meant.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern))


def checkout_files() -> list[str]:
    """Paths of all files of the checkout that git has or would take; what else lies there is on nobody's server."""
    git = shutil.which("git")
    assert git is not None, "git is needed to tell what belongs to the checkout"
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, check=True
    )
    return [path for path in listed.stdout.decode().split("\0") if path and (CHECKOUT / path).is_file()]


def context_files() -> list[str]:
    """Paths of the files that a build gets to see."""
    ignored = Ignored(CHECKOUT / ".dockerignore")
    return [path for path in checkout_files() if not ignored(path)]


class Image:
    """What the Dockerfile's last stage says, and its files natively in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        last = instructions()[-1]
        by_name = {each.name: each.text for each in last}
        self.entrypoint: list[str] = json.loads(by_name["ENTRYPOINT"])
        self.labels = dict(re.findall(r'(\S+?)="([^"]*)"', by_name["LABEL"]))
        self.ports = [int(port) for port in by_name["EXPOSE"].split()]
        self.user = int(by_name["USER"].split(":")[0])
        self.workdir = by_name["WORKDIR"]
        self.files: dict[str, tuple[int, int]] = {}
        """What lay in `root` when it was built."""
        self._env = dict(pair.split("=", 1) for each in last if each.name == "ENV" for pair in each.text.split(" "))

    @cached_property
    def account(self) -> Account | None:
        """The image's account, when we may become it and it can run our Python; else whoever we are. Known after `build`."""
        own = Account(self.user, self.user)
        return own if os.geteuid() == 0 and can_reach(self.root / "bin" / "python", own) else None

    def environment(self) -> dict[str, str]:
        """The environment of every process in a container before the compose file adds to it."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as Debian's images have it
        own = {name: value.replace("$PATH", path).replace(self.workdir, str(self.root)) for name, value in self._env.items()}
        return {"PATH": path, "HOME": "/home/mpp", **own}

    def command(self, arguments: list[str]) -> list[str]:
        """The entrypoint with arguments; its program is looked up on the image's PATH."""
        program = shutil.which(self.entrypoint[0], path=self.environment()["PATH"])
        assert program is not None, f"the image has no program {self.entrypoint[0]}"
        return [program, *self.entrypoint[1:], *arguments]

    def build(self, work: Path) -> None:
        """Do the build stage's steps, with `work` as its working directory."""
        base = _interpreter(Account(self.user, self.user))
        subprocess.run([base, "-m", "venv", "--without-pip", str(self.root)], check=True)
        site = self.root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        for package in locked_packages():
            if package.metadata["Name"] not in removed_packages():
                _link(package, site)
        self._copy_context(work)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--root-user-action=ignore"]
        subprocess.run(
            [*pip, "--no-build-isolation", "--no-deps", "--no-compile", "--no-index", "--no-cache-dir", "--target", str(site), "."],
            cwd=work,
            check=True,
        )
        self._install_scripts(site)
        compile_all = [str(self.root / "bin/python"), "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*compile_all, str(self.root / "lib")], check=True)
        self.files = files_below(self.root)

    def _copy_context(self, work: Path) -> None:
        seen = context_files()
        for step in instructions()[1]:
            if step.name != "COPY":
                continue
            *sources, target = step.text.split()
            for source in sources:
                found = [path for path in seen if path == source or path.startswith(source + "/")]
                assert found, f"COPY {source}: nothing of it is in the build context"
                for path in found:
                    inside = path if path == source else f"{target}/{path.removeprefix(source + '/')}"
                    (work / inside).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(CHECKOUT / path, work / inside)

    def _install_scripts(self, site: Path) -> None:
        """pip's `--target` leaves programs below the packages, for the interpreter that runs pip."""
        program = site / "bin" / self.entrypoint[0]
        lines = program.read_text().splitlines(keepends=True)
        installed = self.root / "bin" / program.name
        installed.write_text("".join([f"#!{self.root / 'bin/python'}\n", *lines[1:]]))
        installed.chmod(0o755)


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change, in nanoseconds, of everything below a folder."""
    found = {}
    for path in folder.rglob("*"):
        about = path.lstat()
        found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
    return found


def removed_packages() -> list[str]:
    """Packages of requirements.txt that the Dockerfile removes when it has built."""
    return [
        name for step in instructions()[1] for names in re.findall(r"uninstall --yes ([a-z -]+?) &&", step.text) for name in names.split()
    ]


def locked_packages(lock: Path = CHECKOUT / "requirements.txt") -> list[Distribution]:
    """The packages of the run-time lock, as they are installed here; fails when one has another version."""
    found = []
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), re.MULTILINE):
        package = distribution(name)
        assert package.version == version, f"{name} {package.version} is installed, but {version} is locked: run make install-dev"
        found.append(package)
    return found


def _link(package: Distribution, site: Path) -> None:
    """Put a package's files where the image has them, without a copy where the file system can."""
    for file in package.files or ():
        if file.parts[0] == ".." or "__pycache__" in file.parts:
            continue  # programs, and byte code of this place
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(str(file.locate()), target)
        except OSError:
            shutil.copyfile(str(file.locate()), target)


def _interpreter(account: Account) -> str:
    """A Python of this version that the image's account can run: ours, or the system's when ours lies in root's home."""
    own = os.path.realpath(sys.executable)
    system = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    if os.geteuid() == 0 and system is not None and not can_reach(Path(own), account):
        return system
    return own
