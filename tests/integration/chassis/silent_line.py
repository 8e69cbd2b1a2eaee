"""A line to a server that can go dead without a word, as a lost network does."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class SilentLine:
    """A TCP forwarder to a local port; while `cut`, it swallows everything and closes nothing."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._cut = threading.Event()
        self._closed = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through any more."""
        self._cut.set()

    def mend(self) -> None:
        """Let new bytes through again; what was swallowed stays lost."""
        self._cut.clear()

    def close(self) -> None:
        """End the forwarder."""
        self._closed.set()
        for each in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while not self._closed.is_set():
                if not select.select([source], [], [], 0.1)[0]:
                    continue
                data = source.recv(65536)
                if self._cut.is_set():
                    if not data:
                        return  # the end of a connection is swallowed too
                    continue
                if not data:
                    break
                sink.sendall(data)
        if not self._cut.is_set():
            for each in (source, sink):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
