"""What the platform's own metrics tell, summed over its processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from tests.processes import ServiceProcess

Key = tuple[str, frozenset[tuple[str, str]]]


class Metrics:
    """All samples of some processes at one moment."""

    def __init__(self, samples: Iterable[tuple[str, Mapping[str, str], float]]) -> None:
        self._sums: dict[Key, float] = defaultdict(float)
        for name, labels, value in samples:
            self._sums[name, frozenset(labels.items())] += value

    @classmethod
    def of(cls, processes: Iterable[ServiceProcess]) -> Metrics:
        """Ask the processes."""
        texts = [process.probe("/metrics", timeout=20)[1] for process in processes]
        families = (family for text in texts for family in text_string_to_metric_families(text))
        return cls((sample.name, sample.labels, sample.value) for family in families for sample in family.samples)

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples that have these labels."""
        wanted = set(labels.items())
        return sum(value for (known, given), value in self._sums.items() if known == name and wanted <= given)

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """Cumulative counts of a histogram by upper bound."""
        wanted = set(labels.items())
        found: dict[float, float] = defaultdict(float)
        for (known, given), value in self._sums.items():
            if known == f"{name}_bucket" and wanted <= given:
                found[float(dict(given)["le"])] += value
        return dict(sorted(found.items()))


def quantile(share: float, before: Mapping[float, float], after: Mapping[float, float]) -> float | None:
    """What this share of the observations between two readings of a histogram did not exceed, as Prometheus estimates it.

    :returns: None when nothing was observed; the highest finite bound when it lies beyond.
    """
    bounds = sorted(after)
    counts = [after[bound] - before.get(bound, 0.0) for bound in bounds]
    if not counts or counts[-1] <= 0:
        return None
    rank, low, below = share * counts[-1], 0.0, 0.0
    for bound, count in zip(bounds, counts, strict=True):
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * ((rank - below) / (count - below) if count > below else 1.0)
        low, below = bound, count
    return low


def at_share(ordered: Sequence[float], share: float) -> float:
    """The smallest of sorted figures that this share of them does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
