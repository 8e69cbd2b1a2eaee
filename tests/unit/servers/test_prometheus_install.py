"""Getting Prometheus: its programs only, no service of the system; one clear sentence when they cannot be had."""

from pathlib import Path

import pytest

from deploy.servers import debian_packages
from deploy.servers.process import ServerError
from deploy.servers.prometheus import ensure_installed

pytestmark = pytest.mark.unit


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Prometheus whose programs lie in `bin`; root uses it."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(debian_packages, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return tmp_path


def add_program(machine: Path, name: str, script: str) -> None:
    program = machine / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def add_apt(machine: Path) -> None:
    """An apt-get that installs Prometheus and notes what the service policy said meanwhile."""
    programs = f"cp /bin/true {machine}/bin/prometheus; cp /bin/true {machine}/bin/promtool"
    policy = f"{machine}/policy-rc.d prometheus start; echo $? > {machine}/policy-answer"
    add_program(machine, "apt-get", f"PATH=/usr/bin:/bin\necho $* > {machine}/called\n{policy}\n{programs}")


def test_what_is_installed_is_found(machine: Path) -> None:
    add_program(machine, "prometheus", "exit 0")
    add_program(machine, "promtool", "exit 0")
    assert ensure_installed() == {name: machine / "bin" / name for name in ("prometheus", "promtool")}


def test_installs_the_programs_and_starts_no_service(machine: Path) -> None:
    add_apt(machine)
    told: list[str] = []
    assert set(ensure_installed(told.append)) == {"prometheus", "promtool"}
    assert told == ["Installing Prometheus with apt-get (about a minute)"]
    assert (machine / "called").read_text().endswith(" install prometheus\n")
    assert (machine / "policy-answer").read_text() == "101\n", "services must not be started"
    assert not (machine / "policy-rc.d").exists()


def test_nothing_of_it_starts_at_the_next_boot(machine: Path) -> None:
    """Somebody who ran the tests does not find servers on the machine's ports tomorrow."""
    add_apt(machine)
    add_program(machine, "systemctl", f"echo $* > {machine}/told")
    ensure_installed()
    assert (machine / "told").read_text() == "disable prometheus\n"


def test_half_a_prometheus_is_completed(machine: Path) -> None:
    add_program(machine, "prometheus", "exit 0")
    add_apt(machine)
    assert set(ensure_installed()) == {"prometheus", "promtool"}


def test_ordinary_user_is_told_what_root_has_to_do(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_apt(machine)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ServerError, match="run `apt-get install prometheus` as root"):
        ensure_installed()


def test_package_without_the_programs_is_told(machine: Path) -> None:
    add_program(machine, "apt-get", "exit 0")
    with pytest.raises(ServerError, match="not on the PATH"):
        ensure_installed()
