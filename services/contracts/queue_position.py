"""How a place in the queue follows from who waits: ticketing answers it, and boards must say the same."""

from __future__ import annotations


def ahead_of(*, has_priority: bool, in_lane: int, in_other_lane: int, regular_per_priority: int) -> int:
    """Return how many are called before a ticket, if nobody comes or goes and the ageing cap does not step in.

    :param in_lane: those of its own lane with an earlier turn.
    :param in_other_lane: all who wait in the other lane.
    :param regular_per_priority: so many regular calls follow each priority call; 0: priority always first.
    """
    if has_priority:
        return in_lane + min(in_other_lane, in_lane * regular_per_priority)
    overtaking = in_other_lane if regular_per_priority == 0 else in_lane // regular_per_priority + 1
    return in_lane + min(in_other_lane, overtaking)
