"""Answers that the gateway itself makes; all others are contracts of the services."""

from __future__ import annotations

from services.contracts.catalog import PublicKey
from services.contracts.schema import Choice, ContractSchema, ListOf, Part


class Health(ContractSchema):
    """What a probe of this process found."""

    status = Choice("alive", "ready", required=True)


class KeySet(ContractSchema):
    """A JSON Web Key Set (RFC 7517): keys that verify access tokens."""

    keys = ListOf(Part(PublicKey), most=16, required=True)
