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
        SELECT payload->'data'->'ticket'->>'id' AS ticket, max(
            CASE jsonb_typeof(payload->'data'->'ticket'->'version')
                WHEN 'number' THEN CAST(payload->'data'->'ticket'->>'version' AS numeric) END
        ) AS version
        FROM inbox WHERE status = 'failed' GROUP BY 1
    )
    UPDATE subscription SET from_version = CAST(least(told.version, 2147483647) AS integer) FROM told
    WHERE CAST(subscription.ticket AS text) = told.ticket AND subscription.from_version < told.version
""")

_FORGET_HINTS = sa.text("DELETE FROM platform.delivery_hint WHERE regency = :regency")
_LEAVE_HINTS = sa.text("""
    INSERT INTO platform.delivery_hint (regency, due_at)
    SELECT DISTINCT :regency, coalesce(next_attempt_at, lease_until) FROM delivery WHERE state IN ('pending', 'sending')
""")

AFTER_RESTORE = (_DOUBT_LETTERS, _PASS_OVER, _FORGET_HINTS, _LEAVE_HINTS)
