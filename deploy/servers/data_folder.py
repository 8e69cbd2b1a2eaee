"""The data folder of a private server: one owner at a time, secrets for its owner only."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.servers.process import ServerError


class FolderLock:
    """Exclusive use of a data folder by this process.

    The kernel gives the lock back when the process ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._folder = folder
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise ServerError when a live process has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 32).decode().strip() or "unknown"
            os.close(file)
            raise ServerError(
                f"{self._folder} is in use by process {owner}: the platform already runs from this folder. "
                "Stop it first, or choose another folder with MPP_DATA_DIR."
            ) from None
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Turn a refused access to the folder into a ServerError that says what to do."""
    try:
        yield
    except PermissionError as error:
        raise ServerError(
            f"{error.filename or folder} cannot be used by this account ({error.strerror}): it may belong to another user. "
            "Choose another folder with MPP_DATA_DIR."
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; one that exists is replaced, not rewritten."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def kept_number(path: Path) -> int | None:
    """A number, such as a port, that an earlier run wrote here."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a server's log, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            text = file.read().decode(errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty log)"
