"""The one reader of the environment. Nothing else in the platform looks at ``os.environ``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from services.chassis.delivery_settings import DeliverySettings

SERVICES = ("catalog", "ticketing", "notification", "reporting")
"""The services that own a database, in the order in which they are started."""

EMBEDDED_BROKER = "embedded://"
MIN_SECRET_LENGTH = 32
BROKER_SCHEMES = ("amqp", "amqps", "embedded")

ADJUSTABLE = frozenset(
    {
        *("MPP_HTTP_HOST", "MPP_HTTP_PORT", "MPP_LOG_LEVEL", "MPP_LOG_FORMAT", "MPP_COMMAND_DEADLINE_SECONDS", "MPP_ANONYMOUS_RATE"),
        *("MPP_LOGIN_RATE", "MPP_ACCESS_TOKEN_SECONDS", "MPP_MAX_BODY_BYTES", "MPP_TRUSTED_PROXIES"),
        *("MPP_PAGE_IDLE_SECONDS", "MPP_CORS_ORIGINS", "MPP_OIDC_PROVIDERS", "MPP_ALLOWED_HOSTS"),
        *("MPP_MOST_STREAMS", "MPP_MOST_STREAMS_PER_CLIENT", "MPP_EVENT_LOG_MONTHS", "MPP_AUDIT_MONTHS"),
        *("MPP_SMTP_URL", "MPP_MAIL_FROM", "MPP_PUBLIC_URL", "MPP_SUBSCRIPTION_RETENTION_DAYS"),
        *("MPP_WEBHOOK_ALLOWED_NETWORKS", "MPP_WEBHOOK_ALLOW_HTTP"),
    }
)
"""What a shell may say about an embedded installation; everything else is the installation's own."""

_PLACED = re.compile(r"([a-z][a-z0-9-]*)=([A-Za-z0-9._-]+:[0-9]{1,5})")
_DATABASE_URL = re.compile(r"MPP_([A-Z]+)_DATABASE_URL")
_OIDC_SECRET = "MPP_OIDC_SECRET_"  # noqa: S105 - how variables begin
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?P<port>:[1-9][0-9]{0,4})?")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]+\]")
_RATE = re.compile(r"[1-9][0-9]{0,6}/(second|minute|hour|day)")


class SettingsError(Exception):
    """The environment lacks something or holds something unusable; the message says what to set."""


