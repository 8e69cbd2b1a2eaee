"""Servers that the tests share: one private PostgreSQL and one private RabbitMQ per session, started when first asked for."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from deploy.servers.postgres import PostgresServer
from deploy.servers.rabbitmq import RabbitMQServer

if TYPE_CHECKING:
    from tests.platform.deployment import DeployedPlatform

FIGURE = "figure"

# How quick an example is says more of what else the machine does than of the code.
settings.register_profile("mpp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mpp")


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Folder for the data of private servers, removed at the end.

    Not pytest's own temporary folder: that one is closed to the unprivileged account that runs PostgreSQL for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mpp-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """A running PostgreSQL, empty at first; tests make databases and roles with names of their own."""
    with PostgresServer(server_folder / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server(server_folder: Path, pytestconfig: pytest.Config) -> Iterator[RabbitMQServer]:
    """A running RabbitMQ, installed first where it is missing; a test that kills or wipes it starts it again.

    Without RabbitMQ, and without the right to install it, every test that asks for it fails with one sentence.
    """
    terminal = pytestconfig.pluginmanager.getplugin("terminalreporter")
    report = terminal.write_line if terminal else lambda line: None
    server = RabbitMQServer(server_folder / "rabbitmq", report=report)
    server.start()
    try:
        yield server
    finally:
        server.kill()  # a clean stop takes seconds, and nobody needs the data again


@pytest.fixture(scope="session")
def deployed_platform(server_folder: Path, pytestconfig: pytest.Config) -> Iterator[DeployedPlatform]:
    """The platform as processes, with two replicas of ticketing and two gateways; tests leave it running and whole.

    On servers of its own: those of the fixtures above are wiped and filled by other tests. Logs everything (DEBUG), so
    that a test of what is logged sees all there is.
    """
    from tests.platform.deployment import DeployedPlatform

    with (
        PostgresServer(server_folder / "platform-postgres", durable=False) as postgres,
        RabbitMQServer(server_folder / "platform-rabbitmq", report=_line_writer(pytestconfig)) as rabbitmq,
    ):
        with DeployedPlatform(server_folder / "platform", postgres, rabbitmq, log_level="DEBUG") as platform:
            yield platform
        rabbitmq.kill()  # nobody needs it any more, and its polite end takes seconds


@pytest.fixture
def not_at_midnight() -> None:
    """Begin when no site's business date is about to end."""
    from tests.platform.midnight import wait_past_midnight

    wait_past_midnight()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what a test has measured; all notes are printed at the end of the run."""
    return lambda text: request.node.user_properties.append((FIGURE, f"{request.node.name}: {text}"))


class Figures:
    """Collects what the tests have measured, from whichever process ran them."""

    def __init__(self) -> None:
        self._measured: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the notes of a test that is over."""
        if report.when == "teardown":
            self._measured += [str(text) for name, text in report.user_properties if name == FIGURE]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them."""
        if self._measured:
            terminalreporter.section("figures")
            for line in self._measured:
                terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Have figures collected."""
    config.pluginmanager.register(Figures())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: who gets one of them last would work alone at the end.

    Green threads in a test process hang its communication with the others, and hide what real threads would do.
    """
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        raise pytest.UsageError("a test module imports one that calls eventlet.monkey_patch(): only processes of their own may")
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


def _line_writer(config: pytest.Config) -> Callable[[str], None]:
    terminal = config.pluginmanager.getplugin("terminalreporter")
    return terminal.write_line if terminal else lambda line: None
