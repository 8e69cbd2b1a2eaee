"""The port on which a process shows its health and its metrics: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.chassis.metrics_page import CONTENT_TYPE, metrics_page
from services.chassis.probes import PROBES


class _Handler(BaseHTTPRequestHandler):
    server_version = "mpp"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/metrics":
            PROBES.measure()  # so that readiness and what checks measure are of now
            self._answer(HTTPStatus.OK, metrics_page(), CONTENT_TYPE)
        elif self.path == "/healthz":
            self._answer_json(HTTPStatus.OK, {"status": "alive"})
        elif self.path == "/readyz":
            failing = PROBES.ready()
            status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
            self._answer_json(status, {"status": "not ready" if failing else "ready", "failing": failing})
        else:
            self._answer_json(HTTPStatus.NOT_FOUND, {"paths": ["/healthz", "/readyz", "/metrics"]})

    def _answer_json(self, status: HTTPStatus, body: dict[str, object]) -> None:
        self._answer(status, json.dumps(body).encode(), "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every few seconds: no log line."""


class ProbeServer:
    """Serves the probes from a thread of its own; ``port`` tells which one was free when 0 was asked for."""

    def __init__(self, host: str, port: int) -> None:
        self._server = ThreadingHTTPServer((host, port), _Handler)
        self.port = self._server.server_port

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
