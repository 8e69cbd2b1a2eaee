"""A private Caddy from the installed program: the proxy of a deployment, on free ports of this machine."""

import shutil
import signal
import ssl
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.servers import debian_packages, ports
from deploy.servers.data_folder import tail
from deploy.servers.process import Guard, ServerError, wait_for_exit, wait_until

CADDYFILE = Path(__file__).resolve().parents[1] / "proxy" / "Caddyfile"
_START_SECONDS = 20.0
_STOP_SECONDS = 20.0


def ensure_installed(report: Callable[[str], None] = lambda line: None) -> Path:
    """Where `caddy` is; installs the package first when root on Debian or Ubuntu lacks it. No Caddy of the system is started.

    `report` is told, in one line, when something that takes time begins. Raises ServerError when it cannot be had.
    """
    found = shutil.which("caddy")
    if found is None:
        debian_packages.install("caddy", "Caddy", report, service="caddy")
        found = shutil.which("caddy")
    if found is None:
        raise ServerError("Caddy was installed, but is not on the PATH.")
    return Path(found)


class CaddyServer:
    """The deployment's proxy in front of gateways on this machine, as `localhost`; a context manager."""

    def __init__(
        self,
        data_dir: Path,
        environment: Mapping[str, str],
        *,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare and start nothing yet.

        :param environment: the Caddyfile's variables, but for ports and folders, which are of this place. Among them where the
            gateways are: `MPP_PROXY_UPSTREAMS`, such as `to 127.0.0.1:8000 127.0.0.1:8001`, or what finds them by name.
        """
        self.data_dir = data_dir.resolve()
        self.http_port, self.https_port, self.health_port = (ports.free_port() for _ in range(3))
        self._environment = dict(environment)
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
        return self.data_dir / "caddy.log"

    @property
    def root_certificate(self) -> Path:
        """The authority that it has made for `localhost`."""
        return self.data_dir / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def start(self) -> None:
        """Start it and return when its certificate is good and it answers; raises ServerError when it does not."""
        program = ensure_installed(self._report)
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.data_dir),
            "XDG_DATA_HOME": str(self.data_dir / "data"),
            "XDG_CONFIG_HOME": str(self.data_dir / "config"),
            "MPP_PROXY_HTTP_PORT": str(self.http_port),
            "MPP_PROXY_HTTPS_PORT": str(self.https_port),
            "MPP_PROXY_HEALTH_PORT": str(self.health_port),
            **self._environment,
        }
        # The pid file is for the command line: by our folder in it the guard knows whom it may stop.
        command = [str(program), "run", "--adapter", "caddyfile", "--config", str(CADDYFILE), "--pidfile", str(self.data_dir / "pid")]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._guard = Guard(self._process.pid, str(self.data_dir), "TERM")
        if not wait_until(lambda: self._has_ended() or self._is_ready(), _START_SECONDS) or self._has_ended():
            self.stop()
            raise ServerError(f"Caddy did not start:\n{tail(self.log)}")

    def stop(self) -> bool:
        """Stop it and return whether it did so by itself; nothing happens when it does not run."""
        polite = True
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            polite = wait_for_exit(self._process, _STOP_SECONDS)
            if not polite:
                self._process.kill()
                wait_for_exit(self._process, _STOP_SECONDS)
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        return polite

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def _is_ready(self) -> bool:
        try:
            ssl.get_server_certificate(("localhost", self.https_port), ca_certs=str(self.root_certificate), timeout=2)
        except (OSError, ValueError):
            return False
        return True
