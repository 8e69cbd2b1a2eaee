"""Getting RabbitMQ: one clear sentence when it cannot be had, no system-wide broker when it is installed."""

from pathlib import Path

import pytest

from deploy.servers import debian_packages, rabbitmq_install
from deploy.servers.process import ServerError
from deploy.servers.rabbitmq_install import ensure_installed

pytestmark = pytest.mark.unit


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no RabbitMQ and no apt-get; its programs lie in `bin`, and root uses it."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(rabbitmq_install, "_PLACES", (f"{tmp_path}/rabbitmq",))
    monkeypatch.setattr(debian_packages, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def add_program(machine: Path, name: str, script: str) -> None:
    program = machine / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def add_apt(machine: Path, *, lists_at_hand: bool = True) -> None:
    """An apt-get that installs RabbitMQ, notes its calls, and notes what the service policy said meanwhile."""
    ready = machine / "lists"
    if lists_at_hand:
        ready.touch()
    add_program(
        machine,
        "bin/apt-get",
        f"""PATH=/usr/bin:/bin
echo "$@" >> {machine}/calls
case "$*" in *" update") touch {ready}; exit 0;; esac
[ -e {ready} ] || {{ echo "Unable to locate package rabbitmq-server"; exit 100; }}
{machine}/policy-rc.d rabbitmq-server start; echo $? > {machine}/policy-answer
mkdir -p {machine}/rabbitmq; cp /bin/true {machine}/rabbitmq/rabbitmq-server; cp /bin/true {machine}/bin/erl""",
    )


def test_installed_broker_is_found(machine: Path) -> None:
    add_program(machine, "rabbitmq/rabbitmq-server", "exit 0")
    add_program(machine, "bin/erl", "exit 0")
    assert ensure_installed() == machine / "rabbitmq"


def test_installs_without_starting_a_service(machine: Path) -> None:
    add_apt(machine)
    told: list[str] = []
    assert ensure_installed(told.append) == machine / "rabbitmq"
    assert told == ["Installing RabbitMQ with apt-get (about a minute)"]
    assert (machine / "policy-answer").read_text().strip() == "101", "services must not be started"
    assert not (machine / "policy-rc.d").exists()


def test_policy_of_the_machine_is_left_alone(machine: Path) -> None:
    add_apt(machine)
    add_program(machine, "policy-rc.d", "exit 104")
    ensure_installed()
    assert (machine / "policy-answer").read_text().strip() == "104"
    assert (machine / "policy-rc.d").exists()


def test_refreshes_the_lists_of_packages_when_they_are_missing(machine: Path) -> None:
    add_apt(machine, lists_at_hand=False)
    ensure_installed()
    assert [line.split()[-1] for line in (machine / "calls").read_text().splitlines()] == [
        "rabbitmq-server",
        "update",
        "rabbitmq-server",
    ]


def test_failed_installation_shows_what_apt_said(machine: Path) -> None:
    add_program(machine, "bin/apt-get", "echo 'E: no route to anywhere'; exit 100")
    with pytest.raises(ServerError, match="no route to anywhere"):
        ensure_installed()
    assert not (machine / "policy-rc.d").exists()


def test_ordinary_user_is_told_what_root_has_to_do(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_apt(machine)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ServerError, match="run `apt-get install rabbitmq-server` as root"):
        ensure_installed()


def test_machine_without_apt_is_told_what_is_missing(machine: Path) -> None:
    with pytest.raises(ServerError, match="RabbitMQ is not installed"):
        ensure_installed()
