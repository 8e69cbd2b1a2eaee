"""The archive: a ZIP file with one member per table and the manifest, complete or not there at all.

It is written beside its final name, for its owner only, and renamed when everything in it has reached the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from deploy.backup.failure import BackupError
from deploy.backup.manifest import NAME, Manifest, StoredTable

PARTIAL = ".partial"
COMPRESSION_LEVEL = 3
"""Higher ones take several times as long for a tenth less."""

BLOCK = 1 << 20


class ArchiveWriter:
    """Writes one archive; what is not finished is removed."""

    def __init__(self, target: Path) -> None:
        """Write nothing yet; ``target`` must not exist."""
        self.target = target
        self._partial = target.with_name(f".{target.name}{PARTIAL}")

    def __enter__(self) -> Self:
        try:
            _remove_abandoned(self.target.parent)
            number = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise BackupError(f"{self.target.parent} cannot be written to: {error.strerror}.") from error
        self._file: IO[bytes] = os.fdopen(number, "wb+")
        fcntl.flock(self._file, fcntl.LOCK_EX)  # tells those who tidy up that somebody is at work here
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._file.closed:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), 0)  # what is still buffered finds room to be thrown away
            self._zip.fp = None  # closing it would write
            with contextlib.suppress(OSError):
                self._file.close()
        self._partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BackupError(f"{self.target.parent} cannot be written to: {error.strerror}. No archive was made.") from error

    def add(self, member: str, columns: Iterable[str], blocks: Iterable[bytes | bytearray | memoryview]) -> StoredTable:
        """Store the rows of a table, one line each, and return what the manifest says of them."""
        digest, rows, size = hashlib.sha256(), 0, 0
        with self._zip.open(member, "w", force_zip64=True) as sink:
            for block in blocks:
                sink.write(block)
                digest.update(block)
                rows += bytes(block).count(b"\n")
                size += len(block)
        return StoredTable(member, tuple(columns), rows, size, digest.hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and let the archive appear under its name."""
        self._zip.writestr(NAME, json.dumps(manifest.told(), ensure_ascii=False, indent=1))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        if self.target.exists():
            raise BackupError(f"{self.target} exists already.")
        self._partial.rename(self.target)
        folder = os.open(self.target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._file.close()


class Archive:
    """Reads an archive."""

    def __init__(self, path: Path) -> None:
        """Open it and read its manifest.

        :raises BackupError: there is none, or it is damaged.
        """
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self.manifest = Manifest.read(json.loads(self._zip.read(NAME)))
        except OSError as error:
            raise BackupError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError, zlib.error, NotImplementedError) as error:
            raise BackupError(f"{path} is not a backup, or is damaged: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

    def blocks(self, table: StoredTable) -> Iterator[bytes]:
        """Yield the rows of a table, as they were stored."""
        try:
            with self._zip.open(table.member) as source:
                while block := source.read(BLOCK):
                    yield block
        except (OSError, zipfile.BadZipFile, KeyError, EOFError, zlib.error, NotImplementedError) as error:
            raise BackupError(f"{self.path} is damaged: {table.member}: {error}") from error

    def check(self, tables: Iterable[StoredTable]) -> None:
        """Compare tables with their checksums.

        :raises BackupError: one of them is not what was stored.
        """
        for table in tables:
            digest, rows, size = hashlib.sha256(), 0, 0
            for block in self.blocks(table):
                digest.update(block)
                rows += block.count(b"\n")
                size += len(block)
            if (digest.hexdigest(), rows, size) != (table.sha256, table.rows, table.bytes):
                raise BackupError(f"{self.path} is damaged: {table.member} is not what was stored.")


def _remove_abandoned(folder: Path) -> None:
    """Remove what programs left that were killed while they wrote an archive here."""
    for partial in folder.glob(f".mpp-*{PARTIAL}"):
        with contextlib.suppress(OSError), partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


def size_of(path: Path) -> str:
    """Return a file's size for people."""
    size: Any = path.stat().st_size
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            break
        size, unit = size / 1000, {"bytes": "KB", "KB": "MB", "MB": "GB"}[unit]
    return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
