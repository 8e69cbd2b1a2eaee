"""The platform of docker-compose.yml on this machine: its servers with its settings, its containers scaled, its proxy in front."""

from __future__ import annotations

import random
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import psycopg

from deploy.outside.management import Management
from deploy.parts import PARTS
from deploy.servers import debian_packages
from deploy.servers.caddy import CaddyServer
from deploy.servers.ports import LOOPBACK, free_port, is_free
from deploy.servers.postgres import PostgresServer
from deploy.servers.postgres_binaries import binaries_for
from deploy.servers.rabbitmq import RabbitMQServer
from tests.platform.client import Client, Ledger
from tests.platform.compose import CHECKOUT, ComposeFile, ComposeService, new_env
from tests.platform.container import Container, Servers, run_once
from tests.platform.image import Image
from tests.platform.replica_names import ReplicaNames
from tests.processes import eventually

PROXY_HEALTH_PORT = 2020
"""The Caddyfile's default."""

_SETTING = re.compile(r"-c(?P<name>[a-z_]+)=(?P<value>\S+)")


class ComposedPlatform:
    """`docker compose up --scale ...` and what the README tells to do next, natively; a context manager."""

    def __init__(
        self,
        folder: Path,
        scale: Mapping[str, int],
        *,
        notification_env: Mapping[str, str] | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare and start nothing yet; `notification_env`: what the operator writes into `notification.env`."""
        self.folder = folder
        project = new_env(folder / "project")
        if notification_env:
            (project.parent / "notification.env").write_text("".join(f"{name}={value}\n" for name, value in notification_env.items()))
        self.file = ComposeFile.of(project)
        self.image = Image(folder / "image")
        self.scale = dict(scale)
        self.replicas: dict[str, list[Container]] = {part: [] for part in PARTS}
        self.postgres = PostgresServer(folder / "postgres", durable=False, settings=_postgres_settings(self.file["postgres"]))
        configuration = _mounted(self.file["rabbitmq"], "/etc/rabbitmq/conf.d/").read_text()
        self.rabbitmq = RabbitMQServer(folder / "rabbitmq", configuration=configuration, report=report)
        self.proxy: CaddyServer
        self.servers = Servers({})
        self.passwords: dict[str, str] = {}
        """Of the accounts that the tests have added."""
        self._tokens: dict[str, tuple[str, float]] = {}
        self._ports = {name: free_port() for name in ("MPP_HTTP_PORT", "MPP_PROBE_PORT")}
        self._addresses = _addresses(*self._ports.values())
        self._names = ReplicaNames(self._addresses_of)
        self._stack = ExitStack()
        self._report = report

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    # --- up

    def up(self) -> None:
        """Start everything in the order that `depends_on` asks for, each as soon as what it needs is healthy or done."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(self._start_servers)
            self.image.build(self.folder / "build")
            started.result()
        done = {"postgres", "rabbitmq"}
        waiting = [service for service in self.file if not service.raw.get("profiles") and service.name not in done]
        while waiting:
            ready = [service for service in waiting if service.needs.keys() <= done]
            assert ready, f"services wait for each other: {[service.name for service in waiting]}"
            self._start_all(ready)
            done |= {service.name for service in ready}
            waiting = [service for service in waiting if service.name not in done]

    def _start_servers(self) -> None:
        self._stack.enter_context(self.postgres)
        self.rabbitmq.start()
        self._stack.callback(self.rabbitmq.kill)
        self.servers = Servers(
            {
                "postgres:5432": f"{LOOPBACK}:{self.postgres.port}",
                "rabbitmq:5672": f"{LOOPBACK}:{self.rabbitmq.port}",
                "rabbitmq:15672": urlsplit(self.rabbitmq.management_url).netloc,
            }
        )
        self._as_their_images_begin()
        self._check_servers_healthy()

    def _as_their_images_begin(self) -> None:
        """The accounts that the images make from their environment at the first start."""
        password = self.file["postgres"].environment["POSTGRES_PASSWORD"]
        with psycopg.connect(self.postgres.admin_url, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD {}").format(password))
        environment = self.file["rabbitmq"].environment
        management = Management(self.rabbitmq.management_url, self.rabbitmq.user, self.rabbitmq.password)
        user = environment["RABBITMQ_DEFAULT_USER"]
        management.put("users", user, body={"password": environment["RABBITMQ_DEFAULT_PASS"], "tags": "administrator"})
        management.put("permissions", "/", user, body={"configure": ".*", "write": ".*", "read": ".*"})

    def _check_servers_healthy(self) -> None:
        program, *arguments = self.file["postgres"].health_command
        programs = binaries_for(None, self.folder / "programs")
        environment = {"PGPORT": str(self.postgres.port)}
        eventually(lambda: subprocess.run([str(programs / program), *arguments], env=environment, check=False).returncode == 0)
        self.rabbitmq.run(*self.file["rabbitmq"].health_command)

    def _start_all(self, services: list[ComposeService]) -> None:
        parts = [service for service in services if service.name in PARTS]
        for service in services:
            if service.name == "migrate":
                self.migrated = self.run("migrate")
            elif service.name == "proxy":
                self._start_proxy(service)
            else:
                assert service in parts, f"nobody knows how to start {service.name} here"
        started = [self._new(part.name) for part in parts for _ in range(self.scale.get(part.name, 1))]
        for container in started:
            container.wait_healthy()

    def _new(self, part: str) -> Container:
        number = len(self.replicas[part]) + 1
        log = self.folder / f"{part}-{number}.log"
        container = Container(self.image, self.file[part], self.servers, next(self._addresses), self._ports, log)
        self._stack.callback(container.kill)
        container.start(wait=False)
        self.replicas[part].append(container)
        return container

    def _start_proxy(self, service: ComposeService) -> None:
        self._stack.enter_context(self._names)
        here = {
            "MPP_PROXY_GATEWAY_PORT": str(self._ports["MPP_HTTP_PORT"]),
            "MPP_PROXY_RESOLVERS": f"resolvers udp/{LOOPBACK}:{self._names.port}",
        }
        self.proxy = CaddyServer(self.folder / "proxy", {**service.environment, **here}, report=self._report)
        self._stack.enter_context(self.proxy)
        self.trust = ssl.create_default_context(cafile=str(self.proxy.root_certificate))
        program, *arguments = [
            part.replace(f"{LOOPBACK}:{PROXY_HEALTH_PORT}/", f"{LOOPBACK}:{self.proxy.health_port}/") for part in service.health_command
        ]
        if shutil.which(program) is None:
            debian_packages.install(program, program, self._report)
        assert subprocess.run([program, *arguments], check=False).returncode == 0, "the proxy's health check fails"

    def _addresses_of(self, service: str) -> list[str]:
        """What the engine's name server answers: the containers that run."""
        return [container.host for container in self.replicas.get(service, []) if not container.has_ended()]

    # --- the operator

    def run(self, service: str, *arguments: str, given: str = "") -> str:
        """`docker compose run --rm SERVICE ARGUMENTS`; return what it printed."""
        return run_once(self.image, self.file[service], self.servers, *arguments, given=given)

    def scale_up(self, part: str) -> Container:
        """`docker compose up --scale PART=one more`; return the new replica when it is healthy."""
        container = self._new(part)
        container.wait_healthy()
        return container

    def stop(self, container: Container) -> float:
        """`docker stop`: SIGTERM, and SIGKILL after the service's own time, which fails; return how many seconds it took."""
        started = time.monotonic()
        status = container.stop(within=container.service.stop_grace)
        assert status == 0, f"{container.service.name} ended with status {status}:\n{container.log_tail()}"
        return time.monotonic() - started

    # --- citizens and staff

    def client(self, account: str | None = None, *, ledger: Ledger | None = None) -> Client:
        """A client that comes through the proxy and trusts its authority, signed in as `account` or anonymous."""
        token = None if account is None else self.token(account)
        client = Client([self.proxy.https_port], token, actor=account or "anonymous", ledger=ledger, tls=self.trust)
        self._stack.callback(client.close)
        return client

    def token(self, account: str) -> str:
        """Access token of an account in `passwords`; signs in anew in good time before it expires."""
        token, expires_at = self._tokens.get(account, ("", 0.0))
        if time.monotonic() > expires_at - 120:
            answer = self.client().post("/v1/auth/token", {"username": account, "password": self.passwords[account]})
            assert answer.status == 200, answer
            token = answer.body["access_token"]
            self._tokens[account] = token, time.monotonic() + answer.body["expires_in"]
        return token


def _postgres_settings(service: ComposeService) -> dict[str, str]:
    program, *settings = service.command
    matches = [_SETTING.fullmatch(setting) for setting in settings]
    assert program == "postgres"
    assert all(matches), f"not settings of PostgreSQL: {settings}"
    return {match["name"]: match["value"] for match in matches if match is not None}


def _mounted(service: ComposeService, target: str) -> Path:
    """The file of the checkout that a service has mounted below a folder."""
    found: list[Any] = [volume.split(":") for volume in service.raw["volumes"] if volume.startswith("./")]
    return next(CHECKOUT / source for source, inside, *_ in found if inside.startswith(target))


def _addresses(*ports: int) -> Iterator[str]:
    """Loopback addresses, one for each container, on which nobody uses the ports."""
    chooser = random.SystemRandom()
    while True:
        address = f"127.{chooser.randint(1, 254)}.{chooser.randint(0, 255)}.{chooser.randint(1, 254)}"
        if all(is_free(port, address) for port in ports):
            yield address
