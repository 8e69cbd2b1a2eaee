"""What a citizen should be told about a ticket, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS: Mapping[str, str] = {
    "ticket.issued": "issued",
    "ticket.called": "called",
    "ticket.recalled": "recalled",
    **dict.fromkeys(("ticket.checked_in", "ticket.call_undone", "ticket.returned", "ticket.rejoined"), "issued"),
    "ticket.transferred": "completed",
    "ticket.no_show": "no_show",
    "ticket.cancelled": "cancelled",
    "ticket.expired": "expired",
    "ticket.completed": "completed",
}
"""Kind of notice by event type. Who is back in the queue is told the same as who has just come: the number, and to wait.

Of other events, such as the start of serving, the citizen knows already: it happens face to face.
"""


@dataclass(frozen=True)
class Places:
    """Names by which a citizen finds the way; ``None`` while the catalogue has not told them."""

    site: str | None
    counter: str | None


def parameters_of(ticket: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the texts need of a public ticket: number, site, counter, outcome, who cancelled; nothing about the person."""
    parameters = {name: ticket[name] for name in ("number", "site", "counter", "outcome", "cancelled_by")}
    # The release before reads the outcome, and knows no text for a transfer.
    return {**parameters, "outcome": "referred", "transferred": True} if ticket["status"] == "transferred" else parameters


def wording_of(kind: str, parameters: Mapping[str, Any]) -> str:
    """Return whose words a notice has: those of its kind, or ``transferred`` for a ticket that ended in another one."""
    return "transferred" if parameters.get("transferred") else kind


def text_of(kind: str, parameters: Mapping[str, Any], places: Places, locale: str) -> str:
    """Return the text of a notice in Indonesian (``id``) or English (``en``).

    A place whose name is not known is called by its id: the site ``sukadana``, the counter ``loket 05``.
    """
    wording = wording_of(kind, parameters)
    if wording == "completed":
        indonesian, english = _COMPLETED[parameters["outcome"] or "done"]
    elif kind == "cancelled" and parameters.get("cancelled_by") == "closure":  # notices of an earlier release lack the member
        indonesian, english = _CLOSED
    else:
        indonesian, english = _TEXTS[wording]
    template = english if locale == "en" else indonesian
    return template.format(
        number=parameters["number"],
        site=places.site or parameters["site"],
        counter=places.counter or _counter_by_id(parameters["counter"], locale),
    )


def _counter_by_id(counter: str | None, locale: str) -> str:
    """``sukadana-05`` -> ``loket 05``."""
    word = "counter" if locale == "en" else "loket"
    return word if counter is None else f"{word} {counter.rpartition('-')[2]}"


_TEXTS: Mapping[str, tuple[str, str]] = {
    "issued": (
        "Nomor antrean Anda di {site}: {number}. Mohon menunggu panggilan.",
        "Your number at {site}: {number}. Please wait until it is called.",
    ),
    "called": (
        "Nomor {number}, silakan menuju {counter} di {site}.",
        "Number {number}, please go to {counter} at {site}.",
    ),
    "recalled": (
        "Panggilan ulang: nomor {number}, silakan segera menuju {counter} di {site}.",
        "Called again: number {number}, please go to {counter} at {site} now.",
    ),
    "no_show": (
        "Nomor {number} sudah dipanggil di {site}, tetapi Anda belum datang. Silakan hubungi meja informasi.",
        "Number {number} was called at {site}, but you did not come. Please ask at the front desk.",
    ),
    "cancelled": (
        "Nomor {number} di {site} telah dibatalkan.",
        "Number {number} at {site} has been cancelled.",
    ),
    "transferred": (
        "Nomor {number} di {site} dialihkan ke layanan lain. Nomor baru Anda menyusul; Anda tidak perlu mengambil nomor lagi.",
        "Number {number} at {site} has been transferred to another service. Your new number follows; you need not take one again.",
    ),
    "expired": (
        "Nomor {number} di {site} tidak berlaku lagi karena hari layanan telah berakhir. Silakan ambil nomor baru.",
        "Number {number} at {site} is no longer valid because the day has ended. Please take a new number.",
    ),
}

_CLOSED = (
    "Nomor {number} di {site} dibatalkan karena layanan ditutup hari ini. Mohon maaf; silakan ambil nomor baru saat dibuka kembali.",
    "Number {number} at {site} has been cancelled: the service is closed today. We are sorry; please take a new one when it opens again.",
)

_COMPLETED: Mapping[str, tuple[str, str]] = {
    "done": (
        "Layanan untuk nomor {number} di {site} telah selesai. Terima kasih.",
        "The service for number {number} at {site} is completed. Thank you.",
    ),
    "papers_missing": (
        "Nomor {number} di {site}: berkas belum lengkap. Silakan lengkapi, lalu ambil nomor baru.",
        "Number {number} at {site}: papers are missing. Please complete them and take a new number.",
    ),
    "collect_later": (
        "Nomor {number} di {site} telah dilayani; hasilnya diambil kemudian sesuai keterangan petugas.",
        "Number {number} at {site} has been served; collect the result later, as the officer told you.",
    ),
    "referred": (
        "Nomor {number} di {site} telah dilayani; Anda diarahkan ke layanan lain sesuai keterangan petugas.",
        "Number {number} at {site} has been served; you were referred to another service, as the officer told you.",
    ),
}
"""Texts of ``completed`` by outcome."""
