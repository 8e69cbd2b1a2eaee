"""The platform without containers: the files of its processes, and the page that an operator follows."""

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.parts import PARTS
from tests.handbook.pages import OPERATIONS, blocks
from tests.platform.compose import CHECKOUT, ComposeFile, new_env, read_env

pytestmark = pytest.mark.integration

SILENT = (
    *("apt-get", "adduser", "make", "su", "systemctl", "rabbitmq-plugins", "rabbitmqctl", "curl", "mpp", "apt.postgresql.org.sh"),
    *("promtool", "amtool", "git"),
)
"""What the page asks of the machine: written down, not done."""

RECORDER = """#!/bin/sh
echo "${0##*/} $*" >> "$SAID"
for word in "$@"; do # systemd starts nothing without the file that the unit names
    case "${0##*/} $1 $word" in
    "systemctl enable mpp@"*|"systemctl restart mpp@"*)
        [ -r "$CONFIGURATION/${word#mpp@}.env" ] || { echo "$word has no file" >&2; exit 1; } ;;
    esac
done
case "${0##*/} $*" in
"curl "*token*) echo '"token_type": "Bearer"' ;;
"rabbitmqctl add_user mpp"|"mpp operator add"*) cat > "$SAID.${0##*/}" ;;
"su "*) cat > "$SAID.su" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a new .env."""
    new_env(tmp_path, "antrean.example.go.id")
    shutil.copy(CHECKOUT / "deploy/native-env.sh", tmp_path / "deploy")
    (tmp_path / "deploy/monitoring/targets").mkdir(parents=True)
    return tmp_path


