"""What the gateway knows about one route. The same object serves the request and writes the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields

from services.contracts.authorisation import PUBLIC, Rule, rule_of
from services.contracts.field_rules import errors_of

if TYPE_CHECKING:
    from gateway.answers import Answer
    from gateway.call import Call, Surroundings

_PARAMETER = re.compile(r"\{(\w+)\}")

EVENT_STREAM = "text/event-stream"

SHORTEST_NOTICE = timedelta(days=180)
"""How long a deprecated route still answers at least."""

DEPRECATION_POLICY = "/docs/deprecation"

FROM_HEADERS = frozenset({"if_match", "token"})
"""Members of payloads that come from the headers If-Match and Ticket-Token, unless a route says otherwise."""


@dataclass(frozen=True)
class Text:
    """A sentence in both languages of the platform."""

    id: str
    en: str

    def to(self, language: str) -> str:
        """Return the sentence in "id" or "en"."""
        return self.en if language == "en" else self.id


@dataclass(frozen=True)
class Retirement:
    """A route that is to go away: since when nobody should begin to use it, from when on it may be gone, and what replaces it."""

    deprecated: datetime
    sunset: datetime
    successor: str | None = None
    """Path of what replaces it."""

    def __post_init__(self) -> None:
        """Refuse times that callers would misunderstand, and a notice that is shorter than promised: ``ValueError``."""
        if self.deprecated.tzinfo is None or self.sunset.tzinfo is None:
            raise ValueError("a retirement needs times with a zone")
        if self.sunset - self.deprecated < SHORTEST_NOTICE:
            raise ValueError(f"between deprecation and sunset lie at least {SHORTEST_NOTICE.days} days")

    @property
    def headers(self) -> dict[str, str]:
        """Return what each answer says of it: RFC 9745, RFC 8594 and links to the policy and to the successor."""
        links = [f'<{DEPRECATION_POLICY}>; rel="deprecation"; type="text/html"']
        if self.successor is not None:
            links.append(f'<{self.successor}>; rel="successor-version"')
        return {
            "Deprecation": f"@{int(self.deprecated.timestamp())}",
            "Sunset": format_datetime(self.sunset.astimezone(UTC), usegmt=True),
            "Link": ", ".join(links),
        }


@dataclass(frozen=True)
class Rpc:
    """The method of a service that does what a route promises; ``payload`` is its contract."""

    service: str
    method: str
    payload: type[Schema]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method and path of the API."""

    method: str
    path: str
    operation_id: str
    summary: Text
    tag: str
    operation: Callable[[Surroundings, Call], Answer]
    description: Text | None = None
    rpc: Rpc | None = None
    stated_rule: Rule | None = None
    """Who may call a route that asks no method of a service; the others have their method's rule."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameters, each with the member of the payload that it becomes."""
    command: bool = False
    """Changes something: takes an ``Idempotency-Key`` and is done once."""
    answer: type[Schema] | Schema | None = None
    success: int = 200
    or_nothing: bool = False
    """The answer may also be 204."""
    problems: tuple[str, ...] = ()
    """Codes that the rules behind this route can raise; those of the edge itself follow from the other fields."""
    location: str | None = None
    """Template of the ``Location`` header of something new, filled from the answer."""
    from_headers: frozenset[str] = FROM_HEADERS
    """Members of the payload that come from headers."""
    tagged: bool = False
    """The answer's version is its entity tag."""
    any_body: bool = False
    """A body of any media type is read and forgotten: mail programs post a form (RFC 8058) that holds nothing of use."""
    guarded: bool = False
    """Changes an object that several people may edit: who does not say which version is refused (``If-Match``, RFC 6585)."""
    digested: bool = False
    """The answer has no version: the digest of its content is its entity tag."""
    kept: bool = False
    """Its reader may keep a digested answer that is not public, and ask whether it is still true."""
    retirement: Retirement | None = None
    """Set when the route is to go away; the policy is at ``DEPRECATION_POLICY``."""
    media_type: str = "application/json"
    page: bool = False
    """For people's browsers: no part of the API, and a refusal is a page as well."""
    infrastructure: bool = False
    """For machines that watch the gateway: hardly limited in rate and not particular about media types."""
    costly: bool = False
    """Infrastructure that works for its answer: limited, generously, as anybody may ask."""

    def __post_init__(self) -> None:
        """Refuse a route that nobody has said who may call: ``LookupError``."""
        if (self.rpc is None) == (self.stated_rule is None):
            raise LookupError(f"{self.operation_id} needs either a method of a service, which has a rule, or a rule of its own")
        _ = self.rule

    @cached_property
    def rule(self) -> Rule:
        """Who may call."""
        return self.stated_rule or (rule_of(self.rpc.service, self.rpc.method) if self.rpc else Rule())

    @cached_property
    def notice(self) -> dict[str, str]:
        """Headers of each answer that say when the route goes away."""
        return self.retirement.headers if self.retirement else {}

    @property
    def paged(self) -> bool:
        """Whether the answer is a page of a list, with a cursor for the next."""
        return "cursor" in self.query

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        """Names in the path template, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def streams(self) -> bool:
        """Whether the answer goes on for as long as somebody reads it."""
        return self.media_type == EVENT_STREAM

    @property
    def is_public(self) -> bool:
        """Whether it makes no difference who calls."""
        return self.rule == PUBLIC

    @property
    def of_regency(self) -> bool:
        """Whether the path begins with a regency."""
        return self.path.startswith("/v1/{regency}")

    @property
    def cacheable(self) -> bool:
        """Whether browsers may keep the answer and ask again whether it is still true."""
        return self.method == "GET" and self.is_public and not self.infrastructure

    @property
    def revalidated(self) -> bool:
        """Whether a reader who holds the answer may ask if it is still true (``If-None-Match``)."""
        return self.method == "GET" and (self.tagged or self.digested)

    @cached_property
    def payload_fields(self) -> dict[str, fields.Field[Any]]:
        """The fields of the payload's contract by the name of the member."""
        return {field.data_key or name: field for name, field in self._contract.fields.items()} if self._contract else {}

    @cached_property
    def parameter_names(self) -> dict[str, str]:
        """Members of the payload that come from path, query and headers, each with the name that callers know."""
        names = {name: name for name in self.path_parameters if name in self.payload_fields}
        names.update({name: name for name in self.from_headers & self.payload_fields.keys()})
        names.update({member: name for name, member in self.query.items()})
        return names

    @cached_property
    def body_fields(self) -> frozenset[str]:
        """Members of the payload that come from the request body."""
        if self.method == "GET":
            return frozenset()
        return frozenset(self.payload_fields) - self.parameter_names.keys()

    @property
    def body_required(self) -> bool:
        """Whether the request makes no sense without a body."""
        return any(self.payload_fields[name].required for name in self.body_fields)

    def errors_of(self, payload: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what is wrong with a payload by its contract; empty when nothing is."""
        if self._contract is None:
            return []
        try:
            self._contract.load(payload)
        except ValidationError as broken:
            return errors_of(broken.messages)
        return []

    @cached_property
    def _contract(self) -> Schema | None:
        return self.rpc.payload() if self.rpc else None
