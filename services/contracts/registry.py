"""Every contract: its name, kind, owner, version, schema and example."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from services.contracts import audit, board, breaches, catalog, hours, notification, persons, reporting, staffing, streams, ticketing
from services.contracts.cloudevents import CloudEvent, dataschema
from services.contracts.events import EVENT_SCHEMAS
from services.contracts.examples import EXAMPLES
from services.contracts.schema import ContractSchema
from services.contracts.subscriptions import EVENT_TYPES, SNAPSHOT_TYPES

Kind = Literal["command", "query", "answer", "event", "snapshot", "envelope"]
Direction = Literal["consumed", "produced"]
AnswerForm = Literal["one", "one or null", "list"]

PLATFORM = "platform"
"""Owner of what every service speaks: the envelope of events and the queries about streams."""


@dataclass(frozen=True)
class Contract:
    """One published contract.

    `name` is that of the RPC method (commands, queries), of the object (answers) or of the event type. `answer` names
    the answer of a command or query, of the same owner, and `answer_form` whether it is one such object, one or null,
    or a list of them.
    """

    name: str
    kind: Kind
    owner: str
    schema: type[ContractSchema]
    answer: str | None = None
    answer_form: AnswerForm = "one"
    version: int = 1

    @property
    def direction(self) -> Direction:
        """Commands and queries are consumed by their owner, everything else is produced for others."""
        return "consumed" if self.kind in {"command", "query"} else "produced"

    @property
    def example(self) -> dict[str, Any]:
        """A payload as it occurs in one of the regencies."""
        return EXAMPLES[self.owner][self.name]

    @property
    def path(self) -> str:
        """File of the published JSON Schema within ``published/``."""
        return f"{self.owner}/{self.name}.v{self.version}.json"

    @property
    def uri(self) -> str:
        """Name of the published JSON Schema; the ``dataschema`` of an event."""
        return dataschema(self.owner, self.name, self.version)


def _commands(owner: str, *rows: tuple[type[ContractSchema], str]) -> tuple[Contract, ...]:
    return tuple(Contract(_method(schema), "command", owner, schema, answer) for schema, answer in rows)


def _queries(owner: str, *rows: tuple[type[ContractSchema], str]) -> tuple[Contract, ...]:
    return tuple(Contract(_method(schema), "query", owner, schema, answer) for schema, answer in rows)


def _answers(owner: str, *schemas: type[ContractSchema]) -> tuple[Contract, ...]:
    return tuple(Contract(_method(schema), "answer", owner, schema) for schema in schemas)


def _events(owner: str) -> tuple[Contract, ...]:
    events = (Contract(name, "event", owner, EVENT_SCHEMAS[name]) for name in EVENT_TYPES[owner])
    snapshots = (Contract(name, "snapshot", owner, EVENT_SCHEMAS[name]) for name in SNAPSHOT_TYPES.get(owner, ()))
    return (*events, *snapshots)


def _method(schema: type[ContractSchema]) -> str:
    """Name of a contract by the name of its class: `IssueTicket` is ``issue_ticket``."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in schema.__name__).lstrip("_")


