"""An installation to be measured: servers and platform with so many regencies, kept in a folder for the next measurement."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deploy import regencies
from deploy.seed import documents, seed
from deploy.servers.ports import free_port
from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer
from services.chassis.rpc import RpcClient
from tests.bench import past
from tests.bench.load import Post
from tests.platform.deployment import DeployedPlatform, Document
from tests.processes import CHECKOUT, eventually

MODEL = "oku-timur"
"""Whose document the generated regencies have: one site, eight counters that serve four agencies."""
ALONE = "lampung-timur"
"""The one regency of an installation with one: it has the counters for everybody."""

TOKENS_LAST = 6 * 3600
"""Two hours less than they do."""

Progress = Callable[[str], None]


@dataclass
class Kept:
    """What an installation's folder remembers."""

    seed: str = field(default_factory=lambda: secrets.token_hex(32))
    mail_port: int = field(default_factory=free_port)
    webhook_port: int = field(default_factory=free_port)
    regencies: int = 0
    past_tickets: int = 0
    seconds_of: dict[str, float] = field(default_factory=dict)
    """How long each step of preparing took."""
    tokens: dict[str, str] = field(default_factory=dict)
    signed_in_at: float = 0.0
    """Unix time: hundreds of officers sign in once, and their tokens last for a working day."""


def described(count: int) -> list[Document]:
    """Documents of so many regencies: those of deploy/data, and copies of one of them under names and codes of their own."""
    published = documents()
    model = next(each for each in published if each["regency"]["id"] == MODEL)
    if count == 1:
        return [each for each in published if each["regency"]["id"] == ALONE]
    copies = []
    for number in range(len(published), count):
        copy = deepcopy(model)
        copy["regency"] |= {
            "id": f"kabupaten-{number + 1:03d}",
            "code": f"{20 + number // 90}.{10 + number % 90}",
            "name": f"Kabupaten {number + 1:03d}",
        }
        copies.append(copy)
    return [*published[:count], *copies]


@dataclass(frozen=True)
class Kind:
    """What an installation is to hold."""

    regencies: int
    past_tickets: int = 0


