"""docker-compose.yml as an operator runs it: every service's own command and environment, two of each, behind the real proxy.

The steps are the README's ("On a server"); only where the servers are, and where replicas listen, differs from the file.
"""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.parts import PARTS
from services.chassis.settings import SERVICES
from tests.e2e.first_tickets import take_call_and_serve
from tests.platform import checker
from tests.platform.client import Answer
from tests.platform.compose import CHECKOUT
from tests.platform.composed import ComposedPlatform
from tests.platform.container import Container
from tests.platform.event_stream import event_stream
from tests.platform.image import files_below
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, Day, Hall, take_number
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]
OPERATOR = "ani@platform"
STAFF = {"officer": "officer", "auditor": "auditor", "admin": "administrator", "supervisor": "supervisor"}
OPEN_TO_ALL = ("/var/tmp", "/dev/shm", "/run/lock")  # noqa: S108 - where else an account without rights may write
CONNECTIONS_OF_A_PROCESS = 5


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def composed(server_folder: Path, mailbox: Mailbox) -> Iterator[ComposedPlatform]:
    """The whole of the compose file, with regencies and an operator."""
    outside = {
        "MPP_SMTP_URL": f"smtp://127.0.0.1:{mailbox.port}",
        "MPP_MAIL_FROM": "antrean@mpp.example.id",
        "MPP_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "MPP_WEBHOOK_ALLOW_HTTP": "true",
    }
    with ComposedPlatform(server_folder / "composed", dict.fromkeys(PARTS, 2), notification_env=outside) as platform:
        platform.passwords[OPERATOR] = secrets.token_urlsafe(12)
        for command in server_commands():
            if command[:4] == ["docker", "compose", "run", "--rm"]:
                platform.run(*command[4:], given=platform.passwords[OPERATOR] + "\n")
        for hall in (LAMPUNG_TIMUR, OKU_TIMUR):
            add_staff(platform, hall)
            wait_open(platform, hall)
        yield platform


def server_commands() -> list[list[str]]:
    """The commands of the README's section for operators."""
    section = (CHECKOUT / "README.md").read_text().partition("## On a server\n")[2].partition("\n## ")[0]
    block = section.partition("```sh\n")[2].partition("```")[0]
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def add_staff(platform: ComposedPlatform, hall: Hall) -> None:
    operator = platform.client(OPERATOR)
    for name, role in STAFF.items():
        account, password = f"{name}@{hall.regency}", secrets.token_urlsafe(12)
        body = {"id": account, "role": role, "display_name": name, "agencies": None, "password": password}
        added = operator.command(f"{hall.path}/accounts", body)
        assert added.status == 201, added
        platform.passwords[account] = password


def wait_open(platform: ComposedPlatform, hall: Hall) -> None:
    """Ticketing has heard of the catalogue: the first citizen of each service gets a number."""
    wishes = [{"site": hall.site, "service": service, "channel": "web"} for service in hall.services]
    citizen = platform.client()
    while wishes:
        eventually(lambda: citizen.post(f"{hall.path}/tickets", wishes[-1]).status == 201, within=30)
        wishes.pop()


def test_the_readme_s_commands_are_those_that_were_done_here(composed: ComposedPlatform):
    """In this order; `.env` is made, everything started, and what is run afterwards was run by the fixture."""
    first, up, *rest = server_commands()
    assert first[:2] == ["sh", "deploy/new-env.sh"]
    assert up[:5] == ["docker", "compose", "up", "-d", "--build"]
    scaled = [part.split("=")[0] for part in up[5:] if part != "--scale"]
    assert set(scaled) <= composed.scale.keys()
    assert [command[4:] for command in rest] == [["migrate", "seed"], ["migrate", "operator", "add", OPERATOR]]
    assert all(command[:4] == ["docker", "compose", "run", "--rm"] for command in rest)


def test_the_whole_journey_through_the_proxy(composed: ComposedPlatform, mailbox: Mailbox):
    """Taken, called, served, asked; seen on the board, posted to a webhook, mailed to the citizen, counted in the report."""
    hall, citizen, officer = LAMPUNG_TIMUR, composed.client(), composed.client(f"officer@{LAMPUNG_TIMUR.regency}")
    administrator = composed.client(f"admin@{hall.regency}")
    with HttpReceiver() as receiver:
        added = administrator.command(f"{hall.path}/webhooks", {"url": receiver.url, "events": ["ticket.*"]})
        assert added.status == 201, added
        served = len(hall.services) + 3
        take_call_and_serve(citizen, officer)
        board = f"{hall.path}/sites/{hall.site}/board/stream"
        with event_stream(composed.proxy.https_port, board, tls=composed.trust) as stream:
            messages = iter(stream)
            before = next(messages)
            ticket = take_number(citizen, hall, "CPL-KTP").body
            seen = next(message for message in messages if message.id > before.id)
            assert ticket["number"] in {service["last_issued"] for service in seen.data["services"]}
        wish = {"ticket": ticket["id"], "email": "budi@example.id", "kinds": ["called"]}
        assert citizen.command(f"{hall.path}/subscriptions", wish, headers={"Ticket-Token": ticket["token"]}).status == 201
        assert officer.command(f"{hall.path}/counters/{hall.counters[0]}/call-next").body["id"] == ticket["id"]
        told = eventually(lambda: [letter.recipient for letter in mailbox.letters], within=20)
        assert told == ["budi@example.id"]
        eventually(lambda: sum(posted.event["type"] == "mpp.ticket.completed" for posted in receiver.posted) == served, within=20)
    report = f"{hall.path}/reports/daily?site={hall.site}"
    supervisor = composed.client(f"supervisor@{hall.regency}")
    eventually(lambda: supervisor.get(report).body["issued"] == len(hall.services) + 4, within=20)


