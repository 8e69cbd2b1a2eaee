"""The load, in a process of its own: `python -m tests.bench.load PLAN.json`.

It warms up, prints `warm`, waits for a line, does the measured part, and writes what it saw into the plan's `output`. So who
started it can look at the books of all processes right before and right after.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.wire import Answer, Loop, Request, Script, Until, WireError, request

PATIENCE_SECONDS = 15.0
"""Beyond every deadline of the platform."""

PAUSE_SECONDS = 0.05
"""Before a refused command (503) is sent again."""

PRIORITY_EVERY = 5
"""One citizen in so many belongs to the priority lane."""

COMMANDS = ("issue", "call-next", "start", "complete")


@dataclass(frozen=True)
class Post:
    """A counter at which a worker serves, and the service for which its citizens come."""

    regency: str
    site: str
    counter: str
    service: str
    token: str


@dataclass
class Journeys:
    """Work at counters: each worker lets a citizen take a number and serves whoever is next, at one post after the other.

    `rate`: journeys per second of all workers together, begun when it is time; 0: as fast as the answers come (closed loop).
    """

    ports: list[int]
    workers: list[list[Post]]
    rate: float = 0.0
    mail_every: int = 0
    """One citizen in so many asks for mail when called; 0: nobody."""


@dataclass
class Reads:
    """Reads of boards by so many connections, one after the other; `conditional`: with If-None-Match, as a poller does."""

    ports: list[int]
    paths: list[str]
    connections: int
    conditional: bool


@dataclass
class Seen:
    """What the measured part has brought."""

    seconds: float = 0.0
    processor_seconds: float = 0.0
    """Of this process."""
    journeys: int = 0
    reads: int = 0
    refused: int = 0
    empty: int = 0
    late: int = 0
    seconds_of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    called: list[tuple[str, str, int, float, float]] = field(default_factory=list)
    """Regency, ticket, version, and Unix time when `call-next` was sent and answered."""


class Counters:
    """The scripts of `Journeys`."""

    def __init__(self, plan: Journeys, seconds: float) -> None:
        self._plan, self._seconds = plan, seconds
        self._citizens = itertools.count(1)
        self.seen = Seen()

    def run(self) -> Seen:
        """Begin journeys for so many seconds, and end those that were begun."""
        loop, workers = Loop(), len(self._plan.workers)
        self._begun = time.perf_counter()
        for number, posts in enumerate(self._plan.workers):
            first = self._begun + (number / self._plan.rate if self._plan.rate else 0.0)
            pace = workers / self._plan.rate if self._plan.rate else 0.0
            loop.add(self._plan.ports[number % len(self._plan.ports)], self._work(posts, first, pace))
        loop.run(PATIENCE_SECONDS + workers)
        self.seen.seconds = time.perf_counter() - self._begun
        return self.seen

    def _work(self, posts: list[Post], due: float, pace: float) -> Script:
        end = self._begun + self._seconds
        for post in itertools.cycle(posts):
            if max(due, time.perf_counter()) >= end:
                return
            if pace:
                self.seen.late += time.perf_counter() > due + 1.0
                yield Until(due)
                due += pace
            yield from self._journey(post)

    def _journey(self, post: Post) -> Script:
        citizen = next(self._citizens)
        priority = "elderly" if citizen % PRIORITY_EVERY == 0 else None
        wanted = {"site": post.site, "service": post.service, "channel": "web", "priority_class": priority}
        path, staff = f"/v1/{post.regency}", ("Authorization", f"Bearer {post.token}")
        issued = yield from self._command("issue", f"{path}/tickets", wanted)
        if self._plan.mail_every and citizen % self._plan.mail_every == 0:
            ticket = json.loads(issued.body)
            wish = {"ticket": ticket["id"], "email": f"{ticket['id']}@example.id", "kinds": ["called"]}
            yield from self._command("subscribe", f"{path}/subscriptions", wish, ("Ticket-Token", ticket["token"]))
        sent = time.time()
        called = yield from self._command("call-next", f"{path}/counters/{post.counter}/call-next", None, staff)
        if called.status == 204:
            self.seen.empty += 1
            return
        ticket = json.loads(called.body)
        if called.status == 409:
            ticket = {"id": ticket["ticket"], "status": ticket["current_status"]}
            if ticket["status"] == "called":
                yield from self._command("start", f"{path}/tickets/{ticket['id']}/start", None, staff)
            yield from self._command("complete", f"{path}/tickets/{ticket['id']}/complete", {"outcome": "done"}, staff)
            return
        self.seen.called.append((post.regency, ticket["id"], ticket["version"], sent, time.time()))
        yield from self._command("start", f"{path}/tickets/{ticket['id']}/start", None, staff)
        yield from self._command("complete", f"{path}/tickets/{ticket['id']}/complete", {"outcome": "done"}, staff)
        self.seen.journeys += 1

    def _command(self, name: str, path: str, body: Any, *headers: tuple[str, str]) -> Generator[Request, Any, Answer]:
        key = ("Idempotency-Key", uuid.uuid4().hex)
        raw = request("POST", path, (key, *headers), b"" if body is None else json.dumps(body).encode())
        begun = time.perf_counter()
        answer: Answer = yield raw
        while answer.status == 503:
            self.seen.refused += 1
            yield Until(time.perf_counter() + PAUSE_SECONDS)
            answer = yield raw
        # Another counter was quicker than the citizen; or a run that broke off has left somebody at this counter.
        conflict = name in ("subscribe", "call-next") and answer.status == 409
        if answer.status not in (200, 201, 204) and not conflict:
            raise WireError(f"{path}: {answer.status} {answer.body!r}")
        self.seen.seconds_of[name].append(time.perf_counter() - begun)
        return answer


class Readers:
    """The scripts of `Reads`."""

    def __init__(self, plan: Reads, seconds: float) -> None:
        self._plan, self._seconds = plan, seconds
        self.seen = Seen()

    def run(self) -> Seen:
        """Read for so many seconds."""
        loop, begun = Loop(), time.perf_counter()
        for number in range(self._plan.connections):
            paths = self._plan.paths[number % len(self._plan.paths) :] + self._plan.paths[: number % len(self._plan.paths)]
            loop.add(self._plan.ports[number % len(self._plan.ports)], self._read(paths, begun + self._seconds))
        loop.run(PATIENCE_SECONDS)
        self.seen.seconds = time.perf_counter() - begun
        return self.seen

    def _read(self, paths: list[str], end: float) -> Script:
        known = {path: request("GET", path) for path in paths}
        for path in itertools.cycle(paths):
            if time.perf_counter() >= end:
                return
            answer: Answer = yield known[path]
            if answer.status not in (200, 304):
                raise WireError(f"{path}: {answer.status} {answer.body!r}")
            if self._plan.conditional and answer.status == 200:  # the first time, and when the board has changed
                tag = next(line[5:].strip() for line in answer.head.split(b"\r\n") if line.startswith(b"etag:"))
                known[path] = request("GET", path, [("If-None-Match", tag.decode())])
                continue
            self.seen.reads += 1
            self.seen.seconds_of["read"].append(answer.seconds)


def plan_document(work: Journeys | Reads, *, warm_up: float, seconds: float, output: Path) -> dict[str, Any]:
    """What the process is given."""
    return {"kind": type(work).__name__, "work": asdict(work), "warm_up": warm_up, "seconds": seconds, "output": str(output)}


def _runner(plan: dict[str, Any], seconds: float) -> Counters | Readers:
    work = plan["work"]
    if plan["kind"] == "Reads":
        return Readers(Reads(**work), seconds)
    workers = [[Post(**post) for post in posts] for posts in work["workers"]]
    return Counters(Journeys(**{**work, "workers": workers}), seconds)


def main(plan_file: Path) -> None:
    """Do what the plan says."""
    plan = json.loads(plan_file.read_text())
    if plan["warm_up"]:
        _runner(plan, plan["warm_up"]).run()
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return  # whoever wanted to measure has ended
    before = time.process_time()
    seen = _runner(plan, plan["seconds"]).run()
    seen.processor_seconds = time.process_time() - before
    Path(plan["output"]).write_text(json.dumps(vars(seen)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
