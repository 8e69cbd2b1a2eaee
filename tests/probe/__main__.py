"""Run probe services as a process: ``python -m tests.probe ledger mirror``."""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from services.chassis.process import run  # noqa: E402
from services.chassis.settings import Settings  # noqa: E402
from tests.probe.gate import GateService  # noqa: E402
from tests.probe.services import SUBSCRIPTIONS, LedgerService, MirrorService  # noqa: E402

KNOWN = {"ledger": LedgerService, "mirror": MirrorService, "gate": GateService}

if __name__ == "__main__":
    sys.exit(run([KNOWN[name] for name in sys.argv[1:]], Settings.from_environment(), SUBSCRIPTIONS))
