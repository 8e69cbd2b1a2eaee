"""Telephone numbers as people in Indonesia write them, and the one form in which equal ones are equal (E.164)."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[ .()-]")
_INDONESIA = "62"
_NATIONAL = re.compile(r"[1-9][0-9]{6,11}")
"""Without the leading zero: landlines from seven digits on, mobile numbers up to twelve."""
_ABROAD = re.compile(r"[1-9][0-9]{7,14}")


def e164(text: str) -> str | None:
    """Return ``+6281234567890`` for ``0812-3456-7890``, ``62 812...``, ``+62 (0)812...``; ``None`` for what is no number.

    Only the form is checked: which ranges are given out changes more often than programs do.
    """
    digits = _SEPARATORS.sub("", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if digits.startswith("+") and not digits.startswith("+" + _INDONESIA):
        return digits if _ABROAD.fullmatch(digits[1:]) else None
    national = digits.removeprefix("+").removeprefix("0")
    if digits.startswith(("+", _INDONESIA)):
        national = digits.removeprefix("+").removeprefix(_INDONESIA).removeprefix("0")
    elif not digits.startswith("0"):
        return None
    return f"+{_INDONESIA}{national}" if _NATIONAL.fullmatch(national) else None
