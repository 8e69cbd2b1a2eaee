"""The letter in which a notice goes out by e-mail, and how an address is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Letter:
    """Subject and text, in one language."""

    subject: str
    text: str


def letter_of(wording: str, notice: str, number: str, locale: str, *, public_url: str) -> Letter:
    """Return the letter that carries a notice; a completed service invites to the satisfaction survey.

    :param wording: of the notice (:func:`services.notification.domain.notices.wording_of`).
    :param notice: its text in the same language.
    :param public_url: where the platform is reached; empty when that is not known.
    """
    english = locale == "en"
    paragraphs = [notice]
    if wording == "completed" and public_url:
        invitation = _SURVEY_EN if english else _SURVEY_ID
        paragraphs.append(invitation.format(url=public_url))
    paragraphs.append(_WHY_EN if english else _WHY_ID)
    subject = (_SUBJECTS_EN if english else _SUBJECTS_ID)[wording].format(number=number)
    return Letter(subject, "\n\n".join(paragraphs) + "\n")


def masked(address: str) -> str:
    """Return an address as staff may see it: ``budi@example.id`` -> ``b***@e***.id``."""
    local, _, domain = address.rpartition("@")
    name, _, top = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***.{top}"


_SUBJECTS_ID = {
    "issued": "Nomor antrean Anda {number}",
    "called": "Nomor {number} dipanggil",
    "recalled": "Nomor {number} dipanggil ulang",
    "no_show": "Nomor {number} sudah dipanggil",
    "cancelled": "Nomor {number} dibatalkan",
    "transferred": "Nomor {number} dialihkan ke layanan lain",
    "expired": "Nomor {number} tidak berlaku lagi",
    "completed": "Nomor {number} selesai dilayani",
}
_SUBJECTS_EN = {
    "issued": "Your number {number}",
    "called": "Number {number} is called",
    "recalled": "Number {number} is called again",
    "no_show": "Number {number} was called",
    "cancelled": "Number {number} has been cancelled",
    "transferred": "Number {number} has been transferred to another service",
    "expired": "Number {number} is no longer valid",
    "completed": "Number {number} has been served",
}
_SURVEY_ID = "Bagaimana layanan kami? Isilah survei kepuasan di {url} dengan token tiket Anda."
_SURVEY_EN = "How was our service? Answer the satisfaction survey at {url} with your ticket's token."
_WHY_ID = "Surel ini dikirim karena alamat ini didaftarkan untuk nomor antrean tersebut. Mohon tidak membalasnya."
_WHY_EN = "You get this because this address was given for the number above. Please do not reply."
