"""A real Prometheus watches the deployed platform with the configuration that is delivered, and sees all it asks for."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.monitoring.dashboards import DASHBOARDS, expressions, expressions_of
from deploy.monitoring.dashboards.model import Panel
from deploy.servers.ports import free_port
from deploy.servers.prometheus import PrometheusServer
from services.contracts.subscriptions import SUBSCRIPTIONS
from tests.handbook.pages import PAGES, blocks
from tests.monitoring import MONITORING, alert_rules, metric_names, rule_expressions, write_targets
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, empty, serve, take_number
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

SCRAPE_SECONDS = 1
ONLY_LATER = {
    "ALERTS": "when one fires",
    "alertmanager_notifications_failed_total": "where an Alertmanager runs",
    "node_filesystem_avail_bytes": "where a node exporter runs",
    "node_filesystem_size_bytes": "where a node exporter runs",
    "probe_ssl_earliest_cert_expiry": "where the public address is watched",
    "mpp_dead_letters_waiting": "with a regency's first dead letter",
    "mpp_webhooks_paused": "ten minutes after the start",
}
INTERVALS = re.compile(r"^(  (?:scrape_interval|scrape_timeout|evaluation_interval)): .*$", re.MULTILINE)


@pytest.fixture(scope="module")
def prometheus(deployed_platform: DeployedPlatform, server_folder: Path) -> Iterator[PrometheusServer]:
    """The delivered configuration, in a hurry, with targets as an operator without Compose writes them."""
    folder = server_folder / "monitoring"
    shutil.copytree(MONITORING / "rules", folder / "rules")
    configuration = folder / "prometheus.yml"
    delivered = (MONITORING / "prometheus.yml").read_text()
    hurried, changed = INTERVALS.subn(rf"\1: {SCRAPE_SECONDS}s", delivered)
    assert changed == 3
    configuration.write_text(hurried)
    write_targets(folder / "targets", deployed_platform)
    with PrometheusServer(folder / "server", configuration) as server:
        eventually(lambda: len(server.query("up == 1")) == len(deployed_platform.processes) + 2, within=30)
        yield server


@pytest.fixture(scope="module")
def busy(deployed_platform: DeployedPlatform) -> Iterator[Callable[[], None]]:
    """What brings everything forth that only an event does; gives what has to go on for rates to be seen."""
    officer, citizen = deployed_platform.client("officer@lampung-timur"), deployed_platform.client()
    administrator, webhooks = deployed_platform.client("admin@lampung-timur"), f"{LAMPUNG_TIMUR.path}/webhooks"
    empty(deployed_platform, [LAMPUNG_TIMUR])
    for gateway in range(len(deployed_platform.gateways) * 2):
        assert citizen.get(f"{LAMPUNG_TIMUR.path}/sites/{LAMPUNG_TIMUR.site}/board").status == 200, gateway
    deaf = {"url": f"http://127.0.0.1:{free_port()}/", "events": ["ticket.*"]}
    added = administrator.post(webhooks, deaf)
    assert added.status == 201, added

    def go_on() -> None:
        citizen.get("/v1/regencies")  # a share of no requests is none
        take_number(citizen, LAMPUNG_TIMUR, LAMPUNG_TIMUR.services[0])
        called = officer.post(f"{LAMPUNG_TIMUR.path}/counters/{LAMPUNG_TIMUR.counters[0]}/call-next")
        serve(officer, LAMPUNG_TIMUR, called.body["id"])

    yield go_on
    assert administrator.request("DELETE", f"{webhooks}/{added.body['id']}").status == 200


def test_every_metric_that_rules_and_dashboards_name_is_there(prometheus: PrometheusServer, busy: Callable[[], None]):
    wanted = metric_names([*rule_expressions(), *expressions()]) - ONLY_LATER.keys()
    assert len(wanted) > 40

    def all_there() -> bool:
        busy()
        names = "|".join(sorted(wanted))
        found = {series["metric"]["__name__"] for series in prometheus.query(f'group by (__name__) ({{__name__=~"{names}"}})')}
        assert wanted <= found, f"not measured: {sorted(wanted - found)}"
        return True

    eventually(all_there, within=40, every=1)  # rates need two looks, and who waits is counted by the clock


def test_every_panel_shows_something_or_says_why_not(prometheus: PrometheusServer, busy: Callable[[], None]):
    def without_data() -> set[Panel]:
        return {
            panel
            for dashboard in DASHBOARDS
            for _, row in dashboard.rows
            for panel in row
            if not any(prometheus.query(expression) for expression in expressions_of(panel))
        }

    def all_explained() -> bool:
        busy()
        unexplained = {panel.title for panel in without_data() if panel.empty is None}
        assert not unexplained, f"empty panels: {sorted(unexplained)}"
        return True

    eventually(all_explained, within=40, every=1)


def test_rules_are_evaluated_without_error_and_nobody_is_alarmed(prometheus: PrometheusServer):
    def evaluated() -> bool:
        groups = prometheus.ask("rules")["groups"]
        return bool(groups) and all(rule["health"] == "ok" for group in groups for rule in group["rules"])

    eventually(evaluated, within=20, every=0.5)
    told = [rule["name"] for group in prometheus.ask("rules", type="alert")["groups"] for rule in group["rules"]]
    assert sorted(told) == sorted(rule["alert"] for rule in alert_rules())
    critical = prometheus.query('ALERTS{alertstate="firing", severity="critical"}')
    assert critical == [], "the platform is whole"


def test_every_curve_of_every_dashboard_can_be_drawn(prometheus: PrometheusServer):
    for expression in expressions():
        prometheus.query(expression)  # raises where Prometheus refuses it


def test_what_an_alert_waits_for_is_there_before_it_happens(prometheus: PrometheusServer):
    """An increase from nothing to one is none: counters of rare trouble stand at zero from the start."""
    consumers = {subscription.queue for subscription in SUBSCRIPTIONS}
    for metric in ("mpp_dead_letters_total", "mpp_inbox_failures_total", "mpp_sequence_gaps_total", "mpp_event_age_seconds_count"):
        assert {one["metric"]["consumer"] for one in prometheus.query(f"group by (consumer) ({metric})")} >= consumers, metric
    rejected = prometheus.query('group by (consumer) (mpp_events_handled_total{outcome="rejected"})')
    assert {one["metric"]["consumer"] for one in rejected} >= {*consumers, "gateway.boards"}
    for metric in ("mpp_relay_failures_total", "mpp_events_unroutable_total"):
        services = {one["metric"]["service"] for one in prometheus.query(f"group by (service) ({metric})")}
        assert services >= {"catalog", "ticketing", "reporting"}, metric
    uncertain = prometheus.query('group by (channel) (mpp_deliveries_total{outcome="uncertain"})')
    assert {one["metric"]["channel"] for one in uncertain} >= {"webhook", "email"}


def test_queues_that_alerts_watch_are_those_of_the_platform(prometheus: PrometheusServer):
    watched = next(rule["expr"] for rule in alert_rules() if rule["alert"] == "QueueWithoutConsumer").removesuffix("== 0").strip()
    queues = {series["metric"]["queue"] for series in prometheus.query(watched)}
    assert queues == {subscription.queue for subscription in SUBSCRIPTIONS} | {
        f"rpc-{service}" for service in ("catalog", "ticketing", "notification", "reporting")
    }


def test_every_query_of_the_handbook_is_answered(deployed_platform: DeployedPlatform, prometheus: PrometheusServer):
    queries = [query.strip() for page in PAGES for query in blocks(page, "promql")]
    wanted = metric_names(queries) - {"ALERTS", "mpp_dead_letters_waiting"}  # absent as long as there is nothing to tell of
    assert len(wanted) > 8
    citizen = deployed_platform.client()

    def all_there() -> bool:
        assert citizen.get(f"{LAMPUNG_TIMUR.path}/sites/{LAMPUNG_TIMUR.site}/board").status == 200
        found = {
            series["metric"]["__name__"] for series in prometheus.query(f'group by (__name__) ({{__name__=~"{"|".join(sorted(wanted))}"}})')
        }
        assert wanted <= found, f"not measured: {sorted(wanted - found)}"
        return True

    eventually(all_there, within=40, every=1)
    for query in queries:
        prometheus.query(query)  # raises where Prometheus refuses it


def test_a_replica_that_dies_is_noticed_by_its_part(deployed_platform: DeployedPlatform, prometheus: PrometheusServer):
    process = deployed_platform.ticketing[0]
    process.freeze()
    try:
        down = f'up{{job="mpp", part="ticketing", instance="127.0.0.1:{process.probe_port}"}} == 0'
        eventually(lambda: prometheus.query(down), within=20, every=0.5)
        pending = 'ALERTS{alertname="PartDown", part="ticketing"}'
        eventually(lambda: prometheus.query(pending), within=10, every=0.5)
        assert prometheus.query('ALERTS{alertname="PartMissing"}') == []
    finally:
        process.thaw()
    eventually(lambda: not prometheus.query('up{job="mpp"} == 0'), within=20, every=0.5)
    deployed_platform.wait_ready()
