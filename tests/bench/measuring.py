"""One scenario: an installation, its load, and everything that is measured with it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from services.contracts.subscriptions import NOTIFICATION_TICKETING, REPORTING_TICKETING
from tests.bench import reference
from tests.bench.accounting import Books, memory, processor_seconds
from tests.bench.installation import BenchPlatform, Installation, Progress, Servers
from tests.bench.load import COMMANDS, Journeys, Reads, plan_document
from tests.bench.telling import Metrics, at_share, quantile
from tests.processes import CHECKOUT

FOLLOWERS = (REPORTING_TICKETING.queue, NOTIFICATION_TICKETING.queue)
MAIL_EVERY = 20
"""One citizen in so many wants mail when called."""
DRAIN_SECONDS = 60.0
READ_CONNECTIONS = 8
MOST_BOARDS_READ = 50
MOST_STREAMS = 600
"""Boards that are watched: every site's, up to this many."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """How long each part of a scenario takes, in seconds, and how much load there is."""

    seconds: float = 20.0
    warm_up: float = 8.0
    reads: float = 5.0
    idle: float = 5.0
    reference: float = 8.0
    counters: int = 15
    rate: float = 20.0
    """Journeys per second of the part with a steady rate."""


class Child:
    """A process of the bench that gets a plan and leaves its results in a file."""

    def __init__(self, module: str, plan: Mapping[str, Any], folder: Path) -> None:
        self._output = Path(plan["output"])
        self._output.unlink(missing_ok=True)
        file = folder / f"{module}.plan.json"
        file.write_text(json.dumps(plan))
        file.chmod(0o600)  # it holds tokens
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", f"tests.bench.{module}", str(file)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def wait_line(self, within: float) -> None:
        """Wait until it says that it is ready; it is ended when that takes too long."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(within, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise RuntimeError("a process of the bench has failed, or took too long; its reason stands above")

    def go(self, word: str = "{}") -> None:
        """Let it go on, with a word that it understands."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def result(self, within: float) -> dict[str, Any]:
        """Wait for its end; return what it has written."""
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.close()
            raise RuntimeError(f"a process of the bench did not end within {within:g} s") from None
        if status != 0:
            raise RuntimeError("a process of the bench has failed; its reason stands above")
        found: dict[str, Any] = json.loads(self._output.read_text())
        return found

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait(30)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Scenario:
    """Measures one installation from a platform that has just started to one that has had its load."""

    def __init__(self, platform: BenchPlatform, servers: Servers, installation: Installation, effort: Effort, progress: Progress) -> None:
        self._platform, self._servers, self._kept = platform, servers, installation.kept
        self._folder, self._effort, self._progress = installation.folder, effort, progress
        self._posts = platform.posts(effort.counters)
        self._published = 0.0
        self._databases = {service: servers.postgres.url(service) for service in ("ticketing", "notification", "reporting")}

    def measure(self) -> Figures:
        """All parts, one after the other."""
        with self._audience() as audience:
            self._progress("warm-up and closed loop")
            closed = self._journeys(0.0, self._effort.warm_up, audience)
            self._progress(f"{closed['journeys_per_second']:.1f} journeys/s, {closed['cost_ms']['platform']:.1f} ms of processor each")
            self._progress(f"{self._effort.rate:g} journeys/s")
            steady = self._journeys(self._effort.rate, 0.0, audience)
            self._progress("idle")
            idle = self._idle(audience)
            self._progress("reads of boards")
            reads = {name: self._reads(conditional) for name, conditional in (("plain", False), ("not_modified", True))}
            memories = {name: asdict(memory(*roots)) for name, roots in self._groups(audience).items()}
        heard = audience.result(30)
        return {
            "closed": self._with_boards(closed, heard),
            "steady": self._with_boards(steady, heard),
            "idle_ms_per_second": idle,
            "board_reads": reads,
            "memory_mb": memories,
            "boards_watched": len(heard["received"]),
            "streams_lost": len(heard["lost"]),
            "webhook_posts": heard["posts"],
            "letters": heard["letters"],
        }

    # --- who is there

    @contextmanager
    def _audience(self) -> Iterator[Child]:
        """Everybody who listens; told to end when the block is left."""
        sites = sorted({(post.regency, post.site) for posts in self._posts for post in posts})[:MOST_STREAMS]
        plan = {
            "ports": self._platform.http_ports,
            "streams": [f"/v1/{regency}/sites/{site}/board/stream" for regency, site in sites],
            "webhook_port": self._kept.webhook_port,
            "mail_port": self._kept.mail_port,
            "seconds": 3_600,
            "output": str(self._folder / "audience.json"),
        }
        audience = Child("audience", plan, self._folder)
        try:
            audience.wait_line(180)
            yield audience
            audience.go()
        except BaseException:
            audience.close()
            raise

    def _groups(self, audience: Child) -> dict[str, list[int]]:
        platform, servers = self._platform, self._servers
        return {
            "catalog": [platform.catalog.pid],
            "ticketing": [process.pid for process in platform.ticketing],
            "notification": [process.pid for process in platform.notification],
            "reporting": [process.pid for process in platform.reporting],
            "gateway": [process.pid for process in platform.gateways],
            "postgres": [reference.running(servers.postgres.pid)],
            "rabbitmq": [reference.running(servers.rabbitmq.pid)],
            "audience": [audience.pid],
        }

    # --- journeys

    def _journeys(self, rate: float, warm_up: float, audience: Child) -> Figures:
        """Journeys for a while, from a platform at rest until it is at rest again; figures and what was called."""
        work = Journeys(self._platform.http_ports, self._posts, rate, MAIL_EVERY)
        with self._load(work, warm_up, self._effort.seconds) as load:
            self._drain()
            before, backends, books = self._metrics(), self._backends(), Books(self._groups(audience))
            load.go()
            seen = load.result(self._effort.seconds + 60)
            published, drain = self._drain()
            spent, after, backends_after = books.spent(), self._metrics(), self._backends()
            others = books.others(sum(spent.values()) + seen["processor_seconds"])
        done = seen["journeys"]
        if not done:
            raise RuntimeError("not one journey was completed")
        cost = {name: seconds * 1000 / done for name, seconds in {**spent, "load": seen["processor_seconds"]}.items()}
        return {
            "seconds": seen["seconds"],
            "journeys": done,
            "journeys_per_second": done / seen["seconds"],
            "drain_seconds": drain,
            "other_work": others,
            "events_per_journey": published / done,
            "cost_ms": {**cost, "platform": sum(ms for name, ms in cost.items() if name not in ("load", "audience"))},
            "postgres_ms_by_database": {name: seconds * 1000 / done for name, seconds in _difference(backends, backends_after).items()},
            "latency_ms": {name: _shares(seen["seconds_of"][name]) for name in COMMANDS},
            "event_lag_ms": {
                consumer: {
                    name: _milliseconds(quantile(share, *(m.buckets("mpp_event_age_seconds", consumer=consumer) for m in (before, after))))
                    for name, share in (("p50", 0.5), ("p99", 0.99))
                }
                for consumer in (*FOLLOWERS,)
            },
            "refused": seen["refused"],
            "nobody_waiting": seen["empty"],
            "late": seen["late"],
            "called": seen["called"],
        }

    @contextmanager
    def _load(self, work: Journeys | Reads, warm_up: float, seconds: float) -> Iterator[Child]:
        plan = plan_document(work, warm_up=warm_up, seconds=seconds, output=self._folder / "load.json")
        load = Child("load", plan, self._folder)
        try:
            load.wait_line(warm_up + 60)
            yield load
        finally:
            load.close()

    def _drain(self) -> tuple[float, float]:
        """Wait until everybody has handled everything; return how many events there were since the last time, and how long it took."""
        begun = time.monotonic()
        while time.monotonic() < begun + DRAIN_SECONDS:
            told = self._metrics()
            if self._at_rest(told):
                published = told.total("mpp_events_published_total", service="ticketing")
                since, self._published = published - self._published, published
                return since, time.monotonic() - begun
            time.sleep(0.2)
        raise RuntimeError(f"after {DRAIN_SECONDS:g} s events or deliveries were still on their way")

    def _at_rest(self, told: Metrics) -> bool:
        with psycopg.connect(self._databases["ticketing"]) as connection:
            row = connection.execute("SELECT count(*) FROM platform.outbox").fetchone()
        published = told.total("mpp_events_published_total", service="ticketing")
        handled = [
            sum(told.total("mpp_events_handled_total", consumer=consumer, outcome=outcome) for outcome in ("handled", "duplicate"))
            for consumer in FOLLOWERS
        ]
        calls = told.total("mpp_events_published_total", service="ticketing", type="ticket.called")
        delivered = told.total("mpp_deliveries_total", channel="webhook", outcome="delivered")
        return row == (0,) and min(handled) >= published and delivered >= calls

    def _metrics(self) -> Metrics:
        return Metrics.of([*self._platform.ticketing, *self._platform.notification, *self._platform.reporting])

    def _backends(self) -> dict[int, tuple[str, float]]:
        """Database, or kind of background process, and processor seconds until now of each server process by its id."""
        with psycopg.connect(self._servers.postgres.url()) as connection:
            rows = connection.execute("SELECT pid, coalesce(datname, backend_type) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            return {pid: (name, processor_seconds(pid)) for pid, name in rows.fetchall()}

    # --- the rest

    def _idle(self, audience: Child) -> dict[str, float]:
        """Processor milliseconds per second of a platform on which nothing happens but that it is watched."""
        books, begun = Books(self._groups(audience)), time.monotonic()
        time.sleep(self._effort.idle)
        took = time.monotonic() - begun
        return {name: seconds * 1000 / took for name, seconds in books.spent().items()}

    def _reads(self, conditional: bool) -> Figures:
        paths = sorted({f"/v1/{post.regency}/sites/{post.site}/board" for posts in self._posts for post in posts})[:MOST_BOARDS_READ]
        with self._load(Reads(self._platform.http_ports, paths, READ_CONNECTIONS, conditional), 1.0, self._effort.reads) as load:
            books = Books({"gateway": [process.pid for process in self._platform.gateways]})
            load.go()
            seen = load.result(self._effort.reads + 30)
            spent = books.spent()["gateway"]
        return {
            "reads_per_second": seen["reads"] / seen["seconds"],
            "gateway_ms": spent * 1000 / seen["reads"],
            "latency_ms": _shares(seen["seconds_of"]["read"]),
        }

    def _with_boards(self, figures: Figures, heard: Mapping[str, Any]) -> Figures:
        """Figures with how soon a call was on the wall; without the list of calls."""
        called = figures.pop("called")
        sequences = self._sequences({regency for regency, *_ in called})
        after_answer, after_command = [], []
        received = {path.split("/")[2]: boards for path, boards in heard["received"].items()}
        for regency, ticket, version, sent, answered in called:
            if regency in received:
                boards = received[regency]
                first = bisect_left(boards, sequences[ticket, version], key=lambda board: board[0])
                if first == len(boards):
                    raise RuntimeError(f"the call of ticket {ticket} was never shown on a board")
                after_answer.append(boards[first][1] - answered)
                after_command.append(boards[first][1] - sent)
        return {**figures, "call_on_board_after_answer_ms": _shares(after_answer), "call_on_board_after_command_ms": _shares(after_command)}

    def _sequences(self, regencies: set[str]) -> dict[tuple[str, int], int]:
        """Sequence of each call by ticket and version."""
        found = {}
        query = sql.SQL(
            "SELECT subject, CAST(data->'ticket'->>'version' AS integer), sequence FROM {}.event_log"
            " WHERE type = 'ticket.called' AND time > now() - interval '1 hour'"
        )
        with psycopg.connect(self._databases["ticketing"]) as connection:
            for regency in regencies:
                for subject, version, sequence in connection.execute(query.format(sql.Identifier(regency.replace("-", "_")))):
                    found[subject, version] = sequence
        return found


def _shares(seconds: list[float]) -> dict[str, float | None]:
    ordered = sorted(seconds)
    if not ordered:
        return {"p50": None, "p99": None}
    return {"p50": at_share(ordered, 0.5) * 1000, "p99": at_share(ordered, 0.99) * 1000}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _difference(before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]]) -> dict[str, float]:
    """Seconds by name that processes which still run have used in between."""
    used: dict[str, float] = defaultdict(float)
    for pid, (name, seconds) in after.items():
        used[name] += seconds - before.get(pid, ("", 0.0))[1]
    return dict(sorted(used.items()))
