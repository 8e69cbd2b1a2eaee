"""Everything that puts the parts of the platform together: servers, command line, seed data, decisions."""
