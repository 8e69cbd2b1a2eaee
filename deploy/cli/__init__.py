"""``mpp``: everything an operator does from a shell."""

from __future__ import annotations

import sys
import warnings

GREEN = ("run", "up")
"""Commands whose process serves: the standard library is made green before anything else is imported."""


def main() -> None:
    """Run the command line."""
    # Eventlet announces its own retirement at each import, which is no news for an operator.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    if any(argument in GREEN for argument in sys.argv[1:2]):
        import eventlet

        eventlet.monkey_patch()
    from deploy.cli.commands import mpp

    mpp()
