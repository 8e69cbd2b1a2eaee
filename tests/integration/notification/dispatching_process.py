"""A notification process without broker: its dispatcher, green as in the real one, to be killed and frozen.

Run as ``python -m tests.integration.notification.dispatching_process`` with the service's variables.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402
import threading  # noqa: E402

from services.chassis import logs  # noqa: E402
from services.chassis.database import Database  # noqa: E402
from services.chassis.settings import Settings  # noqa: E402
from services.notification.dispatching import Dispatcher  # noqa: E402
from services.notification.service import channels_of  # noqa: E402


def main() -> None:
    settings = Settings.from_environment()
    logs.configure(settings)
    dispatcher = Dispatcher(Database("notification", settings.database_url("notification")), channels_of(settings))
    threading.Thread(target=dispatcher.run, daemon=True).start()
    sys.stdout.write("dispatching\n")
    sys.stdout.flush()
    ticks = 0
    while not dispatcher.finished.wait(0.1):  # others of the process get their turn ten times a second
        ticks += 1
        sys.stdout.write(f"{ticks}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
