"""The platform as an operator deploys it: every part a process of its own, replicas of two of them, RabbitMQ in between."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy import regencies
from deploy.seed import documents, holidays, seed
from deploy.servers.ports import LOOPBACK, free_port
from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from services.catalog.usecases.operators import add_operator
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.database import Database
from services.chassis.rpc import RpcClient
from services.chassis.settings import SERVICES, Settings
from tests.platform.client import Client, Ledger
from tests.platform.compose import ComposeFile
from tests.platform.container import Servers
from tests.processes import ServiceProcess, eventually

STAFF = {
    "officer": "officer",
    "frontdesk": "front_desk",
    "supervisor": "supervisor",
    "admin": "administrator",
    "auditor": "auditor",
}
OPERATOR = "operator@platform"

Document = dict[str, Any]


class DeployedPlatform:
    """All parts as processes. Regencies are seeded with accounts of all roles, whose passwords only this run knows."""

    def __init__(
        self,
        folder: Path,
        postgres: PostgresServer,
        rabbitmq: RabbitMQServer,
        *,
        ticketing: int = 2,
        notification: int = 1,
        reporting: int = 1,
        gateways: int = 2,
        broker_port: int | None = None,
        log_level: str = "INFO",
        gateway_environment: Mapping[str, str] | None = None,
        mail_port: int | None = None,
    ) -> None:
        """Prepare and start nothing yet.

        :param broker_port: where the processes reach RabbitMQ, when not at its own port.
        :param mail_port: where notification finds the mail server; default: a free one.
        """
        self.folder = folder
        self.postgres = postgres
        self.rabbitmq = rabbitmq
        self.documents = [{**document, "hours": holidays()} for document in documents()]
        self.passwords: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._database_passwords = {service: self._secret(service) for service in SERVICES}
        self._broker_url = rabbitmq.url.replace(f":{rabbitmq.port}/", f":{broker_port or rabbitmq.port}/")
        self._log_level = log_level
        self._gateway_environment = dict(gateway_environment or {})
        keys = ("MPP_ENCRYPTION_KEYS", "MPP_PERSON_KEYS", "MPP_PERSON_HASH_KEYS")
        self.secrets = {name: self._secret(name) for name in ("MPP_TOKEN_SECRET", "MPP_TICKET_TOKEN_SECRET", *keys)}
        self._compose = ComposeFile(self._operators_env())
        self.mail_port = mail_port or free_port()
        """Where notification hands letters over; a test that wants some listens there."""
        self.http_ports = [free_port() for _ in range(gateways)]
        self.catalog = self._part("catalog")
        self.ticketing, self.notification, self.reporting = (
            [self._part(part, number) for number in range(1, count + 1)]
            for part, count in (("ticketing", ticketing), ("notification", notification), ("reporting", reporting))
        )
        self.gateways = [self._part("gateway", n, MPP_HTTP_PORT=str(port)) for n, port in enumerate(self.http_ports, 1)]
        self._started: list[ServiceProcess] = []
        self._turns = itertools.count()
        self._replicas = itertools.count(ticketing + 1)
        self._clients: list[Client] = []
        self._rpc: RpcClient | None = None

    def _secret(self, name: str) -> str:
        """A new secret for this installation, called `name` in it."""
        return secrets.token_hex(32)

    # --- environment

    def _operators_env(self) -> dict[str, str]:
        """What stands in `.env`."""
        databases = {f"MPP_{service.upper()}_PASSWORD": password for service, password in self._database_passwords.items()}
        servers = {"POSTGRES_PASSWORD": self.postgres.password, "RABBITMQ_PASSWORD": self.rabbitmq.password}
        elsewhere = {"MPP_SITE_ADDRESS": "localhost", "GRAFANA_PASSWORD": "of no part"}
        return {**self.secrets, **databases, **servers, **elsewhere}

    def settings(self) -> Settings:
        """What an administrator's shell has set."""
        return Settings.from_environment(self.administrators_environment())

    def administrators_environment(self) -> dict[str, str]:
        """Variables for `mpp migrate`, `mpp seed` and the like."""
        urls = {f"MPP_{service.upper()}_DATABASE_URL": self.database_url(service) for service in SERVICES}
        return {"MPP_BROKER_URL": self.rabbitmq.url, "MPP_ADMIN_DATABASE_URL": self.postgres.admin_url, **urls}

    def database_url(self, service: str) -> str:
        """Login of a service to its own database."""
        return self.postgres.url(service, service, self._database_passwords[service])

    def _environment(self, part: str) -> dict[str, str]:
        """What the compose file gives this part and no more; servers and addresses are those of this machine."""
        own = Servers({"postgres:5432": f"{LOOPBACK}:{self.postgres.port}"}).translated(self._compose[part].environment)
        own |= {"MPP_BROKER_URL": self._broker_url, "MPP_PROBE_HOST": LOOPBACK, "MPP_LOG_LEVEL": self._log_level}
        if part == "gateway":
            # All test clients share one address, and most come without a proxy.
            own |= {"MPP_ANONYMOUS_RATE": "1000000/minute", "MPP_LOGIN_RATE": "1000000/minute"}
            own |= {"MPP_HTTP_HOST": LOOPBACK, **self._gateway_environment}
        if part == "catalog":
            own["MPP_ACCESS_TOKEN_SECONDS"] = "28800"  # clients of the tests sign in once
        if part == "notification":
            own |= {"MPP_SMTP_URL": f"smtp://127.0.0.1:{self.mail_port}", "MPP_MAIL_FROM": "MPP <antrean@mpp.example.id>"}
            own |= {"MPP_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8", "MPP_WEBHOOK_ALLOW_HTTP": "true"}
            own["MPP_PUBLIC_URL"] = "https://mpp.example.id"
        return own

    def _part(self, part: str, number: int = 1, **more: str) -> ServiceProcess:
        return ServiceProcess.of_part(part, {**self._environment(part), **more}, self.folder / f"{part}-{number}.log")

    # --- life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def processes(self) -> list[ServiceProcess]:
        """All processes that belong to the platform."""
        return [self.catalog, *self.ticketing, *self.notification, *self.reporting, *self.gateways]

    def start(self) -> None:
        """Provision, start all processes, seed, and wait until ticketing knows the catalogue."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.provision()
        for process in self.processes:
            self._started.append(process)
            process.start(wait=False)
        for process in self.processes:
            process.wait_ready()
        self._rpc = RpcClient(self.rabbitmq.url, "tests")
        self._rpc.start()
        self.seed()

    def provision(self) -> None:
        """Create databases, roles and schemas of all regencies, as `mpp seed` does."""
        settings = self.settings()
        regencies.prepare(settings)
        for document in self.documents:
            regencies.add_regency(settings, document["regency"], lambda line: None)

    def seed(self) -> None:
        """Load the regencies with accounts, and one operator; passwords satisfy the rules for real ones."""
        database = Database("catalog", self.database_url("catalog"), pool_size=1)
        with database.platform_work() as work:
            add_operator(work, OPERATOR, "Operator", self._new_password(OPERATOR))
        database.close()
        assert self._rpc is not None
        seed(self._rpc.call, [self._with_accounts(document) for document in self.documents])
        for document in self.documents:
            self.wait_followed("ticketing", "catalog", document["regency"]["id"])

    def join(self, document: Document) -> None:
        """Add one more regency, with accounts, to the running platform."""
        assert self._rpc is not None
        regencies.add_regency(self.settings(), document["regency"], lambda line: None)
        seed(self._rpc.call, [self._with_accounts(document)])
        self.wait_followed("ticketing", "catalog", document["regency"]["id"])

    def _with_accounts(self, document: Document) -> Document:
        slug = document["regency"]["id"]
        staff = [
            {"id": name, "role": role, "display_name": name, "agencies": None, "password": self._new_password(name), "active": True}
            for name, role in ((f"{short}@{slug}", role) for short, role in STAFF.items())
        ]
        devices = [
            {"id": name, "kind": kind, "site": None, "password": self._new_password(name), "active": True}
            for name, kind in ((f"{kind}@{slug}", kind) for kind in ("kiosk", "display"))
        ]
        return {**document, "accounts": staff, "devices": devices}

    def _new_password(self, name: str) -> str:
        return self.passwords.setdefault(name, secrets.token_urlsafe(12))

    def stop(self) -> None:
        """Stop every process politely; fails when one does not."""
        for client in self._clients:
            client.close()
        if self._rpc is not None:
            self._rpc.stop()
        failures: list[Exception] = []
        stopping = [threading.Thread(target=self._stop_one, args=(process, failures)) for process in self._started]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if failures:
            raise failures[0]
        self._check_problems_are_documented()

    def _check_problems_are_documented(self) -> None:
        """Whatever the tests provoked, no gateway answered with a problem that its OpenAPI document does not list."""
        told = [entry for gateway in self.gateways for entry in gateway.log_entries() if entry["event"] == "problem_undocumented"]
        assert not told, f"problems that the OpenAPI document lacks: {told}"

    @staticmethod
    def _stop_one(process: ServiceProcess, failures: list[Exception]) -> None:
        try:
            process.stop()
        except Exception as error:  # noqa: BLE001 - raised by stop() when all others have been stopped
            failures.append(error)

    @contextmanager
    def another(self, part: str) -> Iterator[ServiceProcess]:
        """One more replica of a part for a while."""
        with self._part(part, next(self._replicas)) as process:
            yield process

    @contextmanager
    def catalog_with(self, **environment: str) -> Iterator[None]:
        """The catalogue configured otherwise for a while; it is started anew, before and after."""
        former = self.catalog
        former.stop()
        try:
            with self._part("catalog", 1, **environment) as self.catalog:
                yield
        finally:
            self.catalog = former
            former.start()

    def wait_ready(self, within: float = 40.0) -> float:
        """Wait until every process says that it is ready; return how many seconds it took."""
        started = time.monotonic()
        for process in self.processes:
            process.wait_ready(max(1.0, within - (time.monotonic() - started)))
        return time.monotonic() - started

    # --- access

    def client(self, account: str | None = None, *, ledger: Ledger | None = None, gateway: int | None = None) -> Client:
        """A client signed in as `account` (such as officer@lampung-timur), or anonymous; `gateway` is where it begins."""
        start = (next(self._turns) if gateway is None else gateway) % len(self.http_ports)
        ports = self.http_ports[start:] + self.http_ports[:start]
        token = None if account is None else self.token(account)
        client = Client(ports, token, actor=account or "anonymous", ledger=ledger)
        self._clients.append(client)
        return client

    def token(self, account: str) -> str:
        """Access token of an account, signed in once."""
        if account not in self._tokens:
            credentials = {"username": account, "password": self.passwords[account]}
            answer = self.client().post("/v1/auth/token", credentials)
            assert answer.status == 200, answer
            self._tokens[account] = answer.body["access_token"]
        return self._tokens[account]

    def call(self, service: str, method: str, payload: Mapping[str, Any], regency: str | None = None, actor: Actor = SYSTEM) -> Any:
        """Call a service over RPC, past the gateway."""
        assert self._rpc is not None
        return self._rpc.call(service, method, dict(payload), CallContext(regency=regency, actor=actor))

    def wait_followed(self, follower: str, owner: str, regency: str, within: float = 40.0) -> None:
        """Wait until `follower` has handled all events that `owner` has written for a regency."""

        def followed() -> bool:
            heads = [head for head in self.call(owner, "stream_heads", {}) if head["regency"] == regency]
            marks = {mark["source"]: mark["sequence"] for mark in self.call(follower, "stream_marks", {}, regency)}
            return bool(heads) and all(marks.get(head["source"], 0) >= head["sequence"] for head in heads)

        eventually(followed, within=within)

    def event_log(self, regency: str, source: str) -> list[dict[str, Any]]:
        """Return all events of one stream from its owner's log, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            after = int(found[-1]["sequence"]) if found else 0
            page = self.call(source.split("/")[3], "read_log", {"source": source, "after": after, "limit": 500}, regency)
            if not page:
                return found
            found += page
