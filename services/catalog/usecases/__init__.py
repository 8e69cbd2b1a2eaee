"""Commands and queries of the catalogue; each runs inside one unit of work."""
