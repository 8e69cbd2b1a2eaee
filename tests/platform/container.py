"""A container of docker-compose.yml started natively: the image's files and account, its entrypoint, the file's command and environment.

Nothing of the test's own environment gets in. Where a container would have a network of its own, a replica has an address of
127.0.0.0/8 of its own, and listens there on ports that are free here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.servers.account import switch
from deploy.servers.ports import LOOPBACK
from services.chassis.settings import Settings
from tests.platform.compose import ComposeService
from tests.platform.image import Image
from tests.processes import ServiceProcess, eventually

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - what the compose file says, and what is replaced here
_LISTENING = {"MPP_HTTP_HOST": "MPP_HTTP_PORT", "MPP_PROBE_HOST": "MPP_PROBE_PORT"}


class Servers:
    """Where the servers of the compose file are here: by the address that its environment names, such as `postgres:5432`."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)

    def translated(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The same environment with the servers' addresses of this machine."""
        translated = {}
        for name, value in environment.items():
            for there, here in self._addresses.items():
                value = value.replace(f"@{there}/", f"@{here}/").replace(f"//{there}/", f"//{here}/")
            translated[name] = value
        return translated


class Container(ServiceProcess):
    """One replica of a part; healthy when the compose file's own health check says so."""

    def __init__(self, image: Image, service: ComposeService, servers: Servers, address: str, ports: Mapping[str, int], log: Path) -> None:
        """Start nothing yet; `ports`: where it listens at `address` instead of the image's ports, by variable."""
        super().__init__([], {}, log)
        self.service = service
        self.host, self.probe_port = address, ports["MPP_PROBE_PORT"]
        own = servers.translated(service.environment)
        for host, port in _LISTENING.items():
            if own.get(host) == EVERY_ADDRESS:
                own |= {host: address, port: str(ports[port])}
        self._environment = {**image.environment(), **own}
        self._command = image.command(service.command)
        self._folder = image.root
        self._account = image.account
        self._health = [self._here(part) for part in service.health_command]

    def _here(self, part: str) -> str:
        theirs = f"{LOOPBACK}:{Settings.from_environment({}).probe_port}/"
        return part.replace(theirs, f"{self.host}:{self.probe_port}/")

    def is_healthy(self) -> bool:
        """Whether the service's own health check succeeds now."""
        done = subprocess.run(
            self._health, env=self._environment, cwd=self._folder, capture_output=True, check=False, timeout=30, **switch(self._account)
        )
        return done.returncode == 0

    def wait_healthy(self, within: float = 60.0) -> None:
        """Wait until it is healthy; fails with the end of its log."""
        self.wait_ready(within)  # cheaper to ask often
        eventually(self.is_healthy, within=within)

    def memory(self) -> int:
        """The most bytes that it has had in memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def run_once(image: Image, service: ComposeService, servers: Servers, *arguments: str, given: str = "") -> str:
    """`docker compose run --rm SERVICE ARGUMENTS` (its own command without arguments); return what it printed, fail when it fails."""
    done = subprocess.run(
        image.command(list(arguments) or service.command),
        env={**image.environment(), **servers.translated(service.environment)},
        cwd=image.root,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **switch(image.account),
    )
    assert done.returncode == 0, f"{service.name} {arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
