"""Operators of the platform. They are added from the command line: whoever could do so over the API would have to be one already."""

from services.catalog import domain
from services.catalog.domain import PLATFORM
from services.catalog.store import credentials
from services.catalog.usecases.passwords import DEMO_PASSWORD, check_password, demo_hash, hash_password
from services.chassis import audit
from services.chassis.database import PlatformWork


def add_operator(work: PlatformWork, username: str, display_name: str, password: str, embedded: bool = False) -> bool:
    """Add the account `<name>@platform`; False when it exists, which changes nothing.

    The demonstration's password is taken in `embedded` mode only.
    """
    domain.check_username(username, PLATFORM)
    if password == DEMO_PASSWORD:
        hashed = demo_hash(embedded, work.context.remaining())
    else:
        check_password(password, username)
        hashed = hash_password(password, work.context.remaining())
    added = credentials.add_operator(work, username, display_name, hashed)
    if added:
        made = audit.Change("account", username, None, {"role": "operator", "active": True}, {})
        audit.write(work, work.context, "add_operator", made, actor=audit.CONSOLE)
    return added
