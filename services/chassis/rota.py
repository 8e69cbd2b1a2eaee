"""Whose turn it is: what a consumer's gap finder knows of each regency, and which ones it looks at in its next round.

To look costs a transaction, and where events arrive one after the other there is nothing to find: looking only moves the
mark. So a few regencies have their turn in each round: some of those that are calm, and more of those that nobody has
looked at or where a number was left out, each in the order in which they came to it. Hundreds cost hardly more than ten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

MOST_IN_A_ROUND = 10
CALM_IN_A_ROUND = 5
"""So many of them at most, and however many urgent ones there are: to one of several replicas numbers are missing all the time."""


class Rota:
    """Regencies in which something happened since they were looked at, and how far their streams have come."""

    def __init__(self) -> None:
        self._marks: dict[str, Mapping[str, int]] = {}
        self._ahead: dict[str, dict[str, int]] = {}
        self._urgent: dict[str, None] = {}
        self._calm: dict[str, None] = {}

    def arrived(self, regency: str, source: str, sequence: int) -> None:
        """Say that an event was handled; one that does not follow what has arrived may be the far side of a hole."""
        following = self.reached(regency, source) + 1
        if sequence > following or not self.knows(regency):
            self.urge(regency)
        elif sequence == following:
            self._ahead.setdefault(regency, {})[source] = sequence
            self.remind(regency)

    def reached(self, regency: str, source: str) -> int:
        """Return up to where everything of a stream has arrived, as far as this process knows; it may be more."""
        return max(known.get(regency, {}).get(source, 0) for known in (self._marks, self._ahead))

    def knows(self, regency: str) -> bool:
        """Whether a regency has been looked at, and its database has not been changed by others since."""
        return regency in self._marks

    def urge(self, regency: str) -> None:
        """Have a regency looked at as soon as may be."""
        self._urgent.setdefault(regency)

    def remind(self, regency: str) -> None:
        """Have a regency looked at when its turn comes."""
        self._calm.setdefault(regency)

    def forget(self, regency: str) -> None:
        """Know nothing of a regency any more: somebody has changed its database."""
        self._marks.pop(regency, None)
        self._ahead.pop(regency, None)
        self.urge(regency)

    def looking(self, regency: str) -> None:
        """Say that a regency is being looked at: what happens from now on needs another look."""
        self._urgent.pop(regency, None)
        self._calm.pop(regency, None)
        self._ahead.pop(regency, None)  # what counts is what is found, even if that is less: a database may have been restored

    def looked(self, regency: str, marks: Mapping[str, int]) -> None:
        """Keep the marks that were found."""
        self._marks[regency] = marks

    def waiting(self) -> list[str]:
        """Return all regencies that need a look."""
        return list(dict.fromkeys([*self._urgent, *self._calm]))

    def due(self, passed_over: Callable[[str], bool] = lambda regency: False) -> list[str]:
        """Return whose turn it is in the next round."""
        waiting = [each for each in self.waiting() if not passed_over(each)]
        calm = [each for each in waiting if each not in self._urgent][:CALM_IN_A_ROUND]
        urgent = [each for each in waiting if each in self._urgent]
        return urgent[: MOST_IN_A_ROUND - len(calm)] + calm