class BenchPlatform(DeployedPlatform):
    """The deployed platform with regencies of our choice; its secrets outlive a restart, its people are officers only."""

    def __init__(self, folder: Path, servers: Servers, kept: Kept, regency_count: int, replicas: Mapping[str, int]) -> None:
        self._kept = kept
        environment = {"MPP_MOST_STREAMS_PER_CLIENT": "9000"}  # all readers share one address
        super().__init__(
            folder,
            servers.postgres,
            servers.rabbitmq,
            ticketing=replicas["ticketing"],
            notification=replicas["notification"],
            reporting=replicas["reporting"],
            gateways=replicas["gateway"],
            log_level="WARNING",
            gateway_environment=environment,
            mail_port=kept.mail_port,
        )
        self.documents = described(regency_count)
        self._progress: Progress = lambda line: None
        if time.time() - kept.signed_in_at < TOKENS_LAST:
            self._tokens.update(kept.tokens)
        else:
            kept.signed_in_at = time.time()

    def _secret(self, name: str) -> str:
        return hashlib.sha256(f"{self._kept.seed} {name}".encode()).hexdigest()

    def _new_password(self, name: str) -> str:
        return self.passwords.setdefault(name, self._secret(name)[:20])

    def _with_accounts(self, document: Document) -> Document:
        name = officer_of(document["regency"]["id"])
        account = {"id": name, "role": "officer", "display_name": "Petugas", "agencies": None, "active": True}
        return {**document, "accounts": [{**account, "password": self._new_password(name)}]}

    def begin(self, progress: Progress) -> None:
        """Start; the first time provision and seed, step by step, noting how long that takes."""
        self._progress = progress
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.settings()
        if not self._kept.regencies:
            regencies.prepare(settings)
            self._in_steps("provision", lambda document: regencies.add_regency(settings, document["regency"], lambda line: None))
        else:  # kept since, perhaps, an older release
            regencies.migrate(settings, lambda line: None)
        for process in self.processes:
            self._started.append(process)
            process.start(wait=False)
        for process in self.processes:
            process.wait_ready(120)
        self._rpc = RpcClient(self.rabbitmq.url, "bench")
        self._rpc.start()
        for document in self.documents:
            self._new_password(officer_of(document["regency"]["id"]))
        if not self._kept.regencies:
            self._in_steps("seed", self._seed_one)
            self._timed("until all had heard of it", self._wait_all_followed)
            self._in_steps("webhooks", self._add_webhook)
            self._kept.regencies = len(self.documents)

    def _seed_one(self, document: Document) -> None:
        assert self._rpc is not None
        seed(self._rpc.call, [self._with_accounts(document)])

    def _add_webhook(self, document: Document) -> None:
        """Announcements: each regency has a system that is told of every call."""
        wanted = {"url": f"http://127.0.0.1:{self._kept.webhook_port}/calls", "events": ["ticket.called"]}
        self.call("notification", "create_webhook", wanted, document["regency"]["id"])

    def _wait_all_followed(self) -> None:
        heads = {head["source"]: head for head in self.call("catalog", "stream_heads", {})}
        for follower in ("ticketing", "notification", "reporting"):
            for head in heads.values():
                eventually(partial(self._has_followed, follower, head), within=300, every=0.2)

    def _has_followed(self, follower: str, head: Mapping[str, Any]) -> bool:
        marks = self.call(follower, "stream_marks", {}, head["regency"])
        return any(mark["source"] == head["source"] and mark["sequence"] >= head["sequence"] for mark in marks)

    def _in_steps(self, what: str, step: Callable[[Document], None]) -> None:
        def all_of_them() -> None:
            for number, document in enumerate(self.documents, 1):
                step(document)
                if number % 50 == 0:
                    self._progress(f"  {what}: {number} of {len(self.documents)} regencies")

        self._timed(what, all_of_them)

    def _timed(self, what: str, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        work()
        self._kept.seconds_of[what] = round(time.monotonic() - begun, 2)

    def posts(self, workers: int) -> list[list[Post]]:
        """Where each worker serves."""
        found = spread([self._posts_of(document) for document in self.documents], workers)
        self._kept.tokens = dict(self._tokens)
        return found

    def _posts_of(self, document: Document) -> list[Post]:
        regency = document["regency"]["id"]
        token = self.token(officer_of(regency))
        found = []
        for counter in document["counters"]:
            services = counter["services"]
            found.append(Post(regency, counter["site"], counter["id"], services[counter["number"] % len(services)], token))
        return found


@dataclass(frozen=True)
class Servers:
    """The two servers, running."""

    postgres: PostgresServer
    rabbitmq: RabbitMQServer


class Installation:
    """A folder with the data of both servers and what must be remembered."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self.folder = folder
        self._keep = keep
        self._file = folder / "installation.json"
        self.kept = Kept(**json.loads(self._file.read_text())) if self._file.exists() else Kept()

    @contextmanager
    def servers(self) -> Iterator[Servers]:
        """Start PostgreSQL, with fsync and the settings that it is delivered with, and RabbitMQ."""
        folder = self.folder
        server = PostgresServer(folder / "postgres", durable=True, settings=delivered_settings())
        with server as postgres, RabbitMQServer(folder / "rabbitmq") as rabbitmq:
            yield Servers(postgres, rabbitmq)
            if not self._keep:
                rabbitmq.kill()  # its polite end takes seconds

    @contextmanager
    def platform(self, servers: Servers, regency_count: int, replicas: Mapping[str, int], progress: Progress) -> Iterator[BenchPlatform]:
        """Start the platform on them; prepared when this is the first time."""
        if self.kept.regencies not in (0, regency_count):
            raise RuntimeError(f"{self.folder} holds an installation with {self.kept.regencies} regencies, not {regency_count}")
        platform = BenchPlatform(self.folder / "platform", servers, self.kept, regency_count, replicas)
        try:
            platform.begin(progress)
            self.remember()
            yield platform
            self.remember()
        finally:
            platform.stop()

    def prepare(self, servers: Servers, kind: Kind, replicas: Mapping[str, int], progress: Progress) -> None:
        """Provision, seed, and write past tickets, unless that has been done; the platform does not run afterwards."""
        if not self.kept.regencies:
            with self.platform(servers, kind.regencies, replicas, progress):
                pass
        if self.kept.past_tickets < kind.past_tickets:
            progress(f"{kind.past_tickets:,} past tickets")
            begun = time.monotonic()
            past.make(servers.postgres, described(kind.regencies), kind.past_tickets)
            self.kept.past_tickets = kind.past_tickets
            self.kept.seconds_of["past tickets"] = round(time.monotonic() - begun, 2)
            self.remember()
        for step, seconds in self.kept.seconds_of.items():
            progress(f"  {step}: took {seconds:g} s")

    def remember(self) -> None:
        """Write down what the folder holds; for nobody else to read."""
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps(asdict(self.kept)))


def spread(halls: list[list[Post]], workers: int) -> list[list[Post]]:
    """Share counters among workers: evenly over all halls, and no counter has two workers.

    :returns: the counters of each worker, at which it serves in turn: one, or, where there are more halls than workers, one of
        each of its halls.
    """
    left = [list(hall) for hall in halls]
    chosen = [hall.pop(0) for hall in left if hall]
    while len(chosen) < workers and any(left):
        chosen += [hall.pop(0) for hall in left if hall]
    if len(halls) < workers:
        chosen = chosen[:workers]
    return [chosen[worker::workers] for worker in range(min(workers, len(chosen)))]


def delivered_settings() -> dict[str, str]:
    """What PostgreSQL is told where it is installed as the handbook says."""
    lines = (CHECKOUT / "deploy/postgresql/mpp.conf").read_text().splitlines()
    stated = [line.partition("#")[0].partition("=") for line in lines]
    return {name.strip(): value.strip() for name, sign, value in stated if sign}


def officer_of(regency: str) -> str:
    """The one account of a regency."""
    return f"officer@{regency}"
