"""The table at the end: what was played at each site, and whether its reports say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.simulation.comparison import mean, quantile
from deploy.simulation.playing import Outcome
from deploy.simulation.tally import DayAtSite, Played

_HEADS = ("site", "date", "issued", "completed", "no-show", "cancelled", "waiting", "recalls", "surveys", "wait mean", "p90", "reports")


def table(outcome: Outcome) -> str:
    """Return the table with a line per business date and site, and their sum. Waits are real seconds, as the reports have them."""
    rows = [_row(day, played, outcome) for day, played in outcome.played.items()]
    if len(rows) > 1:
        rows.append(_total(outcome.played))
    return _laid_out([_HEADS, *rows])


def closing(outcome: Outcome) -> list[str]:
    """Return the sentences under the table."""
    issued = sum(played.issued for played in outcome.played.values())
    strangers = sum(played.strangers for played in outcome.played.values())
    repeated = f", {outcome.repeats} requests repeated" if outcome.repeats else ""
    lines = [f"{issued} numbers in {outcome.seconds:.0f} s{repeated}. Waits are real seconds{_in_the_day(outcome)}."]
    if strangers:
        lines.append(
            f"Numbers of others that were called too: {strangers}; they count in every column but `issued`, `waiting` and the waits."
        )
    differing = [each for found in outcome.disagreements.values() for each in found]
    lines += [f"DISAGREES {each}" for each in differing]
    if differing:
        lines.append("Somebody else may have used these sites meanwhile; otherwise the reports are wrong or late.")
    elif outcome.disagreements:
        lines.append("The reports of the platform agree with all that was played.")
    return lines + [f"FAILED {trouble}" for trouble in outcome.troubles]


def _in_the_day(outcome: Outcome) -> str:
    """Tell what people waited in the day that was played, which was pressed into real time."""
    average = mean([wait for played in outcome.played.values() for wait in played.waits])
    if outcome.speed is None or outcome.speed == 1 or average is None:
        return ""
    return f"; in the day that was played, {outcome.speed:g} times as long: {average * outcome.speed / 60:.0f} minutes on average"


def _row(day: DayAtSite, played: Played, outcome: Outcome) -> Sequence[str]:
    verdict = "not asked" if day not in outcome.disagreements else "DISAGREE" if outcome.disagreements[day] else "agree"
    return (day.name, day.date, *_counts(played), *_waits(played.waits), verdict)


def _total(played: Mapping[DayAtSite, Played]) -> Sequence[str]:
    counts = zip(*(_counts(each) for each in played.values()), strict=True)
    waits = sorted(wait for each in played.values() for wait in each.waits)
    return ("all", "", *(str(sum(map(int, column))) for column in counts), *_waits(waits), "")


def _counts(played: Played) -> tuple[str, ...]:
    change = played.change
    figures = (
        played.issued,
        change["completed"],
        change["no_show"],
        change["cancelled"],
        played.waiting,
        played.recalls,
        played.surveys,
    )
    return tuple(str(figure) for figure in figures)


def _waits(waits: Sequence[float]) -> tuple[str, str]:
    return _seconds(mean(waits)), _seconds(quantile(waits, 0.9))


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _laid_out(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, 1, len(row) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
