"""`mpp keys`: the keys of what is encrypted at rest."""

from __future__ import annotations

import secrets
from collections import Counter

import click

from deploy.cli.failures import explained
from services.chassis.database import Database
from services.chassis.encryption import Keyring
from services.chassis.errors import DatabaseUnavailable
from services.chassis.settings import Settings
from services.notification.usecases import rotate_keys


@click.group()
def keys() -> None:
    """Make and change the keys of what is encrypted at rest.

    To change the key: put a new one in front of MPP_ENCRYPTION_KEYS (NEW,OLD) and restart notification; run
    `mpp keys rotate`; then take the old one out and restart again.
    """


@keys.command()
def new() -> None:
    """Print a new key."""
    click.echo(secrets.token_hex(32))


@keys.command()
@explained
def rotate() -> None:
    """Encrypt everything with the first of MPP_ENCRYPTION_KEYS. Needs MPP_NOTIFICATION_DATABASE_URL too.

    It may be interrupted and repeated. What none of the keys opens is counted and left as it is; then the exit
    status is 1, and no key must be taken out.
    """
    settings = Settings.from_environment()
    keyring = Keyring(settings.required_encryption_keys())
    database = Database("notification", settings.database_url("notification"), placement=settings.placement, pool_size=1)
    total, failed = Counter[str](), []
    try:
        for regency in database.regencies():
            try:
                with database.regency_work(regency, timeout=300.0) as work:
                    counted = rotate_keys(work, keyring)
            except DatabaseUnavailable:
                failed.append(regency)
                continue
            total += counted
            if counted["unreadable"]:
                click.echo(f"{regency}: {counted['unreadable']} cannot be read with any of the keys", err=True)
    finally:
        database.close()
    click.echo(f"{total['rotated']} encrypted anew, {total['current']} were already")
    if failed:
        raise click.ClickException(f"Not reached: {', '.join(failed)}. Repeat the command.")
    if total["unreadable"]:
        raise click.ClickException(f"{total['unreadable']} left as they are. Put the key that they need back into MPP_ENCRYPTION_KEYS.")
