"""What is done when a regency's tables were brought back from a backup: nobody gets a letter twice.

A letter that was on its way when the backup was made has probably arrived since; nobody knows. So it is `uncertain`, and
goes out again only when somebody says so. Webhooks are tried again: their receivers know a delivery by its id.
"""

import sqlalchemy as sa

_DOUBT_LETTERS = sa.text("""
    UPDATE delivery SET state = 'uncertain', last_error = 'restored', claim = NULL, lease_until = NULL,
        next_attempt_at = NULL, settled_at = :now
    WHERE channel = 'email' AND state IN ('pending', 'sending', 'handing_over')
""")

# Of events that had not been handled then: notices are kept and webhooks told, but whoever wanted a letter had it since.
# What stands in the inbox may be anything: an event that nobody can handle must not hinder a restore.
_PASS_OVER = sa.text("""
    WITH told AS (
        SELECT payload->'data'->'ticket'->>'id' AS ticket, max(payload->'data'->'ticket'->>'visit') AS visit, max(
            CASE jsonb_typeof(payload->'data'->'ticket'->'version')
                WHEN 'number' THEN CAST(payload->'data'->'ticket'->>'version' AS numeric) END
        ) AS version
        FROM inbox WHERE status = 'failed' GROUP BY 1
    ), passed_over AS (
        UPDATE subscription SET from_version = CAST(least(told.version, 2147483647) AS integer) FROM told
        WHERE CAST(subscription.ticket AS text) = told.ticket AND subscription.from_version < told.version
    )
    INSERT INTO subscription (id, ticket, visit, follows, address, address_hash, masked, locale, kinds, from_version, created_at)
    SELECT gen_random_uuid(), CAST(told.ticket AS uuid), made.visit, made.id, address, address_hash, masked, locale, kinds,
        CAST(least(told.version, 2147483647) AS integer), created_at
    FROM told JOIN subscription made ON CAST(made.visit AS text) = told.visit AND CAST(made.ticket AS text) <> told.ticket
    WHERE follows IS NULL AND told.version > 0
        AND told.ticket ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    ON CONFLICT (ticket, address_hash) DO NOTHING
""")

_FORGET_HINTS = sa.text("DELETE FROM platform.delivery_hint WHERE regency = :regency")
_LEAVE_HINTS = sa.text("""
    INSERT INTO platform.delivery_hint (regency, due_at)
    SELECT DISTINCT :regency, coalesce(next_attempt_at, lease_until) FROM delivery WHERE state IN ('pending', 'sending')
""")

AFTER_RESTORE = (_DOUBT_LETTERS, _PASS_OVER, _FORGET_HINTS, _LEAVE_HINTS)
