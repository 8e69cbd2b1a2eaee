"""Finds RabbitMQ on this machine, or installs it from the distribution's packages."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.servers.process import ServerError

# Where distributions keep RabbitMQ's own scripts. The wrappers in /usr/sbin will not do: they switch to the account `rabbitmq`
# and drop the environment that makes a server private.
_PLACES = ("/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/rabbitmq*/sbin")
_APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "-y", "--no-install-recommends"]
_POLICY = Path("/usr/sbin/policy-rc.d")


def scripts_folder() -> Path | None:
    """Folder of rabbitmq-server and rabbitmqctl, or None when RabbitMQ is not installed."""
    for place in _PLACES:
        root = Path("/")
        for folder in sorted(root.glob(place.lstrip("/")), reverse=True):
            if os.access(folder / "rabbitmq-server", os.X_OK):
                return folder
    return None


def ensure_installed(report: Callable[[str], None] = lambda line: None) -> Path:
    """Folder of RabbitMQ's scripts; installs the package first when root on Debian or Ubuntu lacks it.

    `report` is told, in one line, when something that takes time begins. Raises ServerError when RabbitMQ cannot be had.
    """
    folder = scripts_folder()
    if folder is not None and shutil.which("erl"):
        return folder
    if shutil.which("apt-get") is None:
        raise ServerError("RabbitMQ is not installed: install it (rabbitmq-server) and start again.")
    if os.geteuid() != 0:
        raise ServerError("RabbitMQ is not installed: run `apt-get install rabbitmq-server` as root and start again.")
    report("Installing RabbitMQ with apt-get (about a minute)")
    with tempfile.TemporaryFile() as log, _no_service_start():
        if not _apt(["install", "rabbitmq-server"], log.fileno()):
            # Lists of packages that are missing or out of date are the usual reason.
            _apt(["update"], log.fileno())
            if not _apt(["install", "rabbitmq-server"], log.fileno()):
                log.seek(0)
                end = "\n".join(log.read().decode(errors="replace").splitlines()[-15:])
                raise ServerError(f"RabbitMQ could not be installed with apt-get:\n{end}")
    folder = scripts_folder()
    if folder is None:
        raise ServerError("RabbitMQ was installed, but its scripts are not where Debian and Ubuntu put them.")
    return folder


def _apt(arguments: list[str], output: int) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run([*_APT, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    return done.returncode == 0


@contextmanager
def _no_service_start() -> Iterator[None]:
    """Keep the package from starting a system-wide broker (policy-rc.d, exit 101); a policy of the machine's own stays."""
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
