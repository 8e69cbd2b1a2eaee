"""Tables of the catalogue.

Those of a regency carry no schema: a unit of work sets the search path to its regency's schema. Operators' accounts
and the registry of regencies lie in the schema `platform`.
"""

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

REGENCY = MetaData()
PLATFORM = MetaData(schema="platform")

# Bytewise order, so that cursors do not depend on the server's locale.
Id = Text(collation="C")

regency = Table(
    "regency",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("province", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("capital", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

site = Table(
    "site",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("address", Text),
    Column("timezone", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("accepting", Boolean, nullable=False),
    Column("enforce_hours", Boolean, nullable=False),
    Column("channels", ARRAY(Text), nullable=False),
    Column("hours", JSONB, nullable=False),
    Column("policy", JSONB, nullable=False),
    Column("milestones", JSONB, nullable=False),
    Column("agreements", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
)

agency = Table(
    "agency",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

# At which sites an agency is present, the prefix of its numbers there, and its own hours.
presence = Table(
    "presence",
    REGENCY,
    Column("site", Id, ForeignKey(site.c.id), primary_key=True),
    Column("agency", Id, ForeignKey(agency.c.id), primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("hours", JSONB(none_as_null=True)),  # null: as long as the site is open
    UniqueConstraint("site", "prefix"),
)

service = Table(
    "service",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("agency", Id, ForeignKey(agency.c.id), nullable=False),
    Column("code", Id, nullable=False),
    Column("name", Text, nullable=False),
    Column("requirements", JSONB, nullable=False),
    Column("prerequisites", JSONB, nullable=False),
    Column("default", Boolean, nullable=False),
    Column("promised_minutes", Integer),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("agency", "code"),
)

counter = Table(
    "counter",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("site", Id, ForeignKey(site.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("agency", Id),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("site", "number"),
    ForeignKeyConstraint(["site", "agency"], [presence.c.site, presence.c.agency]),
)

counter_service = Table(
    "counter_service",
    REGENCY,
    Column("counter", Id, ForeignKey(counter.c.id), primary_key=True),
    Column("service", Id, ForeignKey(service.c.id), primary_key=True),
)

# Days with other hours; dates as they are written, YYYY-MM-DD.
hours = Table(
    "hours",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("from", Id, nullable=False),
    Column("to", Id, nullable=False),
    Column("site", Id, ForeignKey(site.c.id)),  # null: all sites
    Column("agency", Id, ForeignKey(agency.c.id)),  # null: all agencies
    Column("hours", JSONB, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
)

account = Table(
    "account",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("role", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("agencies", ARRAY(Text)),  # null: all agencies
    Column("counters", ARRAY(Text)),  # null: all counters of the agencies
    Column("valid_from", Id),  # local dates as they are written; null: open
    Column("valid_until", Id),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

device = Table(
    "device",
    REGENCY,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("site", Id, ForeignKey(site.c.id)),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("version", Integer, nullable=False),
)


def _sessions(where: MetaData) -> Table:
    return Table(
        "session",
        where,
        Column("id", UUID(as_uuid=True), primary_key=True),
        Column("account", Id, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("rotated_at", TIMESTAMP(timezone=True), nullable=False),
        Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
        Column("ended_at", TIMESTAMP(timezone=True)),
        Column("page", Boolean, nullable=False),
        Column("provider", Text),
    )


session = _sessions(REGENCY)
operator_session = _sessions(PLATFORM)


def _failures(where: MetaData) -> Table:
    return Table(
        "sign_in_failure",
        where,
        Column("account", Id, primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("last_at", TIMESTAMP(timezone=True), nullable=False),
    )


sign_in_failure = _failures(REGENCY)
operator_sign_in_failure = _failures(PLATFORM)

# Who signs in with an identity provider. What it calls them may be a NIK: a slow hash is kept, nothing else.
identity = Table(
    "identity",
    REGENCY,
    Column("provider", Text, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("account", Id, nullable=False),
    Column("linked_at", TIMESTAMP(timezone=True), nullable=False),
)

one_time_code = Table(
    "one_time_code",
    REGENCY,
    Column("account", Id, primary_key=True),
    Column("serial", UUID(as_uuid=True), nullable=False),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
)

# Devices that an administrator has paired, until the device has asked.
pairing = Table(
    "pairing",
    PLATFORM,
    Column("user_code", Text, primary_key=True),
    Column("regency", Text, nullable=False),
    Column("device", Id, nullable=False),
    Column("expires_at", TIMESTAMP(timezone=True), nullable=False),
)

# Which access tokens are void before they expire: those of a session, or of versions of an account before this one.
revocation = Table(
    "revocation",
    PLATFORM,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("regency", Text, nullable=False),
    Column("at", TIMESTAMP(timezone=True), nullable=False),
    Column("subject", Id, nullable=False),
    Column("session", UUID(as_uuid=True)),
    Column("version", Integer),
)

operator = Table(
    "account",
    PLATFORM,
    Column("id", Id, primary_key=True),
    Column("role", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

# Kept by the chassis when a regency is provisioned; read here only.
registry = Table(
    "regency",
    PLATFORM,
    Column("slug", Text, primary_key=True),
    Column("facts", JSONB, nullable=False),
    Column("provisioned_at", TIMESTAMP(timezone=True)),
)
