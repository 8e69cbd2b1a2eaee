"""Errors as an operator should read them: one sentence that says what to do, and no stack trace."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from psycopg import OperationalError as DriverError
from sqlalchemy.exc import OperationalError

from deploy.backup.failure import BackupError
from deploy.embedded.platform import StartError
from deploy.outside.management import ManagementError
from deploy.seed import SeedError
from deploy.servers.process import ServerError
from services.chassis.errors import DomainError, Unavailable
from services.chassis.settings import SettingsError
from services.contracts.schema import PayloadInvalid


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the failures that a command can foresee into messages on standard error and exit status 1."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (SettingsError, SeedError, ServerError, StartError, ManagementError, BackupError) as error:
            raise click.ClickException(str(error)) from error
        except PayloadInvalid as error:
            reasons = (f"{each['field']}: {each['message']}" for each in error.details["errors"])
            raise click.ClickException(f"Refused: {' '.join(reasons)}") from error
        except Unavailable as error:
            raise click.ClickException(f"Broker, database or service cannot be reached ({error}). Is it running?") from error
        except DomainError as error:
            raise click.ClickException(f"Refused: {error}") from error
        except OperationalError as error:
            reason = str(error.orig).splitlines()[0]
            raise click.ClickException(f"The database cannot be reached: {reason}") from error
        except DriverError as error:
            raise click.ClickException(f"The database cannot be reached: {str(error).splitlines()[0]}") from error

    return wrapped
