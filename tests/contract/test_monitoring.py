"""Monitoring asks for metrics that exist, and nobody is woken without being told what to do."""

import json
import re
import shlex

import click
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram, Summary
from prometheus_client.metrics import MetricWrapperBase

from deploy.cli.commands import mpp
from deploy.monitoring.dashboards import DASHBOARDS, FOLDER, RUNBOOK_FOLDER, expressions
from deploy.monitoring.dashboards.layout import encoded, written
from deploy.monitoring.dashboards.runbooks import runbooks
from services.chassis import metrics
from services.chassis.settings import SERVICES
from services.contracts.subscriptions import SUBSCRIPTIONS
from tests.monitoring import MONITORING, alert_rules, metric_names, rule_expressions, rules

pytestmark = pytest.mark.unit

ALERTS = {rule["alert"]: rule for rule in alert_rules()}
RUNBOOKS = MONITORING / "runbooks"
FOREIGN = {
    "ALERTS",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "probe_ssl_earliest_cert_expiry",
    "alertmanager_notifications_failed_total",
    "up",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_channels",
    "rabbitmq_connections",
    "rabbitmq_detailed_queue_consumers",
    "rabbitmq_detailed_queue_messages_ready",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
    "rabbitmq_process_resident_memory_bytes",
    "rabbitmq_resident_memory_limit_bytes",
}
SECTIONS = ["What it means", "What people notice", "What to look at", "What to do"]


def series_of(metric: MetricWrapperBase) -> set[str]:
    """Names of a metric's series on the page that Prometheus reads."""
    if isinstance(metric, Summary):
        return {metric._name + suffix for suffix in ("_count", "_sum")}
    if isinstance(metric, Histogram):
        return {metric._name + suffix for suffix in ("_bucket", "_count", "_sum")}
    return {metric._name + ("_total" if isinstance(metric, Counter) else "")}


DECLARED = {name: metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase) for name in series_of(metric)}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('sum by (le, route) (rate(a_bucket{b="c", d=~"e_f"}[5m])) > 1', {"a_bucket"}),
        ("max by (x) (level:a:max) or 0 * other unless on (x) third[5m]", {"level:a:max", "other", "third"}),
        ("topk(8, histogram_quantile(0.9, a)) == bool 0", {"a"}),
    ],
)
def test_names_of_metrics_are_told_from_the_rest_of_promql(expression, names):
    assert metric_names([expression]) == names


def test_rules_and_dashboards_ask_only_for_what_is_measured():
    asked = metric_names([*rule_expressions(), *expressions()])
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert asked - recorded - set(DECLARED) == FOREIGN


