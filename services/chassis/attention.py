"""Calling the consumers' attention: somebody has changed in the database what they believe to know."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from services.chassis.database import Database

REMEMBERED = timedelta(minutes=5)
"""Longer than any process takes to look; after that its regular look at everything has found it too."""

_CALL = sa.text("""
    INSERT INTO platform.attention (regency, asked_at) VALUES (:regency, clock_timestamp())
    ON CONFLICT (regency) DO UPDATE SET asked_at = excluded.asked_at
""")
_LISTEN = sa.text("SELECT regency, asked_at FROM platform.attention WHERE asked_at > clock_timestamp() - CAST(:remembered AS interval)")
_FORGET = sa.text("DELETE FROM platform.attention WHERE asked_at < clock_timestamp() - CAST(:remembered AS interval)")


def call_attention(database: Database, regency: str) -> None:
    """Let every replica of the service look at a regency within seconds."""
    with database.platform_work() as work:
        work.execute(_FORGET, {"remembered": REMEMBERED})
        work.execute(_CALL, {"regency": regency})


class Ear:
    """Hears each call once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard: dict[str, object] = {}

    def calls(self) -> list[str]:
        """Return the regencies that were called since the last time."""
        with self._database.platform_work() as work:
            asked = {row.regency: row.asked_at for row in work.execute(_LISTEN, {"remembered": REMEMBERED})}
        fresh = [regency for regency, asked_at in asked.items() if self._heard.get(regency) != asked_at]
        self._heard = asked
        return fresh
