"""How playing fails."""


class SimulationError(Exception):
    """A day cannot be played, or not to its end; the message says what to do."""
