"""Operators are told: from a rule that fires in Prometheus to a webhook and a letter, with real servers in between."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.servers.alertmanager import START, AlertmanagerServer, ensure_installed
from deploy.servers.process import ServerError
from deploy.servers.prometheus import PrometheusServer
from tests.monitoring import hurried
from tests.processes import eventually
from tests.receivers import HttpReceiver, Mailbox

pytestmark = pytest.mark.integration

MAIL = {"ALERT_EMAIL_TO": "ops@mpp.example.id, duty@mpp.example.id", "ALERT_EMAIL_FROM": "alerts@mpp.example.id"}
GRAFANA = "https://grafana.mpp.example.id"


@pytest.mark.parametrize(
    ("variables", "kinds"),
    [
        ({}, []),
        ({"ALERT_EMAIL_TO": "", "ALERT_WEBHOOK_URL": ""}, []),  # as Compose passes what .env leaves out
        ({"ALERT_WEBHOOK_URL": "https://chat.example.id/hook?room=1&key=it's"}, ["webhook_configs"]),
        ({**MAIL, "ALERT_SMTP_HOST": "mail.example.id:587"}, ["email_configs"]),
        (
            {**MAIL, "ALERT_SMTP_HOST": "mail:587", "ALERT_SMTP_USER": "u", "ALERT_SMTP_PASSWORD": "it's: #{%}$\\&"}
            | {"ALERT_WEBHOOK_URL": "http://127.0.0.1/"},
            ["email_configs", "webhook_configs"],
        ),
    ],
)
def test_whom_env_names_is_told_and_alertmanager_understands_it(variables, kinds, tmp_path: Path):
    file = tmp_path / "alertmanager.yml"
    done = subprocess.run(["/bin/sh", START, file], env=variables | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    subprocess.run([ensure_installed()["amtool"], "check-config", file], check=True, capture_output=True)
    [receiver] = yaml.safe_load(file.read_text())["receivers"]
    assert [kind for kind in receiver if kind != "name"] == kinds
    assert ("Alerts reach nobody" in done.stderr) == (not kinds)
    assert file.stat().st_mode & 0o077 == 0, "it holds a password"
    if "ALERT_SMTP_PASSWORD" in variables:
        assert receiver["email_configs"][0]["auth_password"] == variables["ALERT_SMTP_PASSWORD"]
    if "ALERT_WEBHOOK_URL" in variables and kinds:
        assert receiver["webhook_configs"][0]["url"] == variables["ALERT_WEBHOOK_URL"]


def test_mail_without_a_server_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(ServerError, match="ALERT_EMAIL_TO needs ALERT_SMTP_HOST"):
        AlertmanagerServer(tmp_path, MAIL).start()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


def test_an_alert_reaches_webhook_and_mailbox_with_the_way_to_its_page(mailbox: Mailbox, tmp_path: Path, monkeypatch):
    """A Prometheus that sees no platform at all says that each part is missing, and that the broker is."""
    monkeypatch.setenv("MPP_GRAFANA_URL", GRAFANA)
    folder = hurried(tmp_path / "monitoring")
    with HttpReceiver() as hook:
        variables = {**MAIL, "ALERT_SMTP_HOST": f"127.0.0.1:{mailbox.port}", "ALERT_SMTP_TLS": "false", "ALERT_WEBHOOK_URL": hook.url}
        with AlertmanagerServer(tmp_path / "alertmanager", variables, start=folder / "alertmanager" / "start.sh") as alertmanager:
            (folder / "targets" / "alertmanager.yml").write_text(json.dumps([{"targets": [f"127.0.0.1:{alertmanager.port}"]}]))
            with PrometheusServer(tmp_path / "prometheus", folder / "prometheus.yml") as prometheus:
                eventually(lambda: told(hook) >= {"PartMissing", "BrokerDown"}, within=40)
                eventually(lambda: any("PartMissing" in subject for subject in mailbox.subjects), within=20)
                failed = eventually(lambda: prometheus.query("alertmanager_notifications_failed_total"))
                assert {"email", "webhook"} <= {series["metric"]["integration"] for series in failed}, "0 before the first failure"
    missing = next(
        alert for alert in alerts(hook) if alert["labels"] == {"alertname": "PartMissing", "part": "ticketing", "severity": "critical"}
    )
    assert missing["annotations"] == {"summary": "No replica of ticketing runs.", "runbook_url": f"{GRAFANA}/d/runbook-PartMissing"}
    letter = next(each for each in mailbox.letters if "PartMissing" in str(each.message["Subject"]))
    assert letter.message["Subject"] == "[MPP] firing: PartMissing (critical)"
    body = letter.message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "No replica of ticketing runs." in text
    assert f"what to do: {GRAFANA}/d/runbook-PartMissing" in text


def alerts(hook: HttpReceiver) -> list[dict]:
    return [alert for posted in hook.posted for alert in json.loads(posted.body)["alerts"]]


def told(hook: HttpReceiver) -> set[str]:
    return {alert["labels"]["alertname"] for alert in alerts(hook)}
