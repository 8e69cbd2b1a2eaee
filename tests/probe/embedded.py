"""Both probe services in one process over the in-process broker: ``python -m tests.probe.embedded``.

Reads calls from standard input, one JSON object a line, and writes an answer for each; ends with the input.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from eventlet import tpool  # noqa: E402

from services.chassis.context import SYSTEM, CallContext  # noqa: E402
from services.chassis.errors import as_error  # noqa: E402
from services.chassis.process import run  # noqa: E402
from services.chassis.rpc import RpcClient  # noqa: E402
from services.chassis.settings import EMBEDDED_BROKER, Settings  # noqa: E402
from tests.probe.services import SUBSCRIPTIONS, LedgerService, MirrorService  # noqa: E402


def answer(client: RpcClient, call: dict[str, Any]) -> dict[str, Any]:
    """Make one call, or as many of the same as it asks for at once."""
    context = CallContext(call["regency"], SYSTEM, call.get("command_id")).within(call.get("seconds", 5.0))
    arguments = (call["service"], call["method"], call["payload"], context)
    try:
        threads = [eventlet.spawn(client.call, *arguments) for _ in range(call.get("times", 1))]
        return {"results": [thread.wait() for thread in threads]}
    except Exception as error:  # noqa: BLE001  (told to the test)
        return {"error": as_error(error)}


def serve() -> None:
    """Answer calls until the input ends, then end the process as a supervisor would."""
    client = RpcClient(EMBEDDED_BROKER, "caller")
    client.start()
    for line in iter(lambda: tpool.execute(sys.stdin.readline), ""):
        print(json.dumps(answer(client, json.loads(line))), flush=True)  # noqa: T201  (this is its interface)
    client.stop()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(run([LedgerService, MirrorService], Settings.from_environment(), SUBSCRIPTIONS, when_started=serve))
