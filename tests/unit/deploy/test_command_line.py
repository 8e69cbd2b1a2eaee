"""What the command line says when it is called wrongly: one sentence, and no stack trace."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from deploy import parts
from deploy.cli.commands import mpp
from deploy.embedded.installation import Installation
from services.chassis.settings import SERVICES, Settings, SettingsError

pytestmark = pytest.mark.unit

FACTS = ["--name", "X", "--code", "18.07", "--province", "Y", "--timezone", "Asia/Jakarta", "--capital", "Z"]
BROKER = {"MPP_BROKER_URL": "amqp://u:p@127.0.0.1:1/", "MPP_BROKER_MANAGEMENT_URL": "http://127.0.0.1:1/"}
DATABASES = {f"MPP_{service.upper()}_DATABASE_URL": f"postgresql://{service}@db/{service}" for service in SERVICES}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MPP_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["regency", "add", "Foo_Bar", *FACTS], {}, "id: "),
        (["regency", "add", "foo-bar", *FACTS[:-2], "--capital", ""], {}, "capital: "),
        (["regency", "list"], {**DATABASES, "MPP_ADMIN_DATABASE_URL": "db2"}, "MPP_ADMIN_DATABASE_URL"),
        (["dead-letters", "list"], {"MPP_TICKETING_DATABASE_URL": "db2"}, "MPP_TICKETING_DATABASE_URL"),
        (["events", "tail"], {"MPP_BROKER_URL": "xx://"}, "MPP_BROKER_URL"),
        (["consumers", "list"], {"MPP_BROKER_URL": "embedded://"}, "make run BROKER=rabbitmq"),
        (["consumers", "list"], {"MPP_BROKER_URL": "amqp://u:p@127.0.0.1:1/"}, "MPP_BROKER_MANAGEMENT_URL is not set"),
        (["consumers", "list"], {**BROKER, "MPP_BROKER_MANAGEMENT_URL": "http://127.0.0.1:1/"}, "management API at 127.0.0.1:1 cannot be"),
        (["consumers", "add", "Dinas", "--regency", "lampung-timur"], BROKER, "dinas-kominfo"),
        (["consumers", "add", "dinas.lain", "--regency", "lampung-timur"], BROKER, "dinas-kominfo"),
        (["consumers", "add", "dinas", "--regency", "*"], BROKER, "lower case"),
        (["consumers", "add", "dinas", "--regency", "lampung-timur", "--events", "#"], BROKER, "--events #: there is no such event"),
        (["consumers", "add", "dinas", "--regency", "lampung-timur", "--events", "ticket.#"], BROKER, "--events ticket.#"),
        (["consumers", "add", "dinas", "--regency", "lampung-timur"], BROKER, "cannot be reached"),
        (["consumers", "revoke", "dinas", "--regency", "lampung-timur"], BROKER, "management API at 127.0.0.1:1"),
        (["backup", "create", "--all", "--folder", "."], {}, "MPP_CATALOG_DATABASE_URL is not set"),
        (["backup", "create", "--regency", "../x", "--folder", "."], DATABASES, "regency_unknown"),
        (["backup", "verify", "nothing.zip"], {}, "nothing.zip cannot be read: No such file or directory"),
        (["restore", "nothing.zip", "--all"], {}, "nothing.zip cannot be read"),
        (["run", "reporting"], {"MPP_BROKER_URL": "xx://"}, "MPP_BROKER_URL"),
        (["up"], {"MPP_BROKER_URL": "xx://"}, "MPP_BROKER_URL"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments, variables, told):
    done = CliRunner().invoke(mpp, arguments, env=variables)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.output.startswith("Error: ")
    assert told in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("command", ["migrate", "dead-letters"])
def test_nothing_but_its_own_words_comes_from_a_command(command):
    program = f"import sys; sys.argv = ['mpp', '{command}', '--help']; from deploy.cli import main; main()"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""


@pytest.mark.parametrize("part", parts.PARTS)
def test_every_part_can_be_run(part):
    assert vars(parts.service_class(part))["name"] == part


def test_an_installation_refuses_a_shell_of_a_deployment_and_keeps_to_its_own_servers(tmp_path, monkeypatch):
    installation = Installation(str(tmp_path), "embedded", lambda line: None)
    own = {**DATABASES, "MPP_TOKEN_SECRET": "o" * 64, "MPP_MODE": "embedded"}
    monkeypatch.setattr(Installation, "environment", lambda self: own)
    assert installation.settings() == Settings.from_environment(own)
    monkeypatch.setenv("MPP_CATALOG_DATABASE_URL", "postgresql://catalog@production.example/catalog")
    with pytest.raises(SettingsError, match="MPP_CATALOG_DATABASE_URL"):
        installation.settings()
