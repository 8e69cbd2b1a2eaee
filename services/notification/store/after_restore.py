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
_PASS_OVER = sa.text("""
    WITH told AS (
        SELECT CAST(payload->'data'->'ticket'->>'id' AS uuid) AS ticket,
            max(CAST(payload->'data'->'ticket'->>'version' AS integer)) AS version
        FROM inbox WHERE status = 'failed' AND jsonb_exists(payload->'data', 'ticket') GROUP BY 1
    )
    UPDATE subscription SET from_version = told.version FROM told
    WHERE subscription.ticket = told.ticket AND subscription.from_version < told.version
""")

_FORGET_HINTS = sa.text("DELETE FROM platform.delivery_hint WHERE regency = :regency")
_LEAVE_HINTS = sa.text("""
    INSERT INTO platform.delivery_hint (regency, due_at)
    SELECT DISTINCT :regency, coalesce(next_attempt_at, lease_until) FROM delivery WHERE state IN ('pending', 'sending')
""")

AFTER_RESTORE = (_DOUBT_LETTERS, _PASS_OVER, _FORGET_HINTS, _LEAVE_HINTS)
