"""An operator without containers: what the unit files start watches the platform, tells of trouble, and of its end.

The commands are those of the unit files, the variables those that `native-env.sh` writes; only waiting is shorter.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.servers import alertmanager, prometheus
from deploy.servers.ports import free_port
from tests.handbook.units import Unit, running
from tests.monitoring import MONITORING, hurried, write_targets
from tests.platform.compose import CHECKOUT, new_env
from tests.platform.deployment import DeployedPlatform
from tests.processes import ServiceProcess, eventually
from tests.receivers import HttpReceiver

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

GRAFANA = "https://grafana.example.go.id"
ALARM_SECONDS = 3


@dataclass
class Watch:
    """Prometheus, Alertmanager, and who is told."""

    prometheus: str
    alertmanager: str
    hook: HttpReceiver

    def firing(self, **labels: str) -> bool:
        """Whether Prometheus says so."""
        alerts = asked(f"{self.prometheus}/api/v1/alerts")["data"]["alerts"]
        return any(alert["state"] == "firing" and labels.items() <= alert["labels"].items() for alert in alerts)

    def calm(self) -> bool:
        """Whether Prometheus has found everybody, and ticketing is in no trouble. What other tests have left behind may be."""
        found = asked(f"{self.prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
        watched = asked(f"{self.prometheus}/api/v1/targets?state=active")["data"]["activeTargets"]
        return bool(found and watched) and all(target["health"] == "up" for target in watched) and not self.firing(part="ticketing")

    def active(self, **labels: str) -> bool:
        """Whether Alertmanager has it."""
        return any(labels.items() <= alert["labels"].items() for alert in asked(f"{self.alertmanager}/api/v2/alerts"))

    def suppressed(self, **labels: str) -> bool:
        """Whether Alertmanager has it, and keeps it for itself as long as a greater trouble lasts."""
        alerts = [alert for alert in asked(f"{self.alertmanager}/api/v2/alerts") if labels.items() <= alert["labels"].items()]
        return bool(alerts) and all(alert["status"]["inhibitedBy"] for alert in alerts)

    def told(self, status: str, **labels: str) -> list[dict[str, Any]]:
        """What has arrived about it."""
        alerts = [alert for posted in list(self.hook.posted) for alert in json.loads(posted.body)["alerts"]]
        return [alert for alert in alerts if alert["status"] == status and labels.items() <= alert["labels"].items()]


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (of this machine)
        return json.loads(answer.read())


@pytest.fixture
def watch(deployed_platform: DeployedPlatform, tmp_path: Path) -> Iterator[Watch]:
    """What step 8 of the page starts."""
    prometheus.ensure_installed()
    alertmanager.ensure_installed()
    checkout, etc, run, data = (tmp_path / name for name in ("checkout", "etc", "run", "data"))
    new_env(checkout, "antrean.example.go.id")
    shutil.copy(CHECKOUT / "deploy/native-env.sh", checkout / "deploy")
    monitoring = hurried(checkout / "deploy/monitoring", alarm_after=ALARM_SECONDS)
    ports = {":9090": f":{free_port()}", ":9093": f":{free_port()}"}
    with HttpReceiver() as hook:
        env = checkout / ".env"
        changed = re.sub("(?m)^ALERT_WEBHOOK_URL=$", f"ALERT_WEBHOOK_URL='{hook.url}'", env.read_text())
        env.write_text(re.sub("(?m)^MPP_GRAFANA_URL=.*$", f"MPP_GRAFANA_URL={GRAFANA}", changed))
        variables = {"PATH": os.environ["PATH"], "CONFIGURATION": str(etc)}
        subprocess.run(
            ["/bin/sh", checkout / "deploy/native-env.sh", "ticketing=2", "gateway=2"], env=variables, check=True, capture_output=True
        )
        targets = monitoring / "targets"
        written = {group["labels"]["part"]: group["targets"] for group in yaml.safe_load((targets / "mpp.yml").read_text())}
        assert [len(written[part]) for part in ("ticketing", "gateway")] == [2, 2]
        write_targets(targets, deployed_platform)  # the ports of this platform's processes are drawn
        told = yaml.safe_load((targets / "alertmanager.yml").read_text())
        (targets / "alertmanager.yml").write_text(yaml.safe_dump(told).replace(":9093", ports[":9093"]))
        for name in ("entrance.yml", "node.yml"):  # tests/e2e/test_behind_the_proxy.py, tests/fault/platform/test_full_disk.py
            (targets / name).unlink()
        places = {"/srv/mpp/deploy/monitoring": str(monitoring), "/etc/mpp": str(etc), "/var/lib/prometheus": str(data), "/run/": f"{run}/"}
        units = [Unit(name, {**places, **ports}) for name in ("alertmanager-mpp.conf", "prometheus-mpp.conf")]
        for folder in (data, run / "mpp-alertmanager"):
            folder.mkdir(parents=True)
        with running(units[0], tmp_path / "alertmanager.log"), running(units[1], tmp_path / "prometheus.log"):
            yield Watch(f"http://127.0.0.1{ports[':9090']}", f"http://127.0.0.1{ports[':9093']}", hook)


def runbook_command(page: str, verb: str, part: str) -> str:
    """What a page says to run without containers."""
    found = re.search(rf"natively `systemctl {verb} ([^`]+)`", (MONITORING / "runbooks" / page).read_text())
    assert found is not None, f"{page} says nothing of systemctl {verb}"
    return found[1].replace("PART", part)


def test_trouble_is_told_its_page_is_followed_and_its_end_is_told(watch: Watch, deployed_platform: DeployedPlatform):
    units: dict[str, ServiceProcess] = dict(zip(("mpp@ticketing", "mpp@ticketing-2"), deployed_platform.ticketing, strict=True))
    missing, down = {"alertname": "PartMissing", "part": "ticketing"}, {"alertname": "PartDown", "part": "ticketing"}
    eventually(watch.calm, within=30, every=0.2)
    for process in units.values():
        process.kill()
    try:
        eventually(lambda: watch.firing(**missing), within=30, every=0.2)
        eventually(lambda: watch.active(**missing), within=20, every=0.2)
        (alert, *_) = eventually(lambda: watch.told("firing", **missing), within=20, every=0.2)
        assert alert["annotations"]["runbook_url"] == f"{GRAFANA}/d/runbook-PartMissing"
        eventually(lambda: watch.suppressed(**down), within=20, every=0.2)  # what follows from it is not told besides

        assert deployed_platform.client().get("/v1/regencies").status == 200, "the rest is at work"
        units[runbook_command("PartMissing.md", "start", "ticketing").split()[0]].start()
        eventually(lambda: watch.told("resolved", **missing), within=30, every=0.2)
        assert not watch.firing(**missing)
        assert eventually(lambda: watch.told("firing", **down), within=30, every=0.2), "one of two is still away, which is told now"
    finally:
        for process in units.values():
            if process.has_ended():
                process.start(wait=False)
        deployed_platform.wait_ready()
    eventually(lambda: watch.told("resolved", **down), within=30, every=0.2)