@dataclass(frozen=True)
class Settings:
    """Everything that differs between installations. Secrets have no default outside embedded mode."""

    mode: str = "deployed"
    broker_url: str = ""
    broker_management_url: str = ""
    """RabbitMQ's management API, for `mpp consumers`; credentials as in ``broker_url`` unless it names others."""
    broker_public_url: str = ""
    """Where outside consumers reach the broker, without credentials; as in ``broker_url`` when empty."""
    database_urls: Mapping[str, str] = field(default_factory=dict)
    admin_database_url: str = ""
    http_host: str = "127.0.0.1"
    http_port: int = 8000
    probe_host: str = "127.0.0.1"
    probe_port: int = 9100
    token_secrets: tuple[str, ...] = ()
    """Secrets behind access and refresh tokens, the one that signs first."""
    access_token_seconds: int = 600
    page_idle_seconds: int = 1_800
    """A browser that nobody used for so long is signed out: counters' computers are shared, and left."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the gateway answers; every name when empty."""
    cors_origins: tuple[str, ...] = ()
    """Frontends on other hosts whose scripts may call the API, such as ``https://antrean.example.id``."""
    oidc_providers: str = ""
    """The file that describes identity providers; none when empty."""
    oidc_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Client secrets by the provider's id."""
    ticket_token_secret: str = ""
    log_level: str = "INFO"
    log_format: str = "json"
    command_deadline: float = 5.0
    anonymous_rate: str = "600/minute"
    login_rate: str = "60/minute"
    max_body_bytes: int = 65_536
    trusted_proxies: int = 0
    most_streams: int = 5_000
    most_streams_per_client: int = 500
    event_log_months: int = 24
    audit_months: int = 60
    placement: Mapping[str, str] = field(default_factory=dict)
    """Regencies on another database server: slug -> ``host:port``."""
    data_dir: str = ""
    encryption_keys: tuple[str, ...] = ()
    """Secrets behind what is encrypted at rest, the newest first."""
    person_keys: tuple[str, ...] = ()
    """Secrets that encrypt what citizens say of themselves (NIK, phone), the newest first; none: nothing of it is taken."""
    person_hash_keys: tuple[str, ...] = ()
    """Secrets behind the hashes by which it is found, the newest first."""
    delivery: DeliverySettings = field(default_factory=DeliverySettings)

    @property
    def embedded(self) -> bool:
        """Whether this process is the whole platform, for trying, developing and one small site."""
        return self.mode == "embedded"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ``MPP_*`` variables; raises :class:`SettingsError` naming the variable that is unusable."""
        mode = _choice(environ, "MPP_MODE", "deployed", ("deployed", "embedded"))
        relaxed = mode == "embedded"
        return cls(
            mode=mode,
            broker_url=_broker_url(environ, "MPP_BROKER_URL"),
            broker_management_url=_management_url(environ, "MPP_BROKER_MANAGEMENT_URL"),
            broker_public_url=_public_url(environ, "MPP_BROKER_PUBLIC_URL"),
            database_urls={
                match[1].lower(): _database_url(environ, variable)
                for variable in environ
                if (match := _DATABASE_URL.fullmatch(variable)) and match[1] != "ADMIN"
            },
            admin_database_url=_database_url(environ, "MPP_ADMIN_DATABASE_URL"),
            http_host=environ.get("MPP_HTTP_HOST", "127.0.0.1"),
            http_port=_integer(environ, "MPP_HTTP_PORT", 8000, 0, 65_535),
            probe_host=environ.get("MPP_PROBE_HOST", "127.0.0.1"),
            probe_port=_integer(environ, "MPP_PROBE_PORT", 9100, 0, 65_535),
            token_secrets=_secrets(environ, "MPP_TOKEN_SECRET"),
            access_token_seconds=_integer(environ, "MPP_ACCESS_TOKEN_SECONDS", 600, 10, 28_800),
            page_idle_seconds=_integer(environ, "MPP_PAGE_IDLE_SECONDS", 1_800, 60, 43_200),
            allowed_hosts=_hosts(environ),
            cors_origins=_origins(environ),
            oidc_providers=environ.get("MPP_OIDC_PROVIDERS", ""),
            oidc_secrets={
                name.removeprefix(_OIDC_SECRET).lower().replace("_", "-"): secret
                for name, secret in environ.items()
                if name.startswith(_OIDC_SECRET) and secret
            },
            ticket_token_secret=_secret(environ, "MPP_TICKET_TOKEN_SECRET"),
            log_level=_choice(environ, "MPP_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
            log_format=_choice(environ, "MPP_LOG_FORMAT", "json", ("json", "console")),
            command_deadline=_seconds(environ, "MPP_COMMAND_DEADLINE_SECONDS", 5.0),
            anonymous_rate=_rate(environ, "MPP_ANONYMOUS_RATE", "6000/minute" if relaxed else "600/minute"),
            login_rate=_rate(environ, "MPP_LOGIN_RATE", "600/minute" if relaxed else "60/minute"),
            max_body_bytes=_integer(environ, "MPP_MAX_BODY_BYTES", 65_536, 1_024, 16_777_216),
            trusted_proxies=_integer(environ, "MPP_TRUSTED_PROXIES", 0, 0, 16),
            most_streams=_integer(environ, "MPP_MOST_STREAMS", 5_000, 1, 9_000),
            most_streams_per_client=_integer(environ, "MPP_MOST_STREAMS_PER_CLIENT", 500, 1, 9_000),
            event_log_months=_integer(environ, "MPP_EVENT_LOG_MONTHS", 24, 1, 1_200),
            audit_months=_integer(environ, "MPP_AUDIT_MONTHS", 60, 12, 1_200),
            placement=_placement(environ),
            data_dir=environ.get("MPP_DATA_DIR", ""),
            encryption_keys=_secrets(environ, "MPP_ENCRYPTION_KEYS"),
            **_person_keys(environ),
            delivery=_delivery(environ),
        )

    @classmethod
    def of_installation(cls, own: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings of an installation that brings servers and secrets of its own: ``own``, and its fine tuning.

        A shell that is set up for another deployment must not turn an embedded installation loose on its databases: it is
        refused. A shell that holds this installation's own variables, perhaps of an earlier start, is welcome.

        :raises SettingsError: a variable that is not :data:`ADJUSTABLE` is set to something else than ``own`` says.
        """
        same_shell = environ.get("MPP_TOKEN_SECRET") == own["MPP_TOKEN_SECRET"]
        foreign = [name for name in sorted(_owned(own, environ)) if environ[name] not in ("", own.get(name))]
        if foreign and not same_shell:
            raise SettingsError(
                f"{', '.join(foreign)}: this shell is set up for another deployment, but `mpp up` brings servers and secrets of its own."
                f" Unset it here (unset {' '.join(foreign)}), or run the parts of that deployment with `mpp run`."
            )
        return cls.from_environment(
            {**own, **{name: environ[name] for name in environ if name in ADJUSTABLE or name.startswith(_OIDC_SECRET)}}
        )

    def database_url(self, service: str) -> str:
        """Return the login URL of a service; raises :class:`SettingsError` when it is not set."""
        return self._required(self.database_urls.get(service, ""), f"MPP_{service.upper()}_DATABASE_URL")

    def required_broker_url(self) -> str:
        """Return the broker's URL; raises :class:`SettingsError` when it is not set."""
        return self._required(self.broker_url, "MPP_BROKER_URL")

    def required_broker_management_url(self) -> str:
        """Return the URL of RabbitMQ's management API; raises :class:`SettingsError` when it is not set."""
        return self._required(self.broker_management_url, "MPP_BROKER_MANAGEMENT_URL")

    def required_admin_database_url(self) -> str:
        """Return the URL for migrations and provisioning; raises :class:`SettingsError` when it is not set."""
        return self._required(self.admin_database_url, "MPP_ADMIN_DATABASE_URL")

    def required_token_secrets(self) -> tuple[str, ...]:
        """Return the secrets behind access tokens; raises :class:`SettingsError` when none is set."""
        self._required("".join(self.token_secrets), "MPP_TOKEN_SECRET")
        return self.token_secrets

    def required_ticket_token_secret(self) -> str:
        """Return the secret behind the citizens' ticket tokens; raises :class:`SettingsError` when it is not set."""
        return self._required(self.ticket_token_secret, "MPP_TICKET_TOKEN_SECRET")

    def required_encryption_keys(self) -> tuple[str, ...]:
        """Return the secrets behind encryption at rest; raises :class:`SettingsError` when none is set."""
        self._required("".join(self.encryption_keys), "MPP_ENCRYPTION_KEYS")
        return self.encryption_keys

    @staticmethod
    def _required(value: str, variable: str) -> str:
        if not value:
            raise SettingsError(f"{variable} is not set. Set it in the environment (see README, Configuration).")
        return value


