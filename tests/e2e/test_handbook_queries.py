"""Every query of the operator's handbook is answered by a Prometheus that watches the platform, from metrics that are there."""

from __future__ import annotations

import pytest

from deploy.servers.prometheus import PrometheusServer
from tests.e2e.test_monitoring import prometheus as prometheus
from tests.handbook.pages import PAGES, blocks
from tests.monitoring import metric_names
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR
from tests.processes import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

QUERIES = [query.strip() for page in PAGES for query in blocks(page, "promql")]
ONLY_SOMETIMES = {"ALERTS", "mpp_dead_letters_waiting"}
"""Absent as long as there is nothing to tell of."""


def test_every_query_is_answered(deployed_platform: DeployedPlatform, request: pytest.FixtureRequest):
    server: PrometheusServer = request.getfixturevalue("prometheus")
    wanted = metric_names(QUERIES) - ONLY_SOMETIMES
    assert len(wanted) > 8
    citizen = deployed_platform.client()

    def all_there() -> bool:
        assert citizen.get(f"{LAMPUNG_TIMUR.path}/sites/{LAMPUNG_TIMUR.site}/board").status == 200
        found = {
            series["metric"]["__name__"] for series in server.query(f'group by (__name__) ({{__name__=~"{"|".join(sorted(wanted))}"}})')
        }
        assert wanted <= found, f"not measured: {sorted(wanted - found)}"
        return True

    eventually(all_there, within=40, every=1)
    for query in QUERIES:
        server.query(query)  # raises where Prometheus refuses it
