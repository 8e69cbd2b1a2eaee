"""``mpp up``: all parts in this process, with the demo data of five regencies."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from deploy import parts, regencies
from deploy.embedded.installation import Installation
from deploy.seed import DATA, add_demo_operator, documents, seed, with_demo_accounts, with_holidays
from services.chassis import process
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import Database
from services.chassis.probes import PROBES
from services.chassis.rpc import RpcClient
from services.chassis.settings import Settings
from services.contracts.subscriptions import SUBSCRIPTIONS

READY_SECONDS = 60.0
DEMO_DATA = "demo-data"
FIRST_TICKET = '{"site": "sukadana", "service": "CPL-KTP", "channel": "web"}'

Progress = Callable[[str], None]


class StartError(Exception):
    """The platform cannot start; the message says what to do."""


def run(installation: Installation, progress: Progress, *, heed: Callable[[], None], data: Path = DATA) -> int:
    """Run the platform on a running installation until a signal ends it; return the exit status.

    A server of the installation that ends meanwhile is started again.

    :param heed: called between the steps of preparing; raises when somebody has asked for the end meanwhile.
    :raises ServerError: a server does not stay up; everything has been stopped.
    """
    heed()
    settings = installation.settings()
    check_port(settings)
    described = documents(data)
    progress("Preparing databases")
    regencies.migrate(settings, lambda line: heed())
    for document in described:
        heed()
        regencies.add_regency(settings, document["regency"], lambda line: None)
    progress("Starting catalog, ticketing, notification, reporting and gateway")
    demo = [with_demo_accounts(with_holidays(document), settings.mode) for document in described]

    loaded = threading.Event()
    PROBES.register(DEMO_DATA, lambda: _check_loaded(loaded))

    def when_started() -> None:
        heed()
        wait_until_ready()
        _load(settings, demo, progress)
        loaded.set()
        progress(banner(settings, demo, installation.environment_file))

    services = [parts.service_class(part) for part in parts.PARTS]
    heed()
    watch = installation.supervisor().run
    return process.run(services, settings, SUBSCRIPTIONS, probe_server=False, when_started=when_started, beside=watch)


def _check_loaded(loaded: threading.Event) -> None:
    if not loaded.is_set():
        raise StartError("regencies and demo accounts are still being loaded")


def check_port(settings: Settings) -> None:
    """Raise :class:`StartError` when another program listens where the gateway should."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.http_host, settings.http_port))
        except OSError as error:
            raise StartError(
                f"Port {settings.http_port} of {settings.http_host} cannot be used ({error.strerror})."
                f" Choose another one: make run PORT={settings.http_port + 1}"
            ) from error


def wait_until_ready() -> None:
    """Wait until all parts of this process are ready; raise :class:`StartError` naming those that are not."""
    end = time.monotonic() + READY_SECONDS
    while failing := PROBES.ready().keys() - {DEMO_DATA}:
        if time.monotonic() > end:
            raise StartError(f"Not ready after {READY_SECONDS:.0f} s: {', '.join(sorted(failing))}")
        time.sleep(0.05)


def _load(settings: Settings, demo: list[dict], progress: Progress) -> None:  # type: ignore[type-arg]
    """Load regencies and demo accounts, and wait until ticketing knows the catalogue."""
    client = RpcClient(settings.required_broker_url(), "seed")
    client.start()
    try:
        database = Database("catalog", settings.database_url("catalog"), pool_size=1)
        add_demo_operator(database, settings.mode)
        database.close()
        seed(client.call, demo, progress=progress)
        for document in demo:
            wait_until_followed(client, "ticketing", "catalog", document["regency"]["id"])
    finally:
        client.stop()


def wait_until_followed(client: RpcClient, follower: str, owner: str, regency: str) -> None:
    """Wait until ``follower`` has handled everything that ``owner`` has published for a regency."""
    source = f"/regencies/{regency}/{owner}"
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        platform, local = CallContext(regency=None, actor=SYSTEM), CallContext(regency=regency, actor=SYSTEM)
        heads = {head["source"]: head["sequence"] for head in client.call(owner, "stream_heads", {}, platform)}
        marks = {mark["source"]: mark["sequence"] for mark in client.call(follower, "stream_marks", {}, local)}
        if source in heads and marks.get(source, 0) >= heads[source]:
            return
        time.sleep(0.05)
    raise StartError(f"{follower} has not followed {owner} for {regency} within {READY_SECONDS:.0f} s")


def banner(settings: Settings, demo: list[dict], environment: Path) -> str:  # type: ignore[type-arg]
    """Return what somebody who just started the platform needs: addresses, accounts, a first request.

    :param environment: file with the variables that the commands of `mpp` read in another shell.
    """
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104
    base = f"http://{host}:{settings.http_port}"
    slugs = [document["regency"]["id"] for document in demo]
    return "\n".join(
        [
            "",
            f"The MPP platform runs at {base}",
            f"  boards            {base}/boards",
            f"  API description   {base}/openapi.json",
            f"  health, metrics   {base}/readyz  {base}/metrics",
            f"  regencies         {', '.join(slugs)}",
            "",
            "Demo accounts (password demo), for each regency, e.g. lampung-timur:",
            "  officer@lampung-timur    frontdesk@lampung-timur  supervisor@lampung-timur",
            "  admin@lampung-timur      auditor@lampung-timur    kiosk@lampung-timur",
            "  operator@platform        (all regencies)",
            "",
            "Take a number:",
            f"  curl -H 'Content-Type: application/json' -d '{FIRST_TICKET}' {base}/v1/lampung-timur/tickets",
            "",
            *_watching(environment),
            "Ctrl-C stops it; the data stay.",
        ]
    )


def _watching(environment: Path) -> list[str]:
    """Return how to watch events from another shell."""
    mpp = Path(sys.executable).with_name("mpp")
    return ["Watch events:", f"  set -a; . {environment}; set +a; {mpp} events tail", ""]
