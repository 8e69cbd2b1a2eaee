"""A private Prometheus from the installed binaries, for checking configuration and trying queries on one machine."""

import json
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.servers import debian_packages, ports
from deploy.servers.data_folder import tail
from deploy.servers.process import Guard, ServerError, wait_for_exit, wait_until

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_ASK_SECONDS = 10.0


def ensure_installed(report: Callable[[str], None] = lambda line: None) -> dict[str, Path]:
    """Where `prometheus` and `promtool` are; installs the package first when root on Debian or Ubuntu lacks them.

    No Prometheus of the system is started. `report` is told, in one line, when something that takes time begins. Raises
    ServerError when they cannot be had.
    """
    found = _programs()
    if len(found) < 2:
        debian_packages.install("prometheus", "Prometheus", report, service="prometheus")
        found = _programs()
    if len(found) < 2:
        raise ServerError("Prometheus was installed, but prometheus and promtool are not on the PATH.")
    return found


def _programs() -> dict[str, Path]:
    return {name: Path(path) for name in ("prometheus", "promtool") if (path := shutil.which(name))}


class PrometheusServer:
    """One Prometheus with its data in `data_dir`, on a free port of this machine; a context manager."""

    def __init__(self, data_dir: Path, configuration: Path, *, report: Callable[[str], None] = lambda line: None) -> None:
        self.data_dir = data_dir.resolve()
        self.port = ports.free_port()
        self._configuration = configuration.resolve()
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.data_dir / "prometheus.log"

    def start(self) -> None:
        """Start it and return when it answers; raises ServerError when it does not."""
        program = ensure_installed(self._report)["prometheus"]
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [
            str(program),
            f"--config.file={self._configuration}",
            f"--storage.tsdb.path={self.data_dir / 'data'}",
            "--storage.tsdb.retention.size=256MB",
            f"--web.listen-address={ports.LOOPBACK}:{self.port}",
            "--enable-feature=expand-external-labels",  # version 3 does so without being told
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._guard = Guard(self._process.pid, str(self.data_dir), "TERM")
        if not wait_until(lambda: self._has_ended() or self._is_ready(), _START_SECONDS) or self._has_ended():
            self.stop()
            raise ServerError(f"Prometheus did not start:\n{tail(self.log)}")

    def stop(self) -> None:
        """Stop it; nothing happens when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            if not wait_for_exit(self._process, _STOP_SECONDS):
                self._process.kill()
                wait_for_exit(self._process, _STOP_SECONDS)
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None

    def ask(self, path: str, **parameters: str) -> Any:
        """Return what the HTTP API (`/api/v1/<path>`) answers."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{self.port}/api/v1/{path}?{query}", timeout=_ASK_SECONDS) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query, each with `metric` (labels) and `value` (time, text)."""
        result: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return result

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{self.port}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
