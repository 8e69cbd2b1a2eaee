"""Numbers that name a person do not belong into free text; who writes them there all the same is not to be found by them."""

from __future__ import annotations

import re

HIDDEN = "(…)"

_LONG = re.compile(r"[+(]?\d(?:[ .,/()-]{0,2}\d){8,}")
_LEAST, _LEAST_OF_TELEPHONES = 10, 9
_TELEPHONE = re.compile(r"^[+(]*(0|62|8)")


def without_numbers(text: str) -> str:
    """Return a text in which NIK, telephone and other numbers of ten digits and more, however they are spaced, are :data:`HIDDEN`.

    Nine digits are a telephone number when they begin like one; prices and dates stay.
    """
    return _LONG.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in found[0])
    names_somebody = digits >= (_LEAST_OF_TELEPHONES if _TELEPHONE.match(found[0]) else _LEAST)
    return HIDDEN if names_somebody else found[0]
