"""Documents into the catalogue, and the accounts of a demonstration."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deploy.seed.places import SeedError
from services.catalog.usecases.operators import add_operator
from services.catalog.usecases.passwords import DEMO_PASSWORD
from services.chassis.context import SYSTEM, CallContext
from services.chassis.database import Database

DEMO_STAFF = {
    "officer": ("officer", "Petugas Loket"),
    "frontdesk": ("front_desk", "Petugas Informasi"),
    "supervisor": ("supervisor", "Penyelia"),
    "admin": ("administrator", "Administrator"),
    "auditor": ("auditor", "Auditor"),
}
SEED_SECONDS = 60.0

Call = Callable[[str, str, dict[str, Any], CallContext], Any]
Progress = Callable[[str], None]


def with_demo_accounts(document: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """The document with one account for every role of the regency and a kiosk, all with the password `demo`; embedded mode only."""
    refuse_outside_embedded_mode(mode)
    slug = document["regency"]["id"]
    secret = {"password": DEMO_PASSWORD, "active": True}
    staff = [
        {"id": f"{name}@{slug}", "role": role, "display_name": title, "agencies": None, **secret}
        for name, (role, title) in DEMO_STAFF.items()
    ]
    kiosk = {"id": f"kiosk@{slug}", "kind": "kiosk", "site": None, **secret}
    return {
        **document,
        "accounts": [*document.get("accounts", []), *staff],
        "devices": [*document.get("devices", []), kiosk],
    }


def add_demo_operator(database: Database, mode: str) -> bool:
    """Add `operator@platform` with the password `demo` to the catalogue's database; False when it exists. Embedded mode only."""
    refuse_outside_embedded_mode(mode)
    with database.platform_work() as work:
        return add_operator(work, "operator@platform", "Operator Platform", DEMO_PASSWORD, embedded=True)


def refuse_outside_embedded_mode(mode: str) -> None:
    """Raise `SeedError` unless everything runs in one process for trying and developing."""
    if mode != "embedded":
        raise SeedError(
            f"Demonstration accounts are created in embedded mode only, for their password is public; this is {mode} mode."
            " Seed without them and add accounts of your own."
        )


def seed(
    call: Call, documents: Iterable[Mapping[str, Any]], *, overwrite: bool = False, progress: Progress = lambda line: None
) -> dict[str, int]:
    """Have the catalogue load documents of provisioned regencies; answers how many objects were created, updated, unchanged.

    Repeating it creates what is missing and leaves alone what exists; with `overwrite` what exists becomes what the
    documents say.

    :param call: `RpcClient.call` or a function like it.
    :raises DomainError: what the catalogue refuses; regencies before it stay loaded.
    """
    totals = {"created": 0, "updated": 0, "unchanged": 0}
    replacing = {"overwrite": True} if overwrite else {}
    for each in documents:
        slug = each["regency"]["id"]
        context = CallContext(regency=slug, actor=SYSTEM).within(SEED_SECONDS)
        counts = call("catalog", "load_regency", {"document": dict(each), **replacing}, context)
        for name in totals:
            totals[name] += counts[name]
        progress(f"{slug}: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    return totals
