"""Telling the broker what is done, for several messages at once.

Each acknowledgement is a system call here, a frame and, for a quorum queue, an entry in its log there. Told a moment later
and together they cost a fraction. A connection that is lost meanwhile loses no more than any acknowledgement may: the
broker hands those messages out again, and the command or event inbox knows them.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import amqp

MOST = 16
"""Messages that are done before the broker is told; half of what may be under way, if that is less."""

LONGEST = 0.05
"""Seconds until the broker is told of the first, once something else arrives; :data:`.listener.TICK` if nothing does."""


class Untold:
    """The messages of the present connection, and which of them are done without the broker knowing it.

    :param prefetch: how many the broker lets be under way at a time; 0 for any number.
    """

    def __init__(self, prefetch: int) -> None:
        self._most = max(1, min(MOST, prefetch // 2)) if prefetch else MOST
        self._lock = threading.Lock()
        self._channel: Any = None
        self._taken: dict[Any, bool] = {}
        """Tags in the order of arrival, each with whether it is done."""
        self._count = 0
        self._since = 0.0

    def begin(self, channel: Any) -> None:
        """Forget what came over an earlier connection: the broker hands it out again."""
        with self._lock:
            self._channel, self._count = channel, 0
            self._taken.clear()

    def received(self, message: Any) -> None:
        """Note a message that came over the present connection."""
        with self._lock:
            self._taken[message.delivery_tag] = False

    def given_back(self, message: Any) -> None:
        """Forget a message."""
        with self._lock:
            if message.channel is self._channel:
                self._taken.pop(message.delivery_tag, None)

    def done(self, message: Any) -> bool:
        """Note that a message is done; return whether the broker should hear of it at once."""
        with self._lock:
            if message.channel is not self._channel or self._taken.get(message.delivery_tag) is not False:
                return False
            self._taken[message.delivery_tag] = True
            self._count += 1
            if self._count == 1:
                self._since = time.monotonic()
            return self._count >= self._most or not isinstance(self._channel, amqp.Channel)

    def is_due(self) -> bool:
        """Whether the first of those that are done has waited long enough."""
        return self._count > 0 and time.monotonic() >= self._since + LONGEST

    def tell(self) -> None:
        """Acknowledge what is done: together what has nothing before it that is under way, the rest one by one."""
        with self._lock:
            together: list[Any] = []
            alone: list[Any] = []
            something_under_way = False
            for tag, is_done in self._taken.items():
                something_under_way = something_under_way or not is_done
                if is_done:
                    (alone if something_under_way else together).append(tag)
            for tag in (*together, *alone):
                del self._taken[tag]
            self._count, channel = 0, self._channel
        if together:
            channel.basic_ack(together[-1], multiple=len(together) > 1)
        for tag in alone:
            channel.basic_ack(tag)
