"""Live boards: what sites show on their walls, kept true by events and handed to whoever watches."""
