"""The nameko service of ticketing: entrypoints, and nothing that decides."""

from __future__ import annotations

from functools import partial
from typing import Any

from nameko.timer import timer

from services.chassis.database import UnitOfWork
from services.chassis.entrypoints import audited_query, command, query
from services.chassis.events import Envelope
from services.chassis.service import Service
from services.chassis.subscribing import subscribe
from services.contracts import breaches, persons, staffing
from services.contracts import ticketing as contracts
from services.contracts.board import GetSiteDay, GetSiteHeads
from services.contracts.hours import GetSiteHours
from services.contracts.subscriptions import TICKETING_CATALOG
from services.ticketing import closures, forgetting, rounds, slips, usecases


class TicketingService(Service):
    """Issues numbers and calls them."""

    name = "ticketing"
    snapshot = usecases.SNAPSHOT

    @command(contracts.IssueTicket, present=usecases.with_token, recognise=usecases.recognised)
    def issue_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Issue a number."""
        issued = usecases.issue_ticket(work, data, self._person_keys)
        slips.follow(self.database, work, issued)
        return issued

    @command(contracts.CallNext)
    def call_next(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any] | None:
        """Call who is next to a counter."""
        return usecases.call_next(work, data)

    @command(contracts.CallTicket)
    def call_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Call one ticket to a counter."""
        return usecases.call_ticket(work, data)

    @command(contracts.RecallTicket)
    def recall_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Call again."""
        return usecases.recall_ticket(work, data)

    @command(contracts.StartTicket)
    def start_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Begin to serve."""
        return usecases.start_ticket(work, data)

    @command(contracts.CompleteTicket)
    def complete_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """End serving."""
        return usecases.complete_ticket(work, data)

    @command(staffing.OpenCounter)
    def open_counter(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Begin or go on to work."""
        return usecases.open_counter(work, data)

    @command(staffing.PauseCounter)
    def pause_counter(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Call nobody for a while."""
        return usecases.pause_counter(work, data)

    @command(staffing.CloseCounter)
    def close_counter(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """End the work."""
        return usecases.close_counter(work, data)

    @query(staffing.GetDesk)
    def get_desk(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A counter as its officer sees it."""
        return usecases.get_desk(work, data)

    @query(staffing.GetMyCounter)
    def get_my_counter(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any] | None:
        """The counter that the caller has open."""
        return usecases.get_my_counter(work, data)

    @command(contracts.ConfirmPrinting)
    def confirm_printing(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The slip came out, or did not."""
        ticket = usecases.confirm_printing(work, data, self.settings.required_ticket_token_secret())
        slips.follow(self.database, work, ticket)
        return ticket

    @command(contracts.CheckIn)
    def check_in(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A leg of a visit waits now."""
        return usecases.check_in(work, data)

    @command(contracts.UndoCall)
    def undo_call(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The call was a mistake."""
        return usecases.undo_call(work, data)

    @command(contracts.HoldTicket)
    def hold_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Put aside."""
        return usecases.hold_ticket(work, data)

    @command(contracts.ResumeTicket)
    def resume_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Go on."""
        return usecases.resume_ticket(work, data)

    @command(contracts.ReturnTicket)
    def return_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Back to the queue."""
        return usecases.return_ticket(work, data)

    @command(contracts.TransferTicket, present=usecases.with_token)
    def transfer_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """On to another service."""
        return usecases.transfer_ticket(work, data)

    @command(contracts.RejoinTicket)
    def rejoin_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Here after all."""
        return usecases.rejoin_ticket(work, data, self.settings.required_ticket_token_secret())

    @command(contracts.SetPriority)
    def set_priority(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Another priority class, or none."""
        return usecases.set_priority(work, data)

    @command(contracts.MarkNoShow)
    def mark_no_show(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The citizen did not come."""
        return usecases.mark_no_show(work, data)

    @command(contracts.CancelTicket)
    def cancel_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Give a number back."""
        return usecases.cancel_ticket(work, data, self.settings.required_ticket_token_secret())

    @query(contracts.GetTicket)
    def get_ticket(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """One ticket."""
        return usecases.get_ticket(work, data, self.settings.required_ticket_token_secret())

    @query(contracts.GetTicketByToken)
    def get_ticket_by_token(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The ticket of a token."""
        return usecases.get_ticket_by_token(work, data, self.settings.required_ticket_token_secret())

    @query(contracts.ListTickets)
    def list_tickets(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A page of tickets."""
        return usecases.list_tickets(work, data)

    @query(GetSiteDay)
    def get_site_day(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A site's day for its board."""
        return usecases.get_site_day(work, data)

    @query(GetSiteHeads)
    def get_site_heads(self, work: UnitOfWork, data: dict[str, Any]) -> list[dict[str, Any]]:
        """How far some sites have come."""
        return usecases.get_site_heads(work, data)

    @query(GetSiteHours)
    def get_site_hours(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """When a site and its agencies are open."""
        return usecases.get_site_hours(work, data)

    @query(persons.GetPerson)
    def get_person(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The person behind a ticket, masked."""
        return usecases.get_person(work, data, self.settings.required_ticket_token_secret(), self._person_keys)

    @audited_query(persons.RevealPerson)
    def reveal_person(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The person behind a ticket, in full."""
        return usecases.reveal_person(work, data, self._person_keys)

    @audited_query(persons.FindPersons)
    def find_persons(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Visits by NIK or telephone number."""
        return usecases.find_persons(work, data, self._person_keys)

    @audited_query(persons.ExportPerson)
    def export_person(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """All that is held of a visit's person."""
        return usecases.export_person(work, data, self.settings.required_ticket_token_secret(), self._person_keys)

    @audited_query(persons.ExportPersons)
    def export_persons(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """All that is held of a person."""
        return usecases.export_persons(work, data, self._person_keys)

    @command(persons.WithdrawConsent)
    def withdraw_consent(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """The consent ends."""
        return usecases.withdraw_consent(work, data, self.settings.required_ticket_token_secret())

    @command(persons.ErasePerson)
    def erase_person(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Forget a visit's person."""
        return usecases.erase_person(work, data, self.settings.required_ticket_token_secret())

    @command(persons.ErasePersons, recognise=usecases.recognised)
    def erase_persons(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Forget a person."""
        return usecases.erase_persons(work, data, self._person_keys)

    @command(breaches.RecordBreach)
    def record_breach(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Write a breach down."""
        return usecases.record_breach(work, data)

    @command(breaches.UpdateBreach)
    def update_breach(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """Add what is known of a breach."""
        return usecases.update_breach(work, data)

    @query(breaches.GetBreach)
    def get_breach(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """One breach."""
        return usecases.get_breach(work, data)

    @query(breaches.ListBreaches)
    def list_breaches(self, work: UnitOfWork, data: dict[str, Any]) -> dict[str, Any]:
        """A page of breaches."""
        return usecases.list_breaches(work, data)

    @subscribe(TICKETING_CATALOG)
    def on_catalog_changed(self, work: UnitOfWork, event: Envelope) -> None:
        """Follow the catalogue."""
        usecases.apply_catalog_event(work, event)
        if event.type == "catalog.hours_changed":
            work.measured.append(partial(closures.look_soon, self.database, work.regency))  # once it is committed

    @timer(interval=rounds.CLOSING_SECONDS)
    def close_ended_days(self) -> None:
        """Close what local midnight has ended."""
        rounds.close_ended_days(self.database)

    @timer(interval=closures.LOOK_SECONDS)
    def apply_closures(self) -> None:
        """Tell those who wait of an unforeseen closure."""
        closures.apply_closures(self.database)

    @timer(interval=slips.LOOK_SECONDS)
    def give_up_slips(self) -> None:
        """Make void what never came out of a printer."""
        slips.give_up_overdue(self.database)

    @timer(interval=forgetting.LOOK_SECONDS, eager=True)
    def forget_persons(self) -> None:
        """Erase personal data past their term."""
        forgetting.forget_persons(self.database, self._person_keys)

    @timer(interval=rounds.PRESSURE_SECONDS)
    def measure_pressure(self) -> None:
        """Show how long people wait."""
        rounds.measure_pressure(self.database, rounds.MOST_MEASURED)

    @property
    def _person_keys(self) -> usecases.PersonKeys | None:
        return usecases.PersonKeys.of(self.settings)
