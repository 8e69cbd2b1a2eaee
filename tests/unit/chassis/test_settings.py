"""Settings come from the environment alone, and an unusable one is named."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from services.chassis.delivery_settings import DeliverySettings, MailServer
from services.chassis.settings import Settings, SettingsError

pytestmark = pytest.mark.unit

SECRET = "s" * 32
COMPLETE = {
    "MPP_MODE": "embedded",
    "MPP_BROKER_URL": "amqp://broker",
    "MPP_BROKER_MANAGEMENT_URL": "https://admin:secret@broker:15671/",
    "MPP_BROKER_PUBLIC_URL": "amqps://events.example.go.id:5671/",
    "MPP_TICKETING_DATABASE_URL": "postgresql://t@db/ticketing",
    "MPP_CATALOG_DATABASE_URL": "postgresql://c@db/catalog",
    "MPP_ADMIN_DATABASE_URL": "postgresql://a@db/postgres",
    "MPP_HTTP_HOST": "192.0.2.1",
    "MPP_HTTP_PORT": "8080",
    "MPP_PROBE_HOST": "10.0.0.1",
    "MPP_PROBE_PORT": "0",
    "MPP_TOKEN_SECRET": SECRET + "," + SECRET + "n",
    "MPP_ACCESS_TOKEN_SECONDS": "120",
    "MPP_PAGE_IDLE_SECONDS": "900",
    "MPP_CORS_ORIGINS": "https://antrean.example.id, http://localhost:5173",
    "MPP_OIDC_PROVIDERS": "/oidc/providers.yaml",
    "MPP_OIDC_SECRET_SSO_LAMPUNG": "given by the provider",
    "MPP_ALLOWED_HOSTS": "Antrean.example.go.id, [::1]",
    "MPP_TICKET_TOKEN_SECRET": SECRET + "t",
    "MPP_LOG_LEVEL": "DEBUG",
    "MPP_LOG_FORMAT": "console",
    "MPP_COMMAND_DEADLINE_SECONDS": "2.5",
    "MPP_ANONYMOUS_RATE": "7/second",
    "MPP_LOGIN_RATE": "8/second",
    "MPP_MAX_BODY_BYTES": "2048",
    "MPP_TRUSTED_PROXIES": "1",
    "MPP_MOST_STREAMS": "30",
    "MPP_MOST_STREAMS_PER_CLIENT": "5",
    "MPP_EVENT_LOG_MONTHS": "3",
    "MPP_AUDIT_MONTHS": "13",
    "MPP_DATABASE_PLACEMENT": "lampung-timur=db2:5432, oku-timur=db3.example:5433",
    "MPP_DATA_DIR": "/data",
    "MPP_ENCRYPTION_KEYS": f"{SECRET}, {SECRET}o",
    "MPP_PERSON_KEYS": f"{SECRET}p, {SECRET}q",
    "MPP_PERSON_HASH_KEYS": f"{SECRET}h",
    "MPP_SMTP_URL": "starttls://mpp:p%40ss@mail.example.id",
    "MPP_MAIL_FROM": "MPP <antrean@mpp.example.id>",
    "MPP_PUBLIC_URL": "https://mpp.example.id/",
    "MPP_WEBHOOK_ALLOWED_NETWORKS": "10.20.0.0/16, fd00:20::/32",
    "MPP_WEBHOOK_ALLOW_HTTP": "true",
    "MPP_SUBSCRIPTION_RETENTION_DAYS": "3",
}


def test_every_variable_sets_its_setting():
    settings = Settings.from_environment(COMPLETE)
    assert settings == Settings(
        mode="embedded",
        broker_url="amqp://broker",
        broker_management_url="https://admin:secret@broker:15671/",
        broker_public_url="amqps://events.example.go.id:5671/",
        database_urls={"ticketing": "postgresql://t@db/ticketing", "catalog": "postgresql://c@db/catalog"},
        admin_database_url="postgresql://a@db/postgres",
        http_host="192.0.2.1",
        http_port=8080,
        probe_host="10.0.0.1",
        probe_port=0,
        token_secrets=(SECRET, SECRET + "n"),
        access_token_seconds=120,
        page_idle_seconds=900,
        cors_origins=("https://antrean.example.id", "http://localhost:5173"),
        oidc_providers="/oidc/providers.yaml",
        oidc_secrets={"sso-lampung": "given by the provider"},
        allowed_hosts=("antrean.example.go.id", "[::1]"),
        ticket_token_secret=SECRET + "t",
        log_level="DEBUG",
        log_format="console",
        command_deadline=2.5,
        anonymous_rate="7/second",
        login_rate="8/second",
        max_body_bytes=2048,
        trusted_proxies=1,
        most_streams=30,
        most_streams_per_client=5,
        event_log_months=3,
        audit_months=13,
        placement={"lampung-timur": "db2:5432", "oku-timur": "db3.example:5433"},
        data_dir="/data",
        encryption_keys=(SECRET, SECRET + "o"),
        person_keys=(SECRET + "p", SECRET + "q"),
        person_hash_keys=(SECRET + "h",),
        delivery=DeliverySettings(
            mail_server=MailServer("starttls", "mail.example.id", 587, "mpp", "p@ss"),
            mail_from="MPP <antrean@mpp.example.id>",
            public_url="https://mpp.example.id",
            webhook_allowed_networks=(ip_network("10.20.0.0/16"), ip_network("fd00:20::/32")),
            webhook_allow_http=True,
            subscription_retention_days=3,
        ),
    )
    assert settings.embedded


def test_every_setting_can_be_set_and_has_a_default():
    defaults, complete = Settings.from_environment({}), Settings.from_environment(COMPLETE)
    assert [name for name in vars(complete) if getattr(complete, name) == getattr(defaults, name)] == []
    assert not defaults.embedded


def test_rates_are_generous_only_in_embedded_mode():
    deployed, embedded = Settings.from_environment({}), Settings.from_environment({"MPP_MODE": "embedded"})
    assert (deployed.anonymous_rate, deployed.login_rate) == ("600/minute", "60/minute")
    assert (embedded.anonymous_rate, embedded.login_rate) == ("6000/minute", "600/minute")


def test_no_secret_has_a_default():
    defaults = Settings.from_environment({})
    assert (defaults.token_secrets, defaults.ticket_token_secret, defaults.encryption_keys) == ((), "", ())
    with pytest.raises(SettingsError, match="MPP_ENCRYPTION_KEYS"):
        defaults.required_encryption_keys()


def test_personal_data_need_keys_to_read_and_others_to_find():
    assert Settings.from_environment({}).person_keys == ()
    with pytest.raises(SettingsError, match="belong together"):
        Settings.from_environment({"MPP_PERSON_KEYS": SECRET})
    with pytest.raises(SettingsError, match="must not share"):
        Settings.from_environment({"MPP_PERSON_KEYS": SECRET, "MPP_PERSON_HASH_KEYS": f"{SECRET}h,{SECRET}"})


def test_without_settings_no_mail_is_sent_and_nothing_internal_is_reached():
    delivery = Settings.from_environment({}).delivery
    assert (delivery.mail_server, delivery.webhook_allowed_networks, delivery.webhook_allow_http) == (None, (), False)


def test_a_mail_server_needs_a_sender():
    with pytest.raises(SettingsError, match="MPP_MAIL_FROM"):
        Settings.from_environment({"MPP_SMTP_URL": "smtp://mail"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MPP_MODE", "production"),
        ("MPP_HTTP_PORT", "http"),
        ("MPP_HTTP_PORT", "65536"),
        ("MPP_HTTP_PORT", "-1"),
        ("MPP_HTTP_PORT", ""),
        ("MPP_PROBE_PORT", "9100.0"),
        ("MPP_TOKEN_SECRET", "s" * 31),
        ("MPP_TICKET_TOKEN_SECRET", "short"),
        ("MPP_PAGE_IDLE_SECONDS", "59"),
        ("MPP_CORS_ORIGINS", "*"),
        ("MPP_ALLOWED_HOSTS", "*.example.id"),
        ("MPP_ALLOWED_HOSTS", "antrean.example.id:443"),
        ("MPP_CORS_ORIGINS", "null"),
        ("MPP_CORS_ORIGINS", "https://*.example.id"),
        ("MPP_CORS_ORIGINS", "https://antrean.example.id/"),
        ("MPP_CORS_ORIGINS", "https://Antrean.example.id"),
        ("MPP_CORS_ORIGINS", "https://antrean.example.id:443"),
        ("MPP_CORS_ORIGINS", "http://antrean.example.id"),
        ("MPP_CORS_ORIGINS", "https://antrean.example.id,antrean.example.id"),
        ("MPP_LOG_LEVEL", "chatty"),
        ("MPP_LOG_FORMAT", "xml"),
        ("MPP_COMMAND_DEADLINE_SECONDS", "0"),
        ("MPP_COMMAND_DEADLINE_SECONDS", "61"),
        ("MPP_COMMAND_DEADLINE_SECONDS", "nan"),
        ("MPP_COMMAND_DEADLINE_SECONDS", "soon"),
        ("MPP_ANONYMOUS_RATE", "many"),
        ("MPP_LOGIN_RATE", "0/minute"),
        ("MPP_MAX_BODY_BYTES", "1023"),
        ("MPP_TRUSTED_PROXIES", "-1"),
        ("MPP_EVENT_LOG_MONTHS", "0"),
        ("MPP_AUDIT_MONTHS", "11"),
        ("MPP_BROKER_URL", "xx://"),
        ("MPP_BROKER_URL", "rabbitmq:5672"),
        ("MPP_BROKER_URL", "http://rabbitmq"),
        ("MPP_BROKER_URL", "amqp://rabbitmq:port"),
        ("MPP_BROKER_URL", "amqp://one;redis://two"),
        ("MPP_BROKER_MANAGEMENT_URL", "rabbitmq:15672"),
        ("MPP_BROKER_MANAGEMENT_URL", "amqp://rabbitmq"),
        ("MPP_BROKER_MANAGEMENT_URL", "http://"),
        ("MPP_BROKER_PUBLIC_URL", "events.example.go.id"),
        ("MPP_BROKER_PUBLIC_URL", "amqps://user:password@events.example.go.id"),
        ("MPP_CATALOG_DATABASE_URL", "db2"),
        ("MPP_CATALOG_DATABASE_URL", "mysql://c@db/catalog"),
        ("MPP_CATALOG_DATABASE_URL", "postgresql://c@db:port/catalog"),
        ("MPP_ADMIN_DATABASE_URL", "postgres"),
        ("MPP_ENCRYPTION_KEYS", "short"),
        ("MPP_ENCRYPTION_KEYS", f"{SECRET},{SECRET}"),
        ("MPP_SMTP_URL", "mail.example.id"),
        ("MPP_SMTP_URL", "http://mail.example.id"),
        ("MPP_SMTP_URL", "smtp://mpp:password@mail.example.id"),
        ("MPP_SMTP_URL", "starttls://mpp@mail.example.id"),
        ("MPP_SMTP_URL", "smtps://mail.example.id:port"),
        ("MPP_PUBLIC_URL", "mpp.example.id"),
        ("MPP_PUBLIC_URL", "https://mpp.example.id/?a=1"),
        ("MPP_PUBLIC_URL", "https://user:password@mpp.example.id"),
        ("MPP_WEBHOOK_ALLOWED_NETWORKS", "10.20.0.1/16"),
        ("MPP_WEBHOOK_ALLOWED_NETWORKS", "localhost"),
        ("MPP_WEBHOOK_ALLOW_HTTP", "yes"),
        ("MPP_SUBSCRIPTION_RETENTION_DAYS", "-1"),
        ("MPP_SUBSCRIPTION_RETENTION_DAYS", "soon"),
        ("MPP_DATABASE_PLACEMENT", "lampung-timur"),
        ("MPP_DATABASE_PLACEMENT", "lampung-timur=db2"),
        ("MPP_DATABASE_PLACEMENT", "lampung_timur=db2:5432"),
    ],
)
def test_an_unusable_value_is_refused_by_the_name_of_its_variable(variable, value):
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({variable: value})


@pytest.mark.parametrize("url", ["amqp://one:5672/", "amqps://u:p@one/%2F", "amqp://one;amqp://two", "embedded://", ""])
def test_the_broker_may_be_any_that_speaks_amqp(url):
    assert Settings.from_environment({"MPP_BROKER_URL": url}).broker_url == url


@pytest.mark.parametrize(
    "variable",
    ["MPP_BROKER_URL", "MPP_BROKER_MANAGEMENT_URL", "MPP_BROKER_PUBLIC_URL", "MPP_CATALOG_DATABASE_URL", "MPP_ADMIN_DATABASE_URL"],
)
def test_the_refusal_of_a_url_does_not_show_its_password(variable):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({variable: "ftp://user:hunter2@host/"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", ["MPP_TOKEN_SECRET", "MPP_TICKET_TOKEN_SECRET"])
def test_the_refusal_of_a_secret_does_not_show_it(secret):
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment({secret: "hunter2"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("read", "variable"),
    [
        (lambda settings: settings.required_broker_url(), "MPP_BROKER_URL"),
        (lambda settings: settings.required_admin_database_url(), "MPP_ADMIN_DATABASE_URL"),
        (lambda settings: settings.required_token_secrets(), "MPP_TOKEN_SECRET"),
        (lambda settings: settings.required_ticket_token_secret(), "MPP_TICKET_TOKEN_SECRET"),
        (lambda settings: settings.database_url("reporting"), "MPP_REPORTING_DATABASE_URL"),
    ],
)
def test_what_is_needed_and_missing_is_named(read, variable):
    with pytest.raises(SettingsError, match=variable):
        read(Settings.from_environment({}))


def test_what_is_needed_and_set_is_returned():
    settings = Settings.from_environment(COMPLETE)
    assert settings.database_url("ticketing") == "postgresql://t@db/ticketing"
    assert settings.required_broker_url() == "amqp://broker"
    assert settings.required_admin_database_url() == "postgresql://a@db/postgres"
    assert settings.required_token_secrets() == (SECRET, SECRET + "n")
    assert settings.required_ticket_token_secret() == SECRET + "t"


OWN = {
    "MPP_MODE": "embedded",
    "MPP_DATA_DIR": "/srv/mpp",
    "MPP_LOG_LEVEL": "WARNING",
    "MPP_BROKER_URL": "embedded://",
    "MPP_ADMIN_DATABASE_URL": "postgresql://mpp_admin:own@127.0.0.1:5433/postgres",
    "MPP_CATALOG_DATABASE_URL": "postgresql://catalog:own@127.0.0.1:5433/catalog",
    "MPP_TOKEN_SECRET": "o" * 64,
    "MPP_TICKET_TOKEN_SECRET": "t" * 64,
}
PLAIN = Settings.from_environment(OWN)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MPP_MODE", "deployed"),
        ("MPP_BROKER_URL", "amqp://mpp:hunter2@broker.example/"),
        ("MPP_ADMIN_DATABASE_URL", "postgresql://a:hunter2@db.example/postgres"),
        ("MPP_CATALOG_DATABASE_URL", "postgresql://c:hunter2@db.example/catalog"),
        ("MPP_REPORTING_DATABASE_URL", "postgresql://r:hunter2@db.example/reporting"),
        ("MPP_DATABASE_PLACEMENT", "lampung-timur=db.example:5432"),
        ("MPP_TOKEN_SECRET", "hunter2" * 8),
        ("MPP_TICKET_TOKEN_SECRET", "hunter2" * 8),
    ],
)
def test_a_shell_of_another_deployment_is_refused_by_an_installation(variable, value):
    with pytest.raises(SettingsError, match=variable) as refused:
        Settings.of_installation(OWN, {variable: value, "PATH": "/bin"})
    assert "hunter2" not in str(refused.value)
    assert "example" not in str(refused.value)


def test_a_shell_may_adjust_an_installation():
    adjusted = Settings.of_installation(OWN, {"MPP_HTTP_PORT": "8080", "MPP_LOG_LEVEL": "DEBUG", "MPP_LOGIN_RATE": "7/minute"})
    assert adjusted == replace(PLAIN, http_port=8080, log_level="DEBUG", login_rate="7/minute")


def test_a_shell_with_the_installations_own_variables_changes_nothing():
    assert Settings.of_installation(OWN, OWN) == PLAIN


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MPP_BROKER_URL", "amqp://mpp:own@127.0.0.1:5673/%2F"),
        ("MPP_CATALOG_DATABASE_URL", "postgresql://catalog:own@127.0.0.1:9999/catalog"),
    ],
)
def test_what_an_earlier_start_wrote_into_a_shell_is_passed_over(variable, value):
    assert Settings.of_installation(OWN, {**OWN, variable: value}) == PLAIN


@pytest.mark.parametrize("shell", [{}, {"MPP_BROKER_URL": ""}, {"MPP_DATA_DIR": "srv/mpp"}, {"MPP_PROBE_PORT": "1"}])
def test_a_shell_that_says_nothing_of_servers_and_secrets_changes_nothing(shell):
    assert Settings.of_installation(OWN, shell) == PLAIN
