"""All SQL of the catalogue."""

from services.catalog.store.after_restore import AFTER_RESTORE

__all__ = ["AFTER_RESTORE"]