def _owned(own: Mapping[str, str], environ: Mapping[str, str]) -> set[str]:
    """Return which variables of the environment are an installation's to say."""
    databases = {name for name in environ if _DATABASE_URL.fullmatch(name)}
    return ({*own, "MPP_DATABASE_PLACEMENT", *databases} - ADJUSTABLE - {"MPP_DATA_DIR"}) & environ.keys()


def _broker_url(environ: Mapping[str, str], name: str) -> str:
    """Return the broker's URL, or several with ``;`` between them; a refusal does not show it, for it holds a password."""
    url = environ.get(name, "")
    if url and not all(_is_broker_url(each) for each in url.split(";")):
        raise SettingsError(f"{name} must be a URL such as amqp://user:password@host:5672/ (or amqps://).")
    return url


def _is_broker_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return "://" in text and url.scheme in BROKER_SCHEMES and url.port != 0
    except ValueError:  # the port is no number
        return False


def _management_url(environ: Mapping[str, str], name: str) -> str:
    """Return the URL of an HTTP API; a refusal does not show it, for it may hold a password."""
    url = environ.get(name, "")
    if url and not _is_url(url, ("http", "https")):
        raise SettingsError(f"{name} must be a URL such as http://host:15672/ or https://user:password@host:15671/.")
    return url


