"""From the counter to the figures: a visit is counted and asked about, and reports say what ticketing's tickets amount to."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from kombu import Queue
from psycopg import sql

from services.chassis.broker import CLOUDEVENTS, EVENT_EXCHANGE, connect
from services.chassis.tail import tail
from services.contracts.reporting import ELEMENTS
from services.contracts.subscriptions import REPORTING_TICKETING, routing_key
from tests.platform import checker
from tests.platform.client import Answer, Client, together
from tests.platform.deployment import DeployedPlatform
from tests.platform.journeys import LAMPUNG_TIMUR, OKU_TIMUR, Day, Hall, empty, serve, take_number
from tests.processes import eventually
from tests.recounting import by, recounted, same

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.usefixtures("not_at_midnight")]

Figures = Callable[[str], None]

SURVEYS = f"{OKU_TIMUR.path}/surveys"
SCORES = {**dict.fromkeys(ELEMENTS, 4), "time": 2}
COMMENT = "Bu Ratna di loket tiga sangat membantu"


def figures_of(client: Client, hall: Hall, **filters: str) -> dict[str, Any]:
    asked = "".join(f"&{name}={value}" for name, value in filters.items())
    answer = client.get(f"{hall.path}/reports/daily?site={hall.site}{asked}")
    assert answer.status == 200, answer
    return dict(answer.body)


def index_of(client: Client, hall: Hall, day: str, **filters: str) -> dict[str, Any]:
    asked = "".join(f"&{name}={value}" for name, value in filters.items())
    answer = client.get(f"{hall.path}/reports/skm?from={day}&to={day}{asked}")
    assert answer.status == 200, answer
    return dict(answer.body)


def serve_one(platform: DeployedPlatform, service: str) -> dict[str, Any]:
    """Take a number for a service and serve it; the ticket as it was issued, with its token."""
    empty(platform, [OKU_TIMUR])
    taken: dict[str, Any] = take_number(platform.client(), OKU_TIMUR, service).body
    officer = platform.client("officer@oku-timur")
    called = officer.post(f"{OKU_TIMUR.path}/tickets/{taken['id']}/call", {"counter": OKU_TIMUR.counters[0]})
    assert called.status == 200, called
    serve(officer, OKU_TIMUR, taken["id"])
    return taken


def test_a_visit_is_counted_and_asked_about(deployed_platform: DeployedPlatform):
    supervisor, auditor = (deployed_platform.client(f"{name}@oku-timur") for name in ("supervisor", "auditor"))
    citizen, service = deployed_platform.client(), "KES-LKS"

    waiting = take_number(citizen, OKU_TIMUR, service).body
    too_early = citizen.post(SURVEYS, {"token": waiting["token"], "scores": SCORES})
    assert (too_early.status, too_early.code, too_early.body["current_status"]) == (409, "ticket_state_conflict", "waiting")

    ticket = serve_one(deployed_platform, service)  # serves the one that waits too
    tickets = auditor.pages(f"{OKU_TIMUR.path}/tickets?service={service}")
    today = [one for one in tickets if one["business_date"] == ticket["business_date"]]
    eventually(lambda: same(figures_of(supervisor, OKU_TIMUR, service=service), recounted(today)))
    report = figures_of(supervisor, OKU_TIMUR, service=service)
    assert (report["date"], report["completed"] >= 2) == (ticket["business_date"], True)
    assert [one["service"] for one in report["by_service"]] == [service]
    before = index_of(supervisor, OKU_TIMUR, report["date"], service=service)
    assert before["sample"]["population"] == report["completed"]

    heard = tail(deployed_platform.rabbitmq.url, "*.survey.*", timeout=15.0)
    assert next(heard) == {}
    answer = citizen.post(SURVEYS, {"token": ticket["token"], "scores": SCORES, "comment": COMMENT})
    assert (answer.status, answer.body["ticket"], answer.body["scores"]) == (201, ticket["id"], SCORES)
    told = next(heard)
    assert (told["type"], told["subject"], told["data"]) == ("mpp.survey.submitted", answer.body["id"], {"survey": answer.body})
    assert told["source"] == "/regencies/oku-timur/reporting/sites/martapura"
    assert COMMENT not in json.dumps(told)
    assert ticket["token"] not in json.dumps(told)
    logged = auditor.get(f"{OKU_TIMUR.path}/events?source={told['source']}")
    assert told in logged.body["items"]

    again = citizen.post(SURVEYS, {"token": ticket["token"], "scores": dict.fromkeys(ELEMENTS, 1)})
    assert (again.status, again.code) == (409, "survey_already_answered")
    index = index_of(supervisor, OKU_TIMUR, report["date"], service=service)
    assert index["respondents"] == before["respondents"] + 1
    assert index["elements"]["cost"]["answers"] == before["elements"]["cost"]["answers"] + 1
    if index["respondents"] == 1:
        assert (index["ikm"], index["grade"]) == (94.44, "A")  # 34/9 x 25


def test_of_eight_answers_at_once_through_two_gateways_one_is_taken(deployed_platform: DeployedPlatform):
    ticket = serve_one(deployed_platform, "PTS-IZN")
    clients = [deployed_platform.client() for _ in range(8)]
    with deployed_platform.another("reporting"):
        answers: list[Answer] = together(8, lambda index: clients[index].post(SURVEYS, {"token": ticket["token"], "scores": SCORES}))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    assert {answer.code for answer in answers if answer.status == 409} == {"survey_already_answered"}


def test_the_same_key_is_answered_again_and_not_done_again(deployed_platform: DeployedPlatform):
    ticket, key = serve_one(deployed_platform, "PTS-IZN"), str(uuid.uuid4())
    body = {"token": ticket["token"], "scores": {"product": 3}, "comment": COMMENT}
    answers = [deployed_platform.client().post(SURVEYS, body, key=key) for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    assert answers[0].body == answers[1].body == answers[2].body
    other = deployed_platform.client().post(SURVEYS, {**body, "scores": {"product": 1}}, key=key)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


def test_a_token_that_is_none_or_another_regency_s_opens_nothing(deployed_platform: DeployedPlatform):
    ticket = serve_one(deployed_platform, "PTS-IZN")
    citizen = deployed_platform.client()
    forged = ticket["token"][:-1] + ("A" if ticket["token"][-1] != "A" else "B")
    for token in (forged, "x", "x" * 200, str(ticket["id"])):
        answer = citizen.post(SURVEYS, {"token": token, "scores": SCORES})
        assert (answer.status, answer.code) == (403, "ticket_token_invalid"), token
    abroad = citizen.post(f"{LAMPUNG_TIMUR.path}/surveys", {"token": ticket["token"], "scores": SCORES})
    assert (abroad.status, abroad.code) == (404, "ticket_unknown")
    staff = deployed_platform.client("officer@oku-timur").post(SURVEYS, {"token": ticket["token"], "scores": SCORES})
    assert (staff.status, staff.code) == (403, "role_forbidden")
    assert citizen.post(SURVEYS, {"token": ticket["token"], "scores": SCORES}).status == 201


def test_while_ticketing_is_silent_an_answer_is_refused_in_time_and_reports_go_on(deployed_platform: DeployedPlatform):
    ticket = serve_one(deployed_platform, "PTS-IZN")
    citizens = [deployed_platform.client() for _ in range(8)]
    supervisor = deployed_platform.client("supervisor@oku-timur")
    figures_of(supervisor, OKU_TIMUR)
    for process in deployed_platform.ticketing:
        process.freeze()
    try:
        work = [lambda index=index: citizens[index].post(SURVEYS, {"token": ticket["token"], "scores": SCORES}) for index in range(8)]
        reading = [lambda: supervisor.get(f"{OKU_TIMUR.path}/reports/daily?site=martapura")]
        *refused, report = together(9, lambda index: [*work, *reading][index]())
    finally:
        for process in deployed_platform.ticketing:
            process.thaw()
    assert {(answer.status, answer.code) for answer in refused} == {(503, "deadline_exceeded")}
    assert max(answer.seconds for answer in refused) < checker.DEADLINE_SECONDS + checker.GRACE_SECONDS
    assert (report.status, report.seconds < checker.GRACE_SECONDS) == (200, True), report
    deployed_platform.wait_ready()
    answered = deployed_platform.client().command(SURVEYS, {"token": ticket["token"], "scores": SCORES})
    assert answered.status == 201, answered


def test_who_holds_the_figures_is_told_that_they_have_not_changed(deployed_platform: DeployedPlatform):
    supervisor = deployed_platform.client("supervisor@bolaang-mongondow-utara")
    path = "/v1/bolaang-mongondow-utara/reports/daily?site=boroko&date=2020-01-01"
    first = supervisor.get(path)
    assert (first.status, first.body["issued"], first.body["wait_seconds"]["mean"]) == (200, 0, None)
    again = supervisor.get(path, **{"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, None)
    unknown = supervisor.get("/v1/bolaang-mongondow-utara/reports/daily?site=atlantis")
    assert (unknown.status, unknown.code) == (404, "site_unknown")


def test_comments_and_tokens_stay_where_they_belong(deployed_platform: DeployedPlatform):
    ticket = serve_one(deployed_platform, "PTS-IZN")
    answer = deployed_platform.client().post(SURVEYS, {"token": ticket["token"], "scores": SCORES, "comment": COMMENT})
    assert answer.status == 201, answer
    listed = deployed_platform.client("supervisor@oku-timur").get(f"{SURVEYS}?site=martapura&limit=1")
    assert [(one["id"], one["comment"]) for one in listed.body["items"]] == [(answer.body["id"], COMMENT)]
    assert deployed_platform.client("officer@oku-timur").get(SURVEYS).status == 403
    for process in deployed_platform.processes:
        written = process.log.read_text(errors="replace")
        assert COMMENT not in written, process.log.name
        assert ticket["token"] not in written, process.log.name
    places = {place for place, text in columns(deployed_platform) if COMMENT in text}
    assert places == {"oku_timur.survey.comment"}
    assert not [place for place, text in columns(deployed_platform) if ticket["token"] in text]


def columns(platform: DeployedPlatform) -> list[tuple[str, str]]:
    """Everything that reporting has stored, by column."""
    with psycopg.connect(platform.postgres.url("reporting")) as connection:
        found = connection.execute(
            "SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE t.table_type = 'BASE TABLE'"
            " AND c.table_schema NOT IN ('information_schema', 'pg_catalog')"
        ).fetchall()
        query = sql.SQL("SELECT coalesce(string_agg({}::text, E'\\n'), '') FROM {}")
        return [
            (".".join(place), connection.execute(query.format(sql.Identifier(place[2]), sql.Identifier(*place[:2]))).fetchone()[0])  # type: ignore[index]
            for place in found
        ]


def test_two_replicas_that_hear_everything_twice_in_any_order_say_what_is_right(deployed_platform: DeployedPlatform, figures: Figures):
    """The day is played while nobody listens; then its events are put on the exchange shuffled, twice each."""
    serve_one(deployed_platform, "PTS-IZN")
    deployed_platform.wait_followed("reporting", "ticketing", "oku-timur")
    source = "/regencies/oku-timur/ticketing/sites/martapura"
    already = len(deployed_platform.event_log("oku-timur", source))
    [reporting] = deployed_platform.reporting
    reporting.stop()
    try:
        day = Day(deployed_platform, OKU_TIMUR, 60)
        day.begin()
        day.end()
        tickets = deployed_platform.client("auditor@oku-timur").pages(f"{OKU_TIMUR.path}/tickets")
        checker.check_published(deployed_platform, OKU_TIMUR, log := deployed_platform.event_log("oku-timur", source))
        fresh = log[already:]
        publish_instead(deployed_platform.rabbitmq.url, [*fresh, *fresh, *random.sample(log[:already], min(already, 50))])
    finally:
        reporting.start(wait=False)
    with deployed_platform.another("reporting") as other:
        reporting.wait_ready()
        checker.check_reports(deployed_platform, OKU_TIMUR, tickets)

        def counted(outcome: str) -> list[float]:
            named = {"consumer": REPORTING_TICKETING.queue, "outcome": outcome}
            return [replica.metric("mpp_events_handled_total", **named) for replica in (reporting, other)]

        eventually(lambda: sum(counted("duplicate")) >= len(fresh))
        check_breakdown(deployed_platform.client("auditor@oku-timur"), tickets)
        figures(f"{len(fresh)} events, each twice, shuffled: handled by replica {counted('handled')}, duplicates {counted('duplicate')}")


def publish_instead(url: str, events: Sequence[dict[str, Any]]) -> None:
    """Take what waits for reporting off its queue and publish these events in any order."""
    shuffled = random.sample(list(events), len(events))
    with connect(url) as connection:
        channel = connection.default_channel
        Queue(REPORTING_TICKETING.queue, channel=channel, durable=True).purge()
        producer = connection.Producer(channel)
        for event in shuffled:
            key = routing_key(event["regency"], event["type"].removeprefix("mpp."))
            producer.publish(event, serializer=CLOUDEVENTS, exchange=EVENT_EXCHANGE.name, routing_key=key)


def check_breakdown(client: Client, tickets: Sequence[dict[str, Any]]) -> None:
    """The figures as a whole, by service and by lane are those of the tickets, day by day."""
    for (date,), of_day in by(tickets, "business_date").items():
        report = figures_of(client, OKU_TIMUR, date=date)
        assert same(report, recounted(of_day)), (report, recounted(of_day))
        for part, name in (("by_service", "service"), ("by_lane", "lane")):
            counted = {value: recounted(some) for (value,), some in by(of_day, name).items()}
            assert {one[name] for one in report[part]} == counted.keys()
            for one in report[part]:
                assert same(one, counted[one[name]]), (one, counted[one[name]])
