"""Reads what a page's form sends: strictly, and never more of it than the limit."""

from __future__ import annotations

from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request

from gateway.problems import Refusal
from gateway.request_body import UNSTORABLE, read_body

FORM = "application/x-www-form-urlencoded"

MOST_FIELDS = 40


def read_form(request: Request, limit: int) -> dict[str, str]:
    """Return the fields of a form, each of which stands there once.

    Raises ``Refusal``: ``body_too_large``, ``media_type_unsupported`` or ``form_malformed``.
    """
    if parse_options_header(request.headers.get("Content-Type"))[0].lower() != FORM:
        raise Refusal("media_type_unsupported", accepted=[FORM])
    try:
        text = read_body(request, limit).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as malformed:
        raise Refusal("form_malformed") from malformed
    fields = dict(pairs)
    if len(fields) != len(pairs) or any(UNSTORABLE.search(part) for pair in pairs for part in pair):
        raise Refusal("form_malformed")
    return fields
