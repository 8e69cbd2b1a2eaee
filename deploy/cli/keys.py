"""`mpp keys`: the keys of what is encrypted at rest."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from functools import partial

import click

from deploy.cli.failures import explained
from services.chassis.database import Database
from services.chassis.encryption import Keyring
from services.chassis.errors import DatabaseUnavailable
from services.chassis.settings import Settings
from services.notification.usecases import rotate_keys
from services.ticketing import usecases as ticketing
from services.ticketing.usecases import PersonKeys


@click.group()
def keys() -> None:
    """Make and change the keys of what is encrypted at rest.

    To change a key: put a new one in front of its list (NEW,OLD) and restart who reads it, notification
    (MPP_ENCRYPTION_KEYS) or ticketing (MPP_PERSON_KEYS, MPP_PERSON_HASH_KEYS); run `mpp keys rotate`; then take the
    old one out and restart again.
    """


@keys.command()
def new() -> None:
    """Print a new key."""
    click.echo(secrets.token_hex(32))


@keys.command()
@explained
def rotate() -> None:
    """Encrypt everything with the first key of each list: addresses and secrets with MPP_ENCRYPTION_KEYS where
    MPP_NOTIFICATION_DATABASE_URL is set, personal data with MPP_PERSON_KEYS and MPP_PERSON_HASH_KEYS where
    MPP_TICKETING_DATABASE_URL is.

    It may be interrupted and repeated, and citizens notice nothing. What none of the keys opens is counted and left as
    it is; then the exit status is 1, and no key must be taken out.
    """
    settings = Settings.from_environment()
    done = []
    if settings.person_keys and "ticketing" in settings.database_urls:
        done.append(_rotate(settings, "ticketing", partial(_rotate_persons, _person_keys(settings)), "MPP_PERSON_KEYS"))
    if settings.encryption_keys or not done:
        keyring = Keyring(settings.required_encryption_keys())
        done.append(_rotate(settings, "notification", partial(_rotate_addresses, keyring), "MPP_ENCRYPTION_KEYS"))
    if any(done):
        raise click.ClickException(" ".join(filter(None, done)))


def _person_keys(settings: Settings) -> PersonKeys:
    return PersonKeys(Keyring(settings.person_keys), Keyring(settings.person_hash_keys))


def _rotate(settings: Settings, service: str, rotate_regency: Callable[[Database, str], Counter[str]], variable: str) -> str:
    """Change the keys of a service's regencies; return what is to be done about those that were not changed."""
    database = Database(service, settings.database_url(service), placement=settings.placement, pool_size=1)
    total, failed = Counter[str](), []
    try:
        for regency in database.regencies():
            try:
                counted = rotate_regency(database, regency)
            except DatabaseUnavailable:
                failed.append(regency)
                continue
            total += counted
            if counted["unreadable"]:
                click.echo(f"{regency}: {counted['unreadable']} cannot be read with any of the keys", err=True)
    finally:
        database.close()
    click.echo(f"{total['rotated']} encrypted anew, {total['current']} were already ({service})")
    if failed:
        return f"Not reached: {', '.join(failed)}. Repeat the command."
    return f"{total['unreadable']} left as they are. Put the key that they need back into {variable}." if total["unreadable"] else ""


def _rotate_addresses(keyring: Keyring, database: Database, regency: str) -> Counter[str]:
    with database.regency_work(regency, timeout=300.0) as work:
        return rotate_keys(work, keyring)


def _rotate_persons(keys: PersonKeys, database: Database, regency: str) -> Counter[str]:
    """In portions: numbers are taken meanwhile."""
    total: Counter[str] = Counter()
    after: str | None = ticketing.BEFORE_ALL
    while after is not None:
        with database.regency_work(regency, timeout=60.0) as work:
            counted, after = ticketing.rotate_keys(work, keys, after)
        total += counted
    return total
