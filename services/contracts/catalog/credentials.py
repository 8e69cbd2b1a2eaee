"""How passwords are set without an administrator knowing them, and how devices are paired without one."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from services.contracts.field_rules import Message
from services.contracts.schema import ContractSchema, Password, Text, WholeNumber
from services.contracts.values import AccountId, Opaque, Timestamp


class CreateCode(ContractSchema):
    """Make a one-time code with which the owner of an account sets a password: to begin with, or after forgetting it.

    An earlier code is void. The password, if there is one, stays until the code is used.
    """

    id = AccountId(required=True)


class OneTimeCode(ContractSchema):
    """The code is told once, here; hand it over in person."""

    id = AccountId(required=True)
    code = Opaque(40, required=True)
    expires_at = Timestamp(required=True)


class SetPassword(ContractSchema):
    """Set one's own password, proven by the present one or by a one-time code. All other sessions end."""

    username = Text(max_length=100, min_length=1, required=True)
    password = Password(min_length=1)
    code = Text(max_length=40, min_length=1)
    new_password = Password(required=True)

    @validates_schema
    def _one_proof(self, data: dict[str, Any], **_: Any) -> None:
        if ("password" in data) == ("code" in data):
            raise ValidationError([Message("one_proof")], "code")


class BeginPairing(ContractSchema):
    """Begin to pair this device (RFC 8628): it shows `user_code` and asks with `device_code` until it is paired."""


class PairingBegun(ContractSchema):
    """`device_code` is the device's secret; `user_code` is for an administrator to type within `expires_in` seconds."""

    device_code = Opaque(100, required=True)
    user_code = Opaque(9, required=True)
    expires_in = WholeNumber(1, 3600, required=True)
    interval = WholeNumber(1, 60, required=True, about="Seconds between two questions whether it is paired.")


class PairDevice(ContractSchema):
    """Pair a device with the code that it shows. It is signed in within seconds; what was signed in as it before is not any more."""

    id = AccountId(required=True)
    user_code = Text(max_length=20, min_length=1, required=True)


class ClaimPairing(ContractSchema):
    """Ask whether the device was paired."""

    device_code = Opaque(100, required=True)
