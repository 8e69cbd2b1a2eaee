"""Encryption at rest: personal data and secrets that others gave us stand in no table in clear.

`MPP_ENCRYPTION_KEYS` lists secrets, newest first: the first encrypts, all of them decrypt. To change it, put a new
one in front, restart, run ``mpp keys rotate``, and drop the old one. From each secret a key is derived per *purpose*,
so that what was encrypted as a mail address can never be read as a webhook's secret, and one more for the keyed hash
by which equal values are found without being readable.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class KeyUnknown(Exception):
    """What is stored was encrypted with a key that is not among `MPP_ENCRYPTION_KEYS`, or was damaged.

    Nothing is lost by it: with the key back in the list it can be read again.
    """

    def __init__(self) -> None:
        super().__init__("encrypted with a key that MPP_ENCRYPTION_KEYS does not hold")


class Keyring:
    """The keys of one installation."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """``secrets``: newest first, each of 32 characters or more and unguessable."""
        if not secrets:
            raise ValueError("a keyring without keys")
        self._secrets = tuple(secrets)

    @property
    def newest_id(self) -> str:
        """The id of the key that encrypts and hashes."""
        return key_id(self._secrets[0])

    @property
    def ids(self) -> list[str]:
        """The ids of all keys, to tell by what stands beside a value whether it can be read; they tell nothing of the keys."""
        return [key_id(secret) for secret in self._secrets]

    def encrypt(self, text: str, purpose: str) -> str:
        """Return ``text`` encrypted with the newest key, in ASCII; the same text looks different each time."""
        return self._ciphers(purpose).encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str, purpose: str) -> str:
        """Return the text of :meth:`encrypt`; raises :class:`KeyUnknown`."""
        try:
            return self._ciphers(purpose).decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise KeyUnknown from error

    def is_current(self, token: str, purpose: str) -> bool:
        """Whether ``token`` was made with the newest key."""
        try:
            self._newest(purpose).decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    def hashes(self, text: str, purpose: str) -> list[str]:
        """Return the keyed hashes under which ``text`` may be stored, that of the newest key first."""
        message = text.encode()
        return [hmac.new(derived_key(secret, f"hash:{purpose}"), message, hashlib.sha256).hexdigest() for secret in self._secrets]

    def _newest(self, purpose: str) -> Fernet:
        return _cipher(self._secrets[0], purpose)

    def _ciphers(self, purpose: str) -> MultiFernet:
        return MultiFernet([_cipher(secret, purpose) for secret in self._secrets])


def _cipher(secret: str, purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived_key(secret, f"encrypt:{purpose}")))


def key_id(secret: str) -> str:
    """Return eight characters that name a key and tell nothing about it."""
    return derived_key(secret, "id").hex()[:8]


def derived_key(secret: str, use: str) -> bytes:
    """Return 32 bytes that serve one use and tell nothing about the secret or the keys of other uses (HKDF, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=f"mpp:{use}".encode()).derive(secret.encode())
