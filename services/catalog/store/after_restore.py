"""What is done when a regency's tables were brought back from a backup: everybody signs in again.

Whoever is signed in holds a refresh token that is newer than what the backup knows of it; and who signed out since must not be
signed in again.
"""

import sqlalchemy as sa

AFTER_RESTORE = (sa.text("DELETE FROM session"),)