def test_labels_that_rules_choose_by_exist():
    for expression in [*rule_expressions(), *expressions()]:
        for name, matchers in re.findall(r"(mpp_[a-z_]+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers))
            if name in DECLARED:
                assert labels <= set(DECLARED[name]._labelnames), expression


def test_every_metric_of_the_platform_is_on_a_dashboard_or_in_a_rule():
    asked = metric_names([*rule_expressions(), *expressions()])
    unseen = {metric._name for metric in DECLARED.values() if not series_of(metric) & asked}
    assert unseen == set(), "measured for nobody"


def test_alerts_watch_all_queues_of_the_platform_and_no_others():
    for name in ("QueueWithoutConsumer", "QueueGrowing"):
        pattern = re.search(r'queue=~"([^"]+)"', ALERTS[name]["expr"])
        assert pattern is not None
        queues = [subscription.queue for subscription in SUBSCRIPTIONS] + [f"rpc-{service}" for service in SERVICES]
        assert all(re.fullmatch(pattern[1], queue) for queue in queues)
        others = ["rpc.reply-gateway-1", "gateway.boards-1", "outside.dinas@lampung-timur"]
        assert not any(re.fullmatch(pattern[1], queue) for queue in others)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_an_alert_says_how_urgent_it_is_what_happened_and_where_to_read_on(name):
    for rule in (rule for rule in alert_rules() if rule["alert"] == name):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook_url"] == f"{{{{ $externalLabels.grafana }}}}/d/runbook-{name}"


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_the_page_of_an_alert_tells_meaning_effect_signs_and_remedy(name):
    page = (RUNBOOKS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^## .+$", page, flags=re.MULTILINE)[1:])
    for mentioned in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", page):
        assert mentioned in ALERTS or mentioned == "SchemaBehind", f"{mentioned} is no alert"


def test_no_page_is_left_of_an_alert_that_is_gone():
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*ALERTS, "README"}


def commands() -> list[str]:
    pages = [page.read_text() for page in sorted(RUNBOOKS.glob("*.md"))]
    return sorted({found for page in pages for found in re.findall(r"`(mpp [^`]+)`", page)})


@pytest.mark.parametrize("line", commands())
def test_a_command_of_a_page_exists_with_its_options(line):
    command: click.Command = mpp
    words = shlex.split(line)[1:]
    while words and isinstance(command, click.Group):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_a_page_that_asks_compose_says_what_to_do_without(name):
    lines = [line for line in (RUNBOOKS / f"{name}.md").read_text().splitlines() if re.search("`docker (compose|inspect)", line)]
    assert all("atively" in line for line in lines), [line for line in lines if "atively" not in line]


UNITS = {
    *("caddy", "mpp@*", "mpp@PART", "mpp@PART*", "mpp@SERVICE*", "mpp@gateway*", "postgresql*", "postgresql@18-main"),
    *("prometheus-alertmanager", "prometheus-blackbox-exporter", "rabbitmq-server"),
}
"""Units of systemd that run after `deploy/operations/native.md` was followed; PART and SERVICE are filled in by the reader."""


def test_units_that_pages_name_are_those_that_run():
    pages = "\n".join(page.read_text() for page in sorted(RUNBOOKS.glob("*.md")))
    told = re.findall(r"`systemctl (?:start|restart|status|list-units --all) '?([^'`]+)'?`", pages)
    read = re.findall(r"`journalctl [^`]*-u '?([^'` ]+)", pages)
    assert len(told) == len(re.findall("`systemctl ", pages)), "in another form than those that are checked"
    assert {*told, *read} == UNITS


def test_every_alert_is_tried_in_silence_and_in_trouble():
    files = [yaml.safe_load(path.read_text()) for path in (MONITORING / "rule_tests").glob("*.yml")]
    cases = [case for file in files for test in file["tests"] for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_a_dashboard_is_written_down_and_its_panels_explain_themselves(dashboard):
    text = (FOLDER / f"{dashboard.uid}.json").read_text()
    assert text == encoded(dashboard), "run `make dashboards`"
    document = json.loads(text)
    assert document["uid"] == dashboard.uid
    panels = [panel for panel in document["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    for panel in panels:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["description"].endswith(".")
        assert panel["targets"]
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_panels_lie_beside_each_other_and_not_upon_each_other(dashboard):
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(encoded(dashboard))["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_the_link_of_an_alert_leads_to_its_page_in_grafana(name):
    document = json.loads((FOLDER / RUNBOOK_FOLDER / f"{name}.json").read_text())
    assert written(document) == runbooks()[name], "run `make dashboards`"
    assert ALERTS[name]["annotations"]["runbook_url"].endswith(f"/d/{document['uid']}")
    assert len(document["uid"]) <= 40, "Grafana refuses longer ones"
    [page] = document["panels"]
    assert page["options"]["content"] in (RUNBOOKS / f"{name}.md").read_text()


def test_no_dashboard_is_left_of_a_former_one_and_all_read_the_provided_source():
    assert {path.stem for path in FOLDER.glob("*.json")} == {dashboard.uid for dashboard in DASHBOARDS}
    assert {path.stem for path in (FOLDER / RUNBOOK_FOLDER).glob("*.json")} == set(ALERTS)
    provided = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]["uid"]
    used = {
        target["datasource"]["uid"]
        for dashboard in DASHBOARDS
        for panel in json.loads(encoded(dashboard))["panels"]
        for target in panel.get("targets", [])
    }
    assert used == {provided}


def test_gauges_that_replicas_measure_of_the_same_thing_are_not_added_up():
    shared = {
        *("mpp_tickets_waiting", "mpp_tickets_today", "mpp_counters", "mpp_tickets_longest_wait_seconds", "mpp_dead_letters_waiting"),
        *("mpp_outbox_pending", "mpp_outbox_oldest_age_seconds", "mpp_regencies_behind", "mpp_webhooks_paused"),
        *("mpp_database_connections", "mpp_database_max_connections"),
    }
    assert all(isinstance(DECLARED[name], Gauge) for name in shared)
    for expression in [*rule_expressions(), *expressions()]:
        for name in shared & metric_names([expression]):
            added = re.findall(rf"sum(?: by \(([^)]*)\))? ?\({name}", expression)
            assert all("instance" in labels for labels in added), expression  # of one replica, and so of one moment
