"""Installs a package of Debian or Ubuntu for its programs alone: no service of it is started."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.servers.process import ServerError

_APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "-y", "--no-install-recommends"]
_POLICY = Path("/usr/sbin/policy-rc.d")


def install(package: str, product: str, report: Callable[[str], None] = lambda line: None, *, service: str | None = None) -> None:
    """Install `package`, which brings `product` (as people call it). Its `service` is not started, now or at the next boot.

    `report` is told, in one line, that it begins. Raises ServerError, in one sentence, where it cannot be done: no apt-get, not
    root, or apt-get's own reason.
    """
    if shutil.which("apt-get") is None:
        raise ServerError(f"{product} is not installed: install it ({package}) and start again.")
    if os.geteuid() != 0:
        raise ServerError(f"{product} is not installed: run `apt-get install {package}` as root and start again.")
    report(f"Installing {product} with apt-get (about a minute)")
    with tempfile.TemporaryFile() as log, _no_service_start():
        if not _apt(["install", package], log.fileno()):
            # Lists of packages that are missing or out of date are the usual reason.
            _apt(["update"], log.fileno())
            if not _apt(["install", package], log.fileno()):
                log.seek(0)
                end = "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
                raise ServerError(f"{product} could not be installed with apt-get:\n{end}")
        systemctl = shutil.which("systemctl")
        if service is not None and systemctl is not None:
            subprocess.run([systemctl, "disable", service], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)


def _apt(arguments: list[str], output: int) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run([*_APT, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    return done.returncode == 0


@contextmanager
def _no_service_start() -> Iterator[None]:
    """Keep packages from starting system-wide services (policy-rc.d, exit 101); a policy of the machine's own stays."""
    try:
        _POLICY.parent.mkdir(parents=True, exist_ok=True)
        with _POLICY.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    except FileExistsError:
        yield
        return
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
