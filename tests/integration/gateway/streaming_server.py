"""The real HTTP server in a process of its own, streaming messages of very different sizes to whoever connects.

Prints its port. A line on its standard input makes it offer its messages; the last one is final.
"""

import eventlet

eventlet.monkey_patch()

import random  # noqa: E402 - after patching, as in every process of the platform
import sys  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from typing import Any  # noqa: E402

from eventlet import tpool  # noqa: E402

from gateway.board.streams import MEDIA_TYPE, Slot, Stream, encoded_event  # noqa: E402
from gateway.server import HttpServer  # noqa: E402
from services.chassis import logs  # noqa: E402
from services.chassis.settings import Settings  # noqa: E402
from tests.integration.gateway.streamed import LARGEST_BYTES, MESSAGES, body_of  # noqa: E402


def main() -> None:
    logs.configure(Settings(log_level="WARNING"))
    slot = Slot()
    slot.offer(encoded_event("board", 0, body_of(0, 10)))

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", MEDIA_TYPE)])
        stream = Stream(slot, lambda: None, threading.Event())
        stream.attach(environ["mpp.connection"], chunked=environ["mpp.chunked"])
        return stream

    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    tpool.execute(sys.stdin.readline)
    sizes = random.Random(1)
    for number in range(1, MESSAGES + 1):
        size = sizes.choice((10, 5_000, LARGEST_BYTES))
        slot.offer(encoded_event("board", number, body_of(number, size)), final=number == MESSAGES)
        eventlet.sleep(0.01)
    while slot.streams:
        eventlet.sleep(0.02)
    server.stop(5.0)


if __name__ == "__main__":
    main()
