"""An example of every contract, by owner and name, taken from the five regencies."""

from __future__ import annotations

from typing import Any

from services.contracts.examples.access import ACCESS
from services.contracts.examples.board import BOARDS, SITE_DAYS
from services.contracts.examples.catalog import CATALOG
from services.contracts.examples.notification import NOTIFICATION
from services.contracts.examples.persons import BREACHES, EXPORTS, HELD_BY_NOTIFICATION, HELD_BY_REPORTING, PERSONS
from services.contracts.examples.platform import PLATFORM
from services.contracts.examples.reporting import REPORTING
from services.contracts.examples.ticketing import TICKETING

EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "catalog": {**CATALOG, **ACCESS},
    "ticketing": {**TICKETING, **SITE_DAYS, **PERSONS, **BREACHES},
    "reporting": {**REPORTING, **HELD_BY_REPORTING},
    "notification": {**NOTIFICATION, **HELD_BY_NOTIFICATION},
    "platform": PLATFORM,
    "gateway": {**BOARDS, **EXPORTS},
}
