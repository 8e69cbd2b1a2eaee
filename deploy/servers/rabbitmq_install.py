"""Finds RabbitMQ on this machine, or installs it from the distribution's packages."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from deploy.servers import debian_packages
from deploy.servers.process import ServerError

# Where distributions keep RabbitMQ's own scripts. The wrappers in /usr/sbin will not do: they switch to the account `rabbitmq`
# and drop the environment that makes a server private.
_PLACES = ("/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/rabbitmq*/sbin")


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
    debian_packages.install("rabbitmq-server", "RabbitMQ", report, service="rabbitmq-server")
    folder = scripts_folder()
    if folder is None:
        raise ServerError("RabbitMQ was installed, but its scripts are not where Debian and Ubuntu put them.")
    return folder
