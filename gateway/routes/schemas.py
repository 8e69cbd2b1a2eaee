"""Answers that the gateway itself makes; all others are contracts of the services."""

from __future__ import annotations

from services.contracts.schema import Choice, ContractSchema, WholeNumber
from services.contracts.values import Opaque


class Health(ContractSchema):
    """What a probe of this process found."""

    status = Choice("alive", "ready", required=True)


class AccessToken(ContractSchema):
    """A token for the header `Authorization`: `Bearer` and the token. It expires after `expires_in` seconds."""

    access_token = Opaque(4096, required=True)
    token_type = Choice("Bearer", required=True)
    expires_in = WholeNumber(1, 86_400, required=True)
