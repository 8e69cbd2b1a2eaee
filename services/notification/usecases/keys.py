"""Changing the key of what is stored encrypted."""

from __future__ import annotations

from collections import Counter

from services.chassis.database import UnitOfWork
from services.chassis.encryption import Keyring, KeyUnknown
from services.notification import store
from services.notification.channels.mail import ADDRESS_PURPOSE
from services.notification.channels.webhook import SECRET_PURPOSE
from services.notification.store.keys import BEFORE_ALL

BATCH = 500


def rotate_keys(work: UnitOfWork, keyring: Keyring) -> Counter[str]:
    """Encrypt a regency's secrets and addresses with the newest key; count ``rotated``, ``current`` and ``unreadable``.

    What no key opens is left as it is: with its key back in the list it can be read and rotated.
    """
    counted: Counter[str] = Counter()
    for row in store.keys.webhook_secrets(work):
        secret = _renewed(keyring, row["secret"], SECRET_PURPOSE, counted)
        old_secret = row["old_secret"] and _renewed(keyring, row["old_secret"], SECRET_PURPOSE, counted)
        if (secret, old_secret) != (row["secret"], row["old_secret"]):
            store.keys.keep_secrets(work, row["id"], secret, old_secret)
    last = BEFORE_ALL
    while rows := store.keys.addresses(work, last, BATCH):
        for row in rows:
            last = row["id"]
            address = _renewed(keyring, row["address"], ADDRESS_PURPOSE, counted)
            if address != row["address"]:
                [newest, *_] = keyring.hashes(keyring.decrypt(address, ADDRESS_PURPOSE), ADDRESS_PURPOSE)
                store.keys.keep_address(work, last, address, newest)
    return counted


def _renewed(keyring: Keyring, token: str, purpose: str, counted: Counter[str]) -> str:
    try:
        text = keyring.decrypt(token, purpose)
    except KeyUnknown:
        counted["unreadable"] += 1
        return token
    if keyring.is_current(token, purpose):
        counted["current"] += 1
        return token
    counted["rotated"] += 1
    return keyring.encrypt(text, purpose)