def test_replicas_share_the_work(composed: ComposedPlatform):
    """Whoever is free takes the next: after enough work none of two has had nothing to do."""
    before = {container: work_done(container) for container in everyone(composed)}
    day = Day(composed, OKU_TIMUR, 40)
    day.begin()
    day.end()
    assert day.ledger.refused == 0, "nothing was stopped, and yet somebody was refused"
    auditor = composed.client(f"auditor@{OKU_TIMUR.regency}")

    def all_had_work() -> bool:
        assert auditor.get(f"{OKU_TIMUR.path}/accounts").status == 200
        return all(work_done(container) > before[container] for container in before)

    eventually(all_had_work, within=30)


def everyone(platform: ComposedPlatform) -> list[Container]:
    return [container for replicas in platform.replicas.values() for container in replicas if not container.has_ended()]


def work_done(container: Container) -> float:
    """What a replica has done for others: requests, calls, events."""
    names = ("mpp_http_request_duration_seconds_count", "mpp_rpc_handled_duration_seconds_count", "mpp_events_handled_total")
    return sum(container.metric(name) for name in names)


def test_a_replica_of_each_part_stops_in_time_and_nobody_fails(composed: ComposedPlatform, figures: Figures):
    """As at `docker compose up --scale` with a smaller number, or when a new image replaces an old one, in the middle of the morning."""
    day, reading = Day(composed, OKU_TIMUR, 1_000_000), Reading(composed)
    day.begin()
    reading.begin()
    took = {}
    for part in PARTS:
        served = len(day.completed)
        took[part] = composed.stop(composed.replicas[part][0])
        day.wait_completed(served + 10)
    day.abort()
    day.end()
    reads = reading.end()
    auditor = composed.client(f"auditor@{OKU_TIMUR.regency}")
    checker.check_tickets(auditor.pages(f"{OKU_TIMUR.path}/tickets"))
    checker.check_deadlines(day.ledger)
    checker.check_only_outages(day.ledger)
    figures(
        f"stopped after {', '.join(f'{part} {seconds:.1f} s' for part, seconds in took.items())}; {day.ledger.figures()}; {reads} reads"
    )
    for part in PARTS:
        composed.replicas[part][0].start(wait=False)
    for part in PARTS:
        composed.replicas[part][0].wait_healthy()


class Reading:
    """A phone that asks for the board again and again; every answer has to be one."""

    def __init__(self, platform: ComposedPlatform) -> None:
        self._client = platform.client()
        self._wrong: list[Answer] = []
        self._reads = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> int:
        """Stop asking; return how often was asked."""
        self._over.set()
        self._thread.join()
        assert not self._wrong, f"{len(self._wrong)} of {self._reads} reads failed, e.g. {self._wrong[0]}"
        return self._reads

    def _read(self) -> None:
        while not self._over.wait(0.02):
            answer = self._client.get(f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board")
            self._reads += 1
            if answer.status != 200:
                self._wrong.append(answer)


def test_the_proxy_finds_one_gateway_more_by_its_name(composed: ComposedPlatform):
    added = composed.scale_up("gateway")
    client = composed.client()

    def has_work() -> bool:
        assert client.get("/v1/regencies").status == 200
        return added.metric("mpp_http_request_duration_seconds_count", route="/v1/regencies") > 0

    eventually(has_work, within=20)


def test_nothing_was_written_but_below_tmp(composed: ComposedPlatform):
    """`read_only: true` holds: nothing of the image has changed, and nothing anywhere else belongs to its account."""
    assert files_below(composed.image.root) == composed.image.files
    account = composed.image.account
    if account is not None:
        elsewhere = [path for place in OPEN_TO_ALL for path in Path(place).glob("*") if path.lstat().st_uid == account.uid]
        assert elsewhere == []


def test_no_process_holds_more_connections_or_memory_than_the_file_counts_on(composed: ComposedPlatform, figures: Figures):
    with psycopg.connect(composed.postgres.admin_url) as connection:
        rows = connection.execute("SELECT usename, count(*) FROM pg_stat_activity WHERE usename = ANY(%s) GROUP BY 1", (list(SERVICES),))
        held: dict[str, int] = dict(rows.fetchall())
    for service in SERVICES:
        assert 0 < held[service] <= CONNECTIONS_OF_A_PROCESS * len(composed.replicas[service])
    memory = {part: max(each.memory() for each in composed.replicas[part]) for part in PARTS}
    assert all(each < composed.file[part].memory_limit / 2 for part, each in memory.items()), memory
    figures(", ".join(f"{part} {each / 2**20:.0f} MiB" for part, each in memory.items()))


def test_the_proxy_stops_in_its_time_while_boards_are_open(composed: ComposedPlatform):
    board = f"{OKU_TIMUR.path}/sites/{OKU_TIMUR.site}/board/stream"
    with event_stream(composed.proxy.https_port, board, tls=composed.trust) as stream:
        next(iter(stream))
        started = time.monotonic()
        assert composed.proxy.stop(), "it had to be killed"
        assert time.monotonic() - started < composed.file["proxy"].stop_grace
    composed.proxy.start()