CATALOG = (
    *_queries(
        "catalog",
        (catalog.ListRegencies, "regency_list"),
        (catalog.GetRegency, "regency"),
        (catalog.ListSites, "site_page"),
        (catalog.GetSite, "site"),
        (catalog.ListAgencies, "agency_page"),
        (catalog.GetAgency, "agency"),
        (catalog.ListServices, "service_page"),
        (catalog.GetService, "public_service"),
        (catalog.ListCounters, "counter_page"),
        (catalog.GetCounter, "counter"),
        (catalog.ListHours, "hours_page"),
        (catalog.GetHours, "special_hours"),
        (catalog.ListAccounts, "account_page"),
        (catalog.GetAccount, "account"),
        (catalog.ListDevices, "device_page"),
        (catalog.GetDevice, "device"),
        (catalog.SignIn, "session_tokens"),
        (catalog.RefreshSession, "session_tokens"),
        (catalog.SignOut, "sessions_ended"),
        (catalog.BeginPageSession, "page_session"),
        (catalog.RenewPageSession, "page_session"),
        (catalog.EndPageSession, "page_session_ended"),
        (catalog.ListIdentityProviders, "identity_provider_list"),
        (catalog.BeginProviderSignIn, "provider_sign_in_begun"),
        (catalog.FinishProviderSignIn, "provider_signed_in"),
        (catalog.SetPassword, "session_tokens"),
        (catalog.BeginPairing, "pairing_begun"),
        (catalog.ClaimPairing, "session_tokens"),
        (catalog.GetTokenState, "token_state"),
    ),
    *_commands(
        "catalog",
        (catalog.CreateSite, "site"),
        (catalog.UpdateSite, "site"),
        (catalog.CreateAgency, "agency"),
        (catalog.UpdateAgency, "agency"),
        (catalog.CreateService, "public_service"),
        (catalog.UpdateService, "public_service"),
        (catalog.CreateCounter, "counter"),
        (catalog.UpdateCounter, "counter"),
        (catalog.CreateHours, "special_hours"),
        (catalog.UpdateHours, "special_hours"),
        (catalog.CreateAccount, "account"),
        (catalog.UpdateAccount, "account"),
        (catalog.CreateDevice, "device"),
        (catalog.UpdateDevice, "device"),
        (catalog.EndSessions, "sessions_ended"),
        (catalog.CreateCode, "one_time_code"),
        (catalog.PairDevice, "device"),
        (catalog.LoadRegency, "regency_loaded"),
    ),
    *_answers(
        "catalog",
        catalog.Regency,
        catalog.RegencyList,
        catalog.Site,
        catalog.SitePage,
        catalog.Agency,
        catalog.AgencyPage,
        catalog.PublicService,
        catalog.ServicePage,
        catalog.Counter,
        catalog.CounterPage,
        catalog.SpecialHours,
        catalog.HoursPage,
        catalog.Account,
        catalog.AccountPage,
        catalog.Device,
        catalog.DevicePage,
        catalog.SessionTokens,
        catalog.PageSession,
        catalog.PageSessionEnded,
        catalog.IdentityProviderList,
        catalog.ProviderSignInBegun,
        catalog.ProviderSignedIn,
        catalog.OneTimeCode,
        catalog.PairingBegun,
        catalog.SessionsEnded,
        catalog.TokenState,
        catalog.RegencyLoaded,
    ),
    *_events("catalog"),
)

TICKETING = (
    *_queries(
        "ticketing",
        (ticketing.GetTicket, "ticket"),
        (ticketing.GetTicketByToken, "ticket"),
        (staffing.GetDesk, "desk"),
        (ticketing.ListTickets, "ticket_page"),
        (board.GetSiteDay, "site_day"),
        (hours.GetSiteHours, "site_hours"),
        (persons.GetPerson, "person"),
        (persons.RevealPerson, "person"),
        (persons.FindPersons, "person_visits"),
        (persons.ExportPerson, "person_visits"),
        (persons.ExportPersons, "person_visits"),
        (breaches.GetBreach, "breach"),
        (breaches.ListBreaches, "breach_page"),
    ),
    *_commands(
        "ticketing",
        (ticketing.IssueTicket, "issued_ticket"),
        (ticketing.CallTicket, "ticket"),
        (ticketing.RecallTicket, "ticket"),
        (ticketing.StartTicket, "ticket"),
        (staffing.OpenCounter, "counter_session"),
        (staffing.PauseCounter, "counter_session"),
        (staffing.CloseCounter, "counter_session"),
        (ticketing.ConfirmPrinting, "ticket"),
        (ticketing.CheckIn, "ticket"),
        (ticketing.UndoCall, "ticket"),
        (ticketing.HoldTicket, "ticket"),
        (ticketing.ResumeTicket, "ticket"),
        (ticketing.ReturnTicket, "ticket"),
        (ticketing.TransferTicket, "issued_ticket"),
        (ticketing.RejoinTicket, "ticket"),
        (ticketing.SetPriority, "ticket"),
        (ticketing.CompleteTicket, "ticket"),
        (ticketing.MarkNoShow, "ticket"),
        (ticketing.CancelTicket, "ticket"),
        (persons.WithdrawConsent, "erased"),
        (persons.ErasePerson, "erased"),
        (persons.ErasePersons, "erased"),
        (breaches.RecordBreach, "breach"),
        (breaches.UpdateBreach, "breach"),
    ),
    Contract("get_site_heads", "query", "ticketing", board.GetSiteHeads, "site_head", "list"),
    Contract("get_my_counter", "query", "ticketing", staffing.GetMyCounter, "desk", "one or null"),
    Contract("call_next", "command", "ticketing", ticketing.CallNext, "ticket", "one or null"),
    *_answers(
        "ticketing",
        staffing.CounterSession,
        staffing.Desk,
        ticketing.Ticket,
        ticketing.IssuedTicket,
        ticketing.TicketPage,
        board.SiteDay,
        board.SiteHead,
        hours.SiteHours,
        persons.Person,
        persons.PersonVisits,
        persons.Erased,
        breaches.Breach,
        breaches.BreachPage,
    ),
    *_events("ticketing"),
)