def native_env(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "CONFIGURATION": str(checkout / "etc")}
    command = ["sh", str(checkout / "deploy/native-env.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=environment)


def test_a_process_has_the_variables_of_its_container_and_no_others(checkout):
    assert native_env(checkout, "ticketing=2", "gateway=3").returncode == 0
    compose = ComposeFile.of(checkout / ".env")
    for part in PARTS:
        process = read_env(checkout / "etc" / f"{part}.env")
        container = compose[part].environment
        native_only = {"MPP_PART", "MPP_PROBE_PORT", "MPP_HTTP_PORT"}
        assert set(process) - native_only == set(container) - {"MPP_PROBE_HOST", "MPP_HTTP_HOST"}
        for name in set(process) & set(container):
            told = re.sub(r"@(postgres|rabbitmq):", "@127.0.0.1:", str(container[name]))
            assert process[name] == told, name
    assert (checkout / "etc/gateway.env").stat().st_mode & 0o777 == 0o600


def test_no_two_processes_share_a_port_and_all_are_watched_and_reached(checkout):
    assert native_env(checkout, *(f"{part}=9" for part in PARTS)).returncode == 0
    files = [read_env(path) for part in PARTS for path in (checkout / "etc").glob(f"{part}*.env")]
    ports = [found[name] for found in files for name in ("MPP_PROBE_PORT", "MPP_HTTP_PORT") if name in found]
    assert len(set(ports)) == len(ports) == 9 * 6
    targets = yaml.safe_load((checkout / "deploy/monitoring/targets/mpp.yml").read_text())
    watched = {(group["labels"]["part"], target) for group in targets for target in group["targets"]}
    assert watched == {(found["MPP_PART"], f"127.0.0.1:{found['MPP_PROBE_PORT']}") for found in files}
    proxy = (checkout / "etc/proxy.env").read_text()
    assert set(re.findall(r"127[.0-9]+:\d+", proxy)) == {
        f"127.0.0.1:{found['MPP_HTTP_PORT']}" for found in files if "MPP_HTTP_PORT" in found
    }


def test_fewer_processes_leave_no_file_behind_and_own_settings_stay(checkout):
    native_env(checkout, "ticketing=3")
    (checkout / "etc/notification.extra").write_text("MPP_MAIL_FROM=antrean@example.go.id\n")
    assert native_env(checkout, "gateway=2").stdout.count("ticketing-3") == 1, "who is not named stays"
    fewer = native_env(checkout, "ticketing=2")
    assert "disable --now mpp@ticketing-3\n" in fewer.stdout
    assert "mpp@gateway-2\n" in fewer.stdout
    assert {path.name for path in (checkout / "etc").glob("ticketing*")} == {"ticketing.env", "ticketing-2.env"}
    assert read_env(checkout / "etc/notification.env")["MPP_MAIL_FROM"] == "antrean@example.go.id"


@pytest.mark.parametrize("word", ["ticketing=0", "ticketing=10", "proxy=2", "gateway", "gateway=2;reboot"])
def test_what_cannot_be_meant_changes_nothing(checkout, word):
    done = native_env(checkout, word)
    assert (done.returncode, word in done.stderr) == (2, True)
    assert not (checkout / "etc").exists()


def test_a_secret_that_is_missing_is_named_and_nothing_is_written(checkout):
    env = checkout / ".env"
    env.write_text(re.sub("(?m)^MPP_REPORTING_PASSWORD=.*$", "MPP_REPORTING_PASSWORD=", env.read_text()))
    done = native_env(checkout)
    assert done.returncode == 1
    assert "MPP_REPORTING_PASSWORD has no value" in done.stderr
    assert not (checkout / "etc").exists()


def test_the_page_can_be_followed(tmp_path):
    """Every command of it, on a machine whose folders are made up: what is started has its file, what is installed its source."""
    root, tools = tmp_path / "root", tmp_path / "bin"
    shutil.copytree(CHECKOUT / "deploy", root / "srv/mpp/deploy", ignore=shutil.ignore_patterns("__pycache__", "*.py", "benchmarks"))
    shutil.copy(CHECKOUT / ".env.example", root / "srv/mpp")
    provisioning = "etc/grafana/provisioning"
    for folder in ("etc/systemd/system", "etc/caddy", "var/backups", f"{provisioning}/datasources", f"{provisioning}/dashboards"):
        (root / folder).mkdir(parents=True)
    tools.mkdir()
    pgdg, program = root / "usr/share/postgresql-common/pgdg", root / "srv/mpp/.venv/bin"
    pgdg.mkdir(parents=True)
    program.mkdir(parents=True)
    for name in SILENT:
        place = {"mpp": program, "apt.postgresql.org.sh": pgdg}.get(name, tools) / name
        place.write_text(RECORDER)
        place.chmod(0o755)
    newest = root / "var/backups/mpp/mpp-all-20261123T013000Z.mpp.zip"
    newest.parent.mkdir()
    for each in (newest, newest.with_name("mpp-all-20261122T013000Z.mpp.zip")):
        each.touch()
    text = re.sub(r"(?<![\w.:])/(etc|srv|var|usr)/", rf"{root}/\1/", "\n".join(blocks("native", "sh"))).replace("-o mpp -g mpp ", "")
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "RELEASE": "v9.8.7",
        "SAID": str(tmp_path / "said"),
        "CONFIGURATION": str(root / "etc/mpp"),
    }
    done = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "said").read_text().splitlines()

    secrets = read_env(root / "srv/mpp/.env")
    assert f"ALTER ROLE postgres PASSWORD '{secrets['POSTGRES_PASSWORD']}';" in (tmp_path / "said.su").read_text()
    assert (tmp_path / "said.rabbitmqctl").read_text().strip() == secrets["RABBITMQ_PASSWORD"]
    assert len((tmp_path / "said.mpp").read_text().strip()) == 32
    enabled = next(line.split() for line in said if line.startswith("systemctl enable --now mpp@"))[3:]
    assert {unit.removeprefix("mpp@") for unit in enabled} == {
        path.stem for part in PARTS for path in (root / "etc/mpp").glob(f"{part}*.env")
    }
    assert " ".join(enabled) in done.stdout, "what the script says next is what the page does next"
    order = [
        next(n for n, line in enumerate(said) if line.startswith(what))
        for what in ("mpp migrate", "systemctl enable --now mpp@", "mpp seed")
    ]
    assert order == sorted(order), "a part wants the databases, and what is loaded wants the parts"
    assert not any(secret in line for line in said for secret in secrets.values() if len(secret) == 64), "shown to who lists processes"
    assert (root / "etc/systemd/system/caddy.service.d/mpp.conf").read_text() == (OPERATIONS / "caddy-mpp.conf").read_text()
    exporters = ("prometheus-blackbox-exporter", "prometheus-node-exporter")
    for service in ("postgresql@", "caddy", "prometheus", "prometheus-alertmanager", *exporters, "grafana-server"):
        drop_in = (root / f"etc/systemd/system/{service}.service.d/mpp.conf").read_text()
        assert f"/etc/systemd/system/{service}.service.d/mpp.conf" in drop_in, "the file says where it belongs"
        if service in ("postgresql@", "caddy"):
            assert "Restart=on-failure" in drop_in, "Debian's own units leave them where they ended"
        for variables in re.findall("(?m)^EnvironmentFile=/(.+)$", drop_in):
            assert (root / variables).stat().st_mode & 0o777 == 0o600
    assert "ALERT_WEBHOOK_URL=https://chat.example.go.id/hook\n" in (root / "etc/mpp/alertmanager.env").read_text()
    assert read_env(root / "etc/mpp/grafana.env") == {"GF_SECURITY_ADMIN_PASSWORD": secrets["GRAFANA_PASSWORD"]}
    (source,) = yaml.safe_load((root / provisioning / "datasources/mpp.yml").read_text())["datasources"]
    assert (source["uid"], source["url"]) == ("mpp-prometheus", "http://127.0.0.1:9090")
    (provider,) = yaml.safe_load((root / provisioning / "dashboards/mpp.yml").read_text())["providers"]
    assert (Path(provider["options"]["path"]) / "mpp-platform.json").is_file()
    assert not (root / "etc/mpp/ticketing-3.env").exists(), "scaled down again"
    assert said.index("systemctl enable --now mpp@ticketing-3") < said.index("systemctl disable --now mpp@ticketing-3")
    upgrade = said[said.index("git checkout v9.8.7") :]
    restarted = [line.rpartition("mpp@")[2] for line in upgrade if line.startswith("systemctl restart mpp@")]
    assert sorted(restarted) == sorted(unit.removeprefix("mpp@") for unit in enabled), "every process, one after the other"
    assert [part for part, _ in itertools.groupby(unit.partition("-")[0] for unit in restarted)] == list(PARTS)
    assert upgrade.index("mpp migrate") < upgrade.index("systemctl restart mpp@catalog")
    assert "systemctl disable --now mpp@ticketing-3" in done.stdout, "what is no longer wanted is named"
    for unit, waited in zip(restarted, (line for line in upgrade if "/readyz" in line), strict=True):
        assert waited.endswith(f":{read_env(root / f'etc/mpp/{unit}.env')['MPP_PROBE_PORT']}/readyz")
    assert f"mpp restore {newest} --all --replace" in said
    assert "mpp backup create --all --keep 14" in (root / "etc/systemd/system/mpp-backup.service").read_text()