def _public_url(environ: Mapping[str, str], name: str) -> str:
    url = environ.get(name, "")
    if url and not (_is_url(url, ("amqp", "amqps")) and "@" not in url):
        raise SettingsError(f"{name} must be an address without user and password, such as amqps://events.example.go.id:5671/.")
    return url


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:  # the port is no number
        return False


def _database_url(environ: Mapping[str, str], name: str) -> str:
    """Return a database's URL; a refusal does not show it, for it holds a password."""
    url = environ.get(name, "")
    try:
        usable = not url or make_url(url).drivername == "postgresql"
    except (ArgumentError, ValueError):
        usable = False
    if not usable:
        raise SettingsError(f"{name} must be a URL such as postgresql://user:password@host:5432/database.")
    return url


def _integer(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return value


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 60.0:
        raise SettingsError(f"{name} must be seconds from 0.1 to 60, not {text!r}.")
    return value


def _placement(environ: Mapping[str, str]) -> dict[str, str]:
    """Read ``lampung-timur=db2:5432,oku-timur=db2:5432``."""
    placement = {}
    for entry in filter(None, (part.strip() for part in environ.get("MPP_DATABASE_PLACEMENT", "").split(","))):
        match = _PLACED.fullmatch(entry)
        if match is None:
            raise SettingsError(f"MPP_DATABASE_PLACEMENT: {entry!r} is not regency=host:port.")
        placement[match[1]] = match[2]
    return placement


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read names of hosts, without ports; compared in lower case."""
    hosts = tuple(part.strip().lower() for part in environ.get("MPP_ALLOWED_HOSTS", "").split(",") if part.strip())
    for host in hosts:
        if not _HOST_NAME.fullmatch(host):
            raise SettingsError(f"MPP_ALLOWED_HOSTS: {host!r} is no name of a host such as antrean.example.go.id (no port, no wildcard).")
    return hosts


def _origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Read exact origins; no wildcard, no ``null``, and none without TLS but this machine's own."""
    origins = tuple(part.strip() for part in environ.get("MPP_CORS_ORIGINS", "").split(",") if part.strip())
    for origin in origins:
        match = _ORIGIN.fullmatch(origin)
        plain = match is not None and match["scheme"] == "http"
        said_anyway = match is not None and match["port"] == (":80" if plain else ":443")  # browsers leave it out
        if match is None or said_anyway or (plain and match["host"] not in ("localhost", "127.0.0.1", "[::1]")):
            raise SettingsError(f"MPP_CORS_ORIGINS: {origin!r} is no origin such as https://antrean.example.id (lower case, no path).")
    return origins


def _rate(environ: Mapping[str, str], name: str, default: str) -> str:
    value = environ.get(name, default)
    if not _RATE.fullmatch(value):
        raise SettingsError(f"{name} must be a number per second, minute, hour or day, such as {default}, not {value!r}.")
    return value


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = environ.get(name, default)
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def _secret(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if value and len(value) < MIN_SECRET_LENGTH:
        raise SettingsError(f"{name} must have at least {MIN_SECRET_LENGTH} characters.")
    return value


def _secrets(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())
    if any(len(key) < MIN_SECRET_LENGTH for key in keys) or len(set(keys)) != len(keys):
        raise SettingsError(f"{name}: each secret must have at least {MIN_SECRET_LENGTH} characters, and none stand there twice.")
    return keys


def _person_keys(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    encrypting, hashing = _secrets(environ, "MPP_PERSON_KEYS"), _secrets(environ, "MPP_PERSON_HASH_KEYS")
    if bool(encrypting) != bool(hashing):
        raise SettingsError("MPP_PERSON_KEYS and MPP_PERSON_HASH_KEYS belong together: set both, or none to take no personal data.")
    if {*encrypting} & {*hashing}:
        raise SettingsError("MPP_PERSON_KEYS and MPP_PERSON_HASH_KEYS must not share a secret: who may find must not be able to read.")
    return {"person_keys": encrypting, "person_hash_keys": hashing}


def _delivery(environ: Mapping[str, str]) -> DeliverySettings:
    try:
        return DeliverySettings.from_environment(environ)
    except ValueError as error:
        raise SettingsError(str(error)) from error
