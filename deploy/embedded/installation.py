"""What an embedded installation keeps in its data folder: servers, secrets, and the settings that follow from them."""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.servers.account import default_data_dir
from deploy.servers.data_folder import write_private
from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from deploy.servers.supervision import Server, Supervisor
from services.chassis.settings import EMBEDDED_BROKER, SERVICES, Settings

CHECKOUT = Path(__file__).resolve().parents[2]

Progress = Callable[[str], None]


class Installation:
    """A data folder with its private PostgreSQL (and RabbitMQ), running while the context is open."""

    def __init__(self, data_dir: str, broker: str, progress: Progress) -> None:
        self.folder = Path(data_dir).absolute() if data_dir else default_data_dir(CHECKOUT)
        self._broker = broker
        self._progress = progress
        self._postgres = PostgresServer(self.folder / "postgres")
        self._rabbitmq = RabbitMQServer(self.folder / "rabbitmq", report=progress) if broker == "rabbitmq" else None

    def __enter__(self) -> Self:
        self._progress(f"Data in {self.folder}")
        self._progress("Starting PostgreSQL")
        self._postgres.start()
        if self._rabbitmq is not None:
            self._progress("Starting RabbitMQ")
            try:
                self._rabbitmq.start()
            except BaseException:
                self._postgres.stop()
                raise
        self._write_environment()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._rabbitmq is not None:
            self._progress("Stopping RabbitMQ")
            self._rabbitmq.stop()
        self._progress("Stopping PostgreSQL")
        self._postgres.stop()

    def supervisor(self) -> Supervisor:
        """Return who starts these servers again when they end by themselves."""
        servers: dict[str, Server] = {"PostgreSQL": self._postgres}
        if self._rabbitmq is not None:
            servers["RabbitMQ"] = self._rabbitmq
        return Supervisor(servers, self._progress)

    def settings(self) -> Settings:
        """Return the settings of this installation; the shell may adjust it, and never points it at other servers.

        :raises SettingsError: the shell is set up for another deployment.
        """
        return Settings.of_installation(self.environment())

    def environment(self) -> dict[str, str]:
        """Return the ``MPP_*`` variables of this installation, as separate processes of it would need them."""
        kept = self._secrets()
        return {
            "MPP_MODE": "embedded",
            "MPP_DATA_DIR": str(self.folder),
            "MPP_LOG_FORMAT": "console",
            "MPP_LOG_LEVEL": "WARNING",
            "MPP_BROKER_URL": EMBEDDED_BROKER if self._rabbitmq is None else self._rabbitmq.url,
            "MPP_ADMIN_DATABASE_URL": self._postgres.admin_url,
            "MPP_TOKEN_SECRET": kept["token"],
            "MPP_TICKET_TOKEN_SECRET": kept["ticket_token"],
            **({} if self._rabbitmq is None else {"MPP_BROKER_MANAGEMENT_URL": self._rabbitmq.management_url}),
            "MPP_ENCRYPTION_KEYS": kept["encryption"],
            "MPP_PERSON_KEYS": kept["person"],
            "MPP_PERSON_HASH_KEYS": kept["person_hash"],
            # Receivers on the same machine, to try webhooks out; a shell may say otherwise.
            "MPP_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "MPP_WEBHOOK_ALLOW_HTTP": "true",
            **{f"MPP_{service.upper()}_DATABASE_URL": self._postgres.url(service, service, kept[service]) for service in SERVICES},
        }

    @property
    def environment_file(self) -> Path:
        """Where :meth:`environment` stands for a shell of this account, so that `mpp events tail` and others work there."""
        return self.folder / "environment"

    def _write_environment(self) -> None:
        lines = ["# Written at each start. In a shell: set -a; . FILE; set +a"]
        lines += [f"{name}={shlex.quote(value)}" for name, value in self.environment().items()]
        write_private(self.environment_file, "\n".join(lines) + "\n")

    def _secrets(self) -> dict[str, str]:
        """Return this installation's secrets, made at its first start and kept for its owner only."""
        file = self.folder / "secrets.json"
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        names = ("token", "ticket_token", "encryption", "person", "person_hash", *SERVICES)
        missing = {name: secrets.token_hex(32) for name in names if name not in kept}
        if missing:
            kept.update(missing)
            write_private(file, json.dumps(kept))
        return kept
