"""deploy/new-env.sh: one command after which docker-compose.yml has all it asks for."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from services.chassis.settings import MIN_SECRET_LENGTH
from tests.platform.compose import CHECKOUT, ComposeFile, new_env, read_env

pytestmark = pytest.mark.integration

OPEN = {
    name for name in read_env(CHECKOUT / ".env.example") if not name.endswith(("PASSWORD", "SECRET", "KEYS")) or name.startswith("ALERT_")
}
"""What an operator decides; everything else is made."""


def again(folder: Path, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(folder / "deploy/new-env.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", umask=umask, env={"PATH": os.environ["PATH"]})


def test_every_secret_is_new_long_and_of_its_own(tmp_path: Path):
    made = [read_env(new_env(tmp_path / name)) for name in ("one", "other")]
    secrets = [value for variables in made for name, value in variables.items() if name not in OPEN]
    assert len(set(secrets)) == len(secrets) == 2 * (len(made[0]) - len(OPEN))
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) and len(secret) >= MIN_SECRET_LENGTH for secret in secrets)
    assert (made[0]["MPP_SITE_ADDRESS"], made[0]["MPP_BROKER_PUBLIC_URL"]) == ("localhost", "")


def test_the_file_is_its_owner_s_alone_and_has_all_that_compose_asks_for(tmp_path: Path):
    env = new_env(tmp_path, "antrean.example.go.id")
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert ComposeFile.of(env)["proxy"].environment == {"MPP_SITE_ADDRESS": "antrean.example.go.id"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".env.example", "deploy"], "something is left over"


def test_what_is_there_stays_and_what_is_missing_or_empty_is_added(tmp_path: Path):
    env = new_env(tmp_path)
    before = read_env(env)
    env.write_text(
        env.read_text().replace(f"GRAFANA_PASSWORD={before['GRAFANA_PASSWORD']}\n", "").replace(before["RABBITMQ_PASSWORD"], "") + "OWN=1"
    )
    done = again(tmp_path)
    assert done.returncode == 0
    assert "RABBITMQ_PASSWORD GRAFANA_PASSWORD" in done.stdout
    after = read_env(env)
    assert {name for name in after if after[name] != before.get(name)} == {"RABBITMQ_PASSWORD", "GRAFANA_PASSWORD", "OWN"}
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert "lacks nothing" in again(tmp_path).stdout
    assert read_env(env) == after


def test_no_secret_is_printed(tmp_path: Path):
    env = new_env(tmp_path)
    env.unlink()
    done = again(tmp_path, "antrean.example.go.id")
    secrets = [value for name, value in read_env(env).items() if name not in OPEN]
    assert not any(secret in done.stdout + done.stderr for secret in secrets)


def test_an_existing_file_is_not_given_another_name(tmp_path: Path):
    env = new_env(tmp_path)
    before = env.read_text()
    done = again(tmp_path, "antrean.example.go.id")
    assert done.returncode == 1
    assert "MPP_SITE_ADDRESS" in done.stderr
    assert env.read_text() == before


@pytest.mark.parametrize("name", ["https://antrean.example.go.id", "antrean example", "-x", "$(id)", "a\nb"])
def test_what_is_no_name_is_refused_and_nothing_is_written(tmp_path: Path, name: str):
    new_env(tmp_path).unlink()
    done = again(tmp_path, name)
    assert done.returncode == 2
    assert not (tmp_path / ".env").exists()


def test_git_does_not_take_the_secrets():
    ignored = (CHECKOUT / ".gitignore").read_text().splitlines()
    assert {".env", ".env.new.*", "notification.env"} <= set(ignored)
