"""A name server as a container engine has one: the name of a service answers with the addresses of its replicas."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset


class ReplicaNames:
    """Answers over UDP on a port of 127.0.0.1; asks `addresses_of(service)` anew for each question."""

    def __init__(self, addresses_of: Callable[[str], Collection[str]]) -> None:
        names = self
        self.asked = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, connection = self.request
                connection.sendto(names._answer(dns.message.from_wire(data)).to_wire(), self.client_address)

        self._addresses_of = addresses_of
        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, query: Any) -> Any:
        self.asked += 1
        answer = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        service = question.name.labels[0].decode()  # a resolver may try the machine's search domains
        if question.rdtype == dns.rdatatype.A and (addresses := self._addresses_of(service)):
            answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", "A", *addresses))
        return answer
