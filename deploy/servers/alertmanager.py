"""A private Alertmanager from the installed program, configured as the deployment's own: by variables, through its start script."""

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.servers import debian_packages, ports
from deploy.servers.data_folder import tail
from deploy.servers.process import Guard, ServerError, wait_for_exit, wait_until

START = Path(__file__).resolve().parents[1] / "monitoring" / "alertmanager" / "start.sh"
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_PROGRAMS = {"alertmanager": ("prometheus-alertmanager", "alertmanager"), "amtool": ("amtool",)}


def ensure_installed(report: Callable[[str], None] = lambda line: None) -> dict[str, Path]:
    """Where `alertmanager` and `amtool` are; installs the package first when root on Debian or Ubuntu lacks them.

    No Alertmanager of the system is started. Raises ServerError when they cannot be had.
    """
    found = _programs()
    if len(found) < len(_PROGRAMS):
        debian_packages.install("prometheus-alertmanager", "Alertmanager", report, service="prometheus-alertmanager")
        found = _programs()
    if len(found) < len(_PROGRAMS):
        raise ServerError("Alertmanager was installed, but prometheus-alertmanager and amtool are not on the PATH.")
    return found


def _programs() -> dict[str, Path]:
    found = ((name, next(filter(None, map(shutil.which, names)), None)) for name, names in _PROGRAMS.items())
    return {name: Path(path) for name, path in found if path is not None}


class AlertmanagerServer:
    """One Alertmanager with its data in `data_dir`, on a free port of this machine; a context manager.

    `variables` say whom it tells, as in .env (see .env.example).
    """

    def __init__(self, data_dir: Path, variables: Mapping[str, str], *, start: Path = START) -> None:
        self.data_dir = data_dir.resolve()
        self.port = ports.free_port()
        self._variables = dict(variables)
        self._start = start
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
        return self.data_dir / "alertmanager.log"

    def start(self) -> None:
        """Start it and return when it answers; raises ServerError when it does not."""
        program = ensure_installed()["alertmanager"]
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.data_dir / "alertmanager.yml"
        command = [
            *("/bin/sh", str(self._start), str(file), str(program)),
            f"--config.file={file}",
            f"--storage.path={self.data_dir / 'data'}",
            f"--web.listen-address={ports.LOOPBACK}:{self.port}",
            "--cluster.listen-address=",
        ]
        variables = {"PATH": os.environ["PATH"], **self._variables}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables)
        self._guard = Guard(self._process.pid, str(self.data_dir), "TERM")
        if not wait_until(lambda: self._has_ended() or self._is_ready(), _START_SECONDS) or self._has_ended():
            self.stop()
            raise ServerError(f"Alertmanager did not start:\n{tail(self.log)}")

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

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{self.port}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
