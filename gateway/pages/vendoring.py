"""What pages take from others, file by file: ``python -m gateway.pages.vendoring`` (``make vendor``) fetches it anew.

The renderer of ``/docs`` is served from our own host, so its files lie in ``vendor/``. ``vendor/lock.json`` says which package they
are of and holds its hash, as the lock files of Python's packages do; a test compares the files with it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent / "vendor"
LOCK = VENDOR / "lock.json"


class VendoringError(Exception):
    """What was fetched is not what the lock names."""


def locked() -> dict[str, Any]:
    """Return the lock: ``package``, ``version``, ``integrity`` (SHA-512 of the archive), and SHA-256 by file."""
    found: dict[str, Any] = json.loads(LOCK.read_text())
    return found


def digest(content: bytes) -> str:
    """Return the SHA-256 by which the lock knows a file."""
    return hashlib.sha256(content).hexdigest()


def unpacked(archive: bytes, lock: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a package that we serve; raises ``VendoringError`` when one byte differs from the lock."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != lock["integrity"]:
        raise VendoringError(f"{lock['package']} {lock['version']} is {found}, not {lock['integrity']}")
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        for name, expected in lock["files"].items():
            member = package.extractfile(f"package/{name}")
            content = member.read() if member else b""
            if digest(content) != expected:
                raise VendoringError(f"{name} differs from the lock")
            files[name] = content
    return files


def main() -> None:
    """Fetch the locked package with npm and put its files in place."""
    lock = locked()
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{lock['package']}@{lock['version']}"
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S607 - of the developer's machine
        [archive] = Path(folder).glob("*.tgz")
        files = unpacked(archive.read_bytes(), lock)
    for name, content in files.items():
        (VENDOR / name).write_bytes(content)


if __name__ == "__main__":
    main()
