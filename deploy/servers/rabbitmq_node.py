"""What makes a RabbitMQ node private: its name, ports, secrets and configuration, all kept in its data folder."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from deploy.servers import ports
from deploy.servers.data_folder import write_private
from deploy.servers.process import ServerError

ADMIN = "mpp_admin"
_PORTS = ("amqp", "management", "prometheus", "distribution", "epmd")
_PLUGINS = "[rabbitmq_management,rabbitmq_prometheus].\n"
_CONFIGURATION = """\
# Written at each start.
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {prometheus}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
log.console = false
log.file.level = info
# This machine has other work to do.
vm_memory_high_watermark.relative = 0.3
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 64000000
"""


class RabbitMQNode:
    """Identity and settings of one node; the processes belong to RabbitMQServer."""

    def __init__(self, folder: Path, configuration: str = "") -> None:
        self.folder = folder
        self._configuration = configuration
        # Stands in the command lines of its processes; that is how they are recognised after a crash.
        self.name = "mpp-" + hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        self._ports: dict[str, int] = {}

    @property
    def mapper_name(self) -> str:
        """The name under which its port mapper appears in the list of processes."""
        return f"{self.name}-epmd"

    @property
    def password(self) -> str:
        """Password of the administrator."""
        return (self.folder / "admin-password").read_text()

    @property
    def database(self) -> Path:
        """Folder of queues, messages, users and permissions."""
        return self.folder / "mnesia"

    @property
    def start_log(self) -> Path:
        """What the processes print."""
        return self.folder / "start.log"

    @property
    def log(self) -> Path:
        """The broker's own log."""
        return self.folder / "log" / f"{self.name}@localhost.log"

    def port(self, name: str) -> int:
        """The node's port for `amqp`, `management`, `prometheus`, `distribution` or `epmd`."""
        if not self._ports:
            raise ServerError("the RabbitMQ server has not been started")
        return self._ports[name]

    @property
    def ports(self) -> Mapping[str, int]:
        """All ports by name; none before the first start."""
        return dict(self._ports)

    def prepare(self, wanted: Mapping[str, int | None]) -> None:
        """Choose ports (those of the last run where they are free) and write secrets and configuration."""
        self._ports = self._choose_ports(wanted)
        for folder in (self.folder / "home", self.folder / "log", self.database):
            folder.mkdir(mode=0o700, exist_ok=True)
        for secret in (self.folder / "admin-password", self.folder / "home" / ".erlang.cookie"):
            if not secret.exists():
                write_private(secret, secrets.token_hex(24))
        settings = _CONFIGURATION.format(**self._ports, user=ADMIN, password=self.password) + self._configuration
        write_private(self.folder / "rabbitmq.conf", settings)
        (self.folder / "enabled_plugins").write_text(_PLUGINS)

    def environment(self) -> dict[str, str]:
        """The whole environment of the node's processes and of rabbitmqctl; nothing of the caller's gets in."""
        folder = self.folder
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "ERL_EPMD_PORT": str(self.port("epmd")),
            "ERL_EPMD_ADDRESS": ports.LOOPBACK,
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_DIST_PORT": str(self.port("distribution")),
            "RABBITMQ_MNESIA_BASE": str(self.database),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            # The unknown flag only marks the process; the interface keeps Erlang's distribution on this machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-mpp_server {self.name} -kernel inet_dist_use_interface {{127,0,0,1}}",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the virtual machine instead of watching it: one process id
        }

    def _choose_ports(self, wanted: Mapping[str, int | None]) -> dict[str, int]:
        try:
            kept = json.loads((self.folder / "ports.json").read_text())
        except (OSError, ValueError):
            kept = {}
        chosen: dict[str, int] = {}
        for name in _PORTS:
            fixed = wanted.get(name)
            if fixed is not None and not ports.is_free(fixed):
                raise ServerError(f"port {fixed}, wanted for RabbitMQ, is in use")
            candidate = fixed or kept.get(name)
            usable = candidate is not None and candidate not in chosen.values() and ports.is_free(candidate)
            chosen[name] = candidate if usable else ports.free_port(avoid=chosen.values())
        (self.folder / "ports.json").write_text(json.dumps(chosen) + "\n")
        return chosen
