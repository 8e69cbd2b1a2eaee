"""Seed data: regencies written down in YAML (`deploy/data`), and how they get into the catalogue."""

from deploy.seed.holidays import holidays, holidays_only, of_year, with_holidays, years
from deploy.seed.loading import add_demo_operator, seed, with_demo_accounts
from deploy.seed.places import SeedError
from deploy.seed.regency_files import DATA, documents

__all__ = [
    "DATA",
    "SeedError",
    "add_demo_operator",
    "documents",
    "holidays",
    "holidays_only",
    "of_year",
    "seed",
    "with_demo_accounts",
    "with_holidays",
    "years",
]