REPORTING = (
    *_queries(
        "reporting",
        (reporting.DailyReport, "daily_figures"),
        (reporting.SkmReport, "skm_figures"),
        (reporting.ListSurveys, "survey_page"),
        (persons.SurveysOfVisits, "held_surveys"),
    ),
    *_commands("reporting", (reporting.SubmitSurvey, "survey")),
    *_answers("reporting", reporting.DailyFigures, reporting.SkmFigures, reporting.Survey, reporting.SurveyPage, persons.HeldSurveys),
    *_events("reporting"),
)

NOTIFICATION = (
    *_queries(
        "notification",
        (notification.ListNotices, "notice_list"),
        (notification.ListWebhooks, "webhook_page"),
        (notification.GetWebhook, "webhook"),
        (notification.ListDeliveries, "delivery_page"),
        (notification.ListWebhookDeliveries, "delivery_page"),
        (notification.GetSubscription, "subscription"),
        (persons.SubscriptionsOfVisits, "held_subscriptions"),
    ),
    *_commands(
        "notification",
        (notification.CreateWebhook, "created_webhook"),
        (notification.UpdateWebhook, "webhook"),
        (notification.DeleteWebhook, "webhook"),
        (notification.RotateWebhookSecret, "created_webhook"),
        (notification.TestWebhook, "delivery"),
        (notification.PauseWebhook, "webhook"),
        (notification.ResumeWebhook, "webhook"),
        (notification.RedeliverWebhook, "delivery"),
        (notification.Redeliver, "delivery"),
        (notification.CreateSubscription, "subscription"),
        (notification.DeleteSubscription, "subscription"),
        (notification.Unsubscribe, "subscription"),
    ),
    *_answers(
        "notification",
        notification.NoticeList,
        notification.Webhook,
        notification.CreatedWebhook,
        notification.WebhookPage,
        notification.Delivery,
        notification.DeliveryPage,
        notification.Subscription,
        persons.HeldSubscriptions,
    ),
)

GATEWAY = (*_answers("gateway", board.Board, persons.PersonExport),)

STREAMS = (
    Contract("cloud_event", "envelope", PLATFORM, CloudEvent),
    Contract("stream_heads", "query", PLATFORM, streams.StreamHeads, "stream_head", "list"),
    Contract("read_log", "query", PLATFORM, streams.ReadLog, "cloud_event", "list"),
    Contract("read_snapshot", "query", PLATFORM, streams.ReadSnapshot, "snapshot_page"),
    Contract("stream_marks", "query", PLATFORM, streams.StreamMarks, "stream_mark", "list"),
    Contract("read_events", "query", PLATFORM, streams.ReadEvents, "event_page"),
    Contract("list_streams", "query", PLATFORM, streams.ListStreams, "stream_list"),
    Contract("list_audit", "query", PLATFORM, audit.ListAudit, "audit_page"),
    Contract("export_audit", "query", PLATFORM, audit.ExportAudit, "audit_links"),
    *_answers(PLATFORM, audit.AuditEntry, audit.AuditPage, audit.AuditLink, audit.AuditLinks),
    *_answers(PLATFORM, streams.StreamHead, streams.SnapshotPage, streams.StreamMark, streams.EventPage, streams.StreamList),
)

CONTRACTS: tuple[Contract, ...] = (*CATALOG, *TICKETING, *REPORTING, *NOTIFICATION, *GATEWAY, *STREAMS)


@functools.cache
def _by_name() -> dict[tuple[str, str, int], Contract]:
    return {(contract.owner, contract.name, contract.version): contract for contract in CONTRACTS}


def contract(owner: str, name: str, version: int = 1) -> Contract:
    """The contract of a name; raises KeyError."""
    return _by_name()[owner, name, version]


def example_event(event_type: str) -> dict[str, Any]:
    """An event of this type as it stands on the exchange, envelope and data."""
    owner = next(owner for owner, types in EVENT_TYPES.items() if event_type in types)
    envelope = EXAMPLES[PLATFORM]["cloud_event"]
    described = contract(owner, event_type)
    site = described.example.get("site")
    source = f"/regencies/lampung-timur/{owner}" + ("" if owner == "catalog" else "/sites/sukadana")
    subject = next((part["id"] for part in described.example.values() if isinstance(part, dict)), site)
    return {
        **envelope,
        "source": source,
        "type": f"mpp.{event_type}",
        "subject": subject,
        "dataschema": described.uri,
        "data": described.example,
    }
