"""The probe services as processes: databases, a virtual host of the broker, a caller, and a look at what happened."""

from __future__ import annotations

import itertools
import json
import secrets
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import sqlalchemy as sa
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from services.chassis.broker import EVENT_EXCHANGE, RPC_EXCHANGE
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.events import CONTENT_TYPE, Envelope
from services.chassis.provisioning import Provisioner
from services.chassis.rpc import RpcClient
from tests.processes import ServiceProcess

SERVICES = ("ledger", "mirror")
MIGRATIONS = Path(__file__).parent / "migrations"
QUEUE = "mirror.ledger"
_numbers = itertools.count(1)


def management(rabbitmq: RabbitMQServer, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the broker's management API."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, rabbitmq.management_url, rabbitmq.user, rabbitmq.password)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    request = urllib.request.Request(  # noqa: S310  (our own server)
        rabbitmq.management_url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with opener.open(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def new_virtual_host(rabbitmq: RabbitMQServer, name: str | None = None) -> str:
    """Make a virtual host with queues of its own; return its connection URL."""
    name = name or f"test-{secrets.token_hex(4)}"
    management(rabbitmq, "PUT", f"/api/vhosts/{name}", {})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    management(rabbitmq, "PUT", f"/api/permissions/{name}/{rabbitmq.user}", everything)
    return rabbitmq.url.rpartition("/")[0] + "/" + quote(name, safe="")


class ProbeDeployment:
    """Ledger and mirror with a database each, on one virtual host."""

    def __init__(self, folder: Path, postgres: PostgresServer, broker_url: str) -> None:
        self.folder = folder
        self.broker_url = broker_url
        self._postgres = postgres
        self._name = secrets.token_hex(4)
        self.urls = {service: self._login_url(service) for service in SERVICES}
        self._provisioners = {service: Provisioner(service, url, postgres.admin_url, MIGRATIONS) for service, url in self.urls.items()}
        for provisioner in self._provisioners.values():
            provisioner.prepare()
        self._client: RpcClient | None = None
        self._processes: list[ServiceProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            self._client.stop()
        for process in self._processes:
            process.kill()

    def _login_url(self, service: str) -> str:
        name = f"{service}_{self._name}"
        return self._postgres.url(name, user=name, password=secrets.token_urlsafe(18))

    def new_regency(self, *services: str) -> str:
        """Provision a regency, in both services unless told otherwise."""
        slug = f"probe-{self._name}-{next(_numbers)}"
        self.add_regency(slug, *services)
        return slug

    def add_regency(self, slug: str, *services: str) -> None:
        """Provision a regency of a given name."""
        for service in services or SERVICES:
            self._provisioners[service].add_regency(slug, {})

    @property
    def environment(self) -> dict[str, str]:
        """What a probe process needs to know."""
        urls = {f"MPP_{service.upper()}_DATABASE_URL": url for service, url in self.urls.items()}
        return {**urls, "MPP_BROKER_URL": self.broker_url}

    def process(self, *services: str, **environment: str) -> ServiceProcess:
        """Return a process of these services, not yet started; it is ended with the deployment."""
        log = self.folder / f"{'-'.join(services)}-{next(_numbers)}.log"
        process = ServiceProcess.of_probe(list(services), {**self.environment, **environment}, log)
        self._processes.append(process)
        return process

    def start(self, *groups: tuple[str, ...]) -> list[ServiceProcess]:
        """Start one process per group of services, side by side; return when all are ready."""
        processes = [self.process(*group) for group in groups]
        for process in processes:
            process.start(wait=False)
        for process in processes:
            process.wait_ready()
        return processes

    # --- calling

    @property
    def client(self) -> RpcClient:
        """A caller of this deployment's services."""
        if self._client is None:
            self._client = RpcClient(self.broker_url, "caller")
            self._client.start()
            self._client._listener.connected.wait(5)
        return self._client

    def call(
        self,
        method: str,
        payload: dict[str, Any],
        regency: str | None,
        *,
        seconds: float = 5.0,
        command_id: str | None = None,
        actor: Actor = SYSTEM,
        traceparent: str | None = None,
    ) -> Any:
        """Call ``service.method``."""
        service, _, name = method.partition(".")
        context = CallContext(regency, actor, command_id, traceparent=traceparent).within(seconds)
        return self.client.call(service, name, payload, context)

    def add(self, regency: str, account: str = "a", amount: int = 1, **options: Any) -> dict[str, Any]:
        """Add an entry to the ledger."""
        payload = {"account": account, "amount": amount}
        if "takes" in options:
            payload["seconds"] = options.pop("takes")
        answer: dict[str, Any] = self.call("ledger.add_entry", payload, regency, **options)
        return answer

    def mirrored(self, regency: str, account: str = "a") -> int:
        """How many entries of an account the mirror has, each counted as often as it was handled."""
        return int(self.query("mirror", f"SELECT count(*) FROM {_schema(regency)}.copy WHERE account = :account", account=account)[0][0])

    def entered(self, regency: str, account: str = "a") -> int:
        """How many entries of an account the ledger has."""
        return int(self.query("ledger", f"SELECT count(*) FROM {_schema(regency)}.entry WHERE account = :account", account=account)[0][0])

    # --- looking and meddling

    def query(self, service: str, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement as administrator in a service's database."""
        with self.administrator(service) as connection:
            result = connection.execute(sa.text(statement), parameters)
            found = list(result) if result.returns_rows else []
            connection.commit()
        return found

    @contextmanager
    def administrator(self, service: str) -> Iterator[sa.Connection]:
        """A connection of the administrator, for looking into a database and for holding locks there."""
        database = sa.make_url(self.urls[service]).database or ""
        engine = sa.create_engine(sa.make_url(self._postgres.url(database)).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def outbox(self) -> int:
        """How many events of the ledger wait for publication."""
        return int(self.query("ledger", "SELECT count(*) FROM platform.outbox")[0][0])

    def sequences(self, regency: str) -> list[int]:
        """The ledger's log of the regency's main site."""
        rows = self.query("ledger", f"SELECT sequence FROM {_schema(regency)}.event_log ORDER BY sequence")
        return [row.sequence for row in rows]

    def mark(self, regency: str) -> int:
        """How far the mirror has come with the ledger's main site."""
        rows = self.query("mirror", f"SELECT sequence FROM {_schema(regency)}.stream_mark")
        return rows[0].sequence if rows else 0

    def inbox(self, regency: str) -> list[Any]:
        """The mirror's inbox, in the order of the stream."""
        return self.query("mirror", f"SELECT * FROM {_schema(regency)}.inbox ORDER BY source, sequence")

    @contextmanager
    def broker(self) -> Iterator[Connection]:
        """A connection of a stranger to the virtual host."""
        with Connection(self.broker_url, connect_timeout=3) as connection:
            yield connection

    def publish(self, event: Envelope | dict[str, Any] | bytes, routing_key: str = "x.entry.added", **properties: Any) -> None:
        """Publish something that claims to be an event."""
        body = event.to_cloudevent() if isinstance(event, Envelope) else event
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"content_type": CONTENT_TYPE, "content_encoding": "utf-8", **properties}
        with self.broker() as connection:
            connection.Producer(auto_declare=False).publish(text, exchange=EVENT_EXCHANGE.name, routing_key=routing_key, **options)

    def request(self, method: str, body: Any, **properties: Any) -> dict[str, Any] | None:
        """Send something that claims to be a request to ``service.method``; return the answer, ``None`` without one in time."""
        answers: list[dict[str, Any]] = []
        reply_to = Queue(f"stranger-{uuid.uuid4().hex}", exclusive=True, auto_delete=True, durable=False)
        options = {"content_type": "application/json", "content_encoding": "utf-8", "reply_to": reply_to.name, **properties}
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        with (
            self.broker() as connection,
            connection.Consumer(reply_to, callbacks=[lambda body, message: answers.append(body)], no_ack=True, accept=["json"]),
        ):
            connection.Producer(auto_declare=False).publish(text, exchange=RPC_EXCHANGE.name, routing_key=method, **options)
            end = time.monotonic() + 0.4
            while not answers and time.monotonic() < end:
                try:
                    connection.drain_events(timeout=0.1)
                except TimeoutError:
                    continue
        return answers[0] if answers else None

    def waiting(self, queue: str = QUEUE) -> int:
        """How many messages of a queue no consumer has taken yet; -1 when there is no such queue."""
        with self.broker() as connection:
            try:
                return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
            except (OperationalError, connection.channel_errors):
                return -1

    def purge(self, queue: str = QUEUE) -> int:
        """Throw away what waits in a queue; return how much."""
        with self.broker() as connection:
            return int(connection.default_channel.queue_purge(queue))

    def delete(self, queue: str) -> None:
        """Delete a queue."""
        with self.broker() as connection:
            connection.default_channel.queue_delete(queue)


def _schema(regency: str) -> str:
    return regency.replace("-", "_")
