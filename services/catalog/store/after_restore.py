"""What is done when a regency's tables were brought back from a backup: everybody signs in again.

Whoever is signed in holds a refresh token that is newer than what the backup knows of it; and who signed out since must not be
signed in again. A code that was used since must not be good again either.
"""

import sqlalchemy as sa

AFTER_RESTORE = (sa.text("DELETE FROM session"), sa.text("DELETE FROM one_time_code"))
