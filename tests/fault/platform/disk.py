"""A small disk that can be filled: a file system in a file, mounted where a server keeps its data."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_BLOCK = 65_536


class Disk:
    """A file system of its own in a folder that does not exist yet; a context manager. Needs root, as mounting does."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._image = folder.with_suffix(".image")
        self._megabytes = megabytes
        self._filler = folder / "filler"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(self._megabytes * 1_000_000)
        # No share of the room is root's alone: whoever fills it, fills it for all.
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-m", "0", self._image], check=True, capture_output=True)
        done = subprocess.run(["/bin/mount", "-o", "loop", self._image, self.folder], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"this test mounts a small disk, which only root may: {done.stderr.strip()}"
        self.folder.chmod(0o755)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        subprocess.run(["/bin/umount", "--lazy", self.folder], check=True)
        self._image.unlink()

    def fill(self, leaving: int = 0) -> None:
        """Take all room but so many bytes; others may write meanwhile."""
        blocks = (shutil.disk_usage(self.folder).free - leaving) // _BLOCK
        with suppress(OSError), self._filler.open("ab", buffering=0) as filler:
            for _ in range(blocks if leaving else blocks + 1):
                filler.write(bytes(_BLOCK))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)
