"""Tables of the catalogue and the only SQL of the service."""
