"""What the platform holds of a person, put together from the services that hold it."""

from __future__ import annotations

from dataclasses import replace

from gateway.answers import Answer
from gateway.call import Call, Surroundings
from gateway.operations import payload_of
from services.chassis.context import SYSTEM


def export(surroundings: Surroundings, call: Call) -> Answer:
    """Ask ticketing whose visits these are, which also decides whether the caller may know, then the others what they hold of them."""
    seconds = surroundings.settings.command_deadline
    payload, asked = payload_of(surroundings, call), call.context(seconds)
    rpc = call.route.rpc
    if rpc is None:
        raise ValueError(f"{call.route.operation_id} names no method of a service")
    found = surroundings.rpc.call(rpc.service, rpc.method, payload, asked.within(seconds))
    visits = [each["visit"] for each in found["visits"]]
    held: dict[str, list[object]] = {"subscriptions": [], "surveys": []}
    if visits:
        context = replace(asked, actor=SYSTEM).within(seconds)
        tickets = [ticket["id"] for each in found["visits"] for ticket in each["tickets"]]
        of_visits = {"visits": visits, "tickets": tickets, "masked": "token" in payload}
        held["subscriptions"] = surroundings.rpc.call("notification", "subscriptions_of_visits", of_visits, context)["items"]
        held["surveys"] = surroundings.rpc.call("reporting", "surveys_of_visits", {"visits": visits}, context)["items"]
    return Answer(200, {**found, **held}, {"Content-Disposition": 'attachment; filename="personal-data.json"'})
