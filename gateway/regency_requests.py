"""How the requests of each regency fare, as an operator sees it in metrics."""

from __future__ import annotations

from http import HTTPStatus

from services.chassis import metrics


class RegencyRequests:
    """Counts from a regency's first success on: only that proves that it exists, and invented names must not become series."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def count(self, regency: str, status: int) -> None:
        """Count an answer to a request whose path names a regency."""
        if regency not in self._known:
            if status >= HTTPStatus.MULTIPLE_CHOICES:
                return
            metrics.begin_regency(regency)
            self._known.add(regency)
        metrics.REGENCY_REQUESTS.labels(regency, _outcome(status)).inc()


def _outcome(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return "refused" if status >= HTTPStatus.BAD_REQUEST else "ok"
