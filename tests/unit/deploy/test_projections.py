"""What `mpp rebuild` may empty: each consumer's tables, named by the service that has them, and no fact of its own."""

import pytest

from deploy.parts import projections
from services.chassis.settings import SERVICES
from services.contracts.subscriptions import NOTIFICATION_REPORTING, NOTIFICATION_TICKETING, SUBSCRIPTIONS

pytestmark = pytest.mark.unit

NOT_TO_BE_MADE_AGAIN = {NOTIFICATION_TICKETING.queue, NOTIFICATION_REPORTING.queue}
"""What became of tickets and complaints is told once; notices and deliveries are notification's own facts."""


@pytest.mark.parametrize("service", SERVICES)
def test_every_consumer_of_a_service_says_what_it_fills_or_that_nothing_can_be_made_again(service):
    consumers = {each.queue for each in SUBSCRIPTIONS if each.queue.startswith(f"{service}.")}
    assert set(projections(service)) == consumers - NOT_TO_BE_MADE_AGAIN


@pytest.mark.parametrize("service", SERVICES)
def test_a_table_belongs_to_one_consumer(service):
    tables = [table.name for each in projections(service).values() for table in each]
    assert len(set(tables)) == len(tables)


def test_nothing_of_the_platform_s_own_is_a_projection():
    own = {"event_log", "inbox", "stream_mark", "ticket", "queue_day", "visit", "notice", "survey", "complaint", "audit_log"}
    for service in SERVICES:
        assert not own & {table.name for each in projections(service).values() for table in each}
