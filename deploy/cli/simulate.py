"""``mpp simulate``: play MPP days against a running gateway."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from deploy.cli.failures import explained
from deploy.simulation.failure import SimulationError
from deploy.simulation.playing import Outcome, Simulation, Wishes, stage
from deploy.simulation.summary import closing, table

PLAIN_STEP = 0.1
"""Where there is no terminal, a line for each tenth."""


class Speed(click.ParamType[float | None]):
    """How many times faster than the real day; `max` is `None`."""

    name = "number|max"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Take a number above 0, or `max`."""
        if value == "max":
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is neither a number above 0 nor max.", param, ctx)
        return speed


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", envvar="MPP_SIMULATION_URL", show_default=True, help="The gateway.")
@click.option("--regency", "regencies", multiple=True, help="Play at the sites of this regency; may be repeated. Default: all.")
@click.option("--days", type=click.IntRange(1, 1000), default=1, show_default=True, help="Days to play, one after the other.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Instead: play days for so many real minutes, then stop politely.")
@click.option("--speed", type=Speed(), default="60", show_default=True, help="Times faster than a real day; max: as fast as it goes.")
@click.option("--seed", type=int, help="Play the same people again. Default: others each time.")
@click.option("--journeys", type=click.IntRange(1, 100_000), help="Visitors per site and day. Default: 15 for each counter.")
@click.option("--per-hour", type=click.FloatRange(0, min_open=True), help="Instead: numbers per site and hour.")
@click.option("--officer", default="officer", show_default=True, help="Calls and reads reports: officer@ each regency.")
@click.option("--kiosk", default="kiosk", show_default=True, help="Issues numbers; operator@platform may do both.")
@click.option(
    "--password", envvar="MPP_SIMULATION_PASSWORD", default="demo", help="Of both; better: MPP_SIMULATION_PASSWORD. Default: demo."
)
@click.option("--report-seconds", type=click.FloatRange(0), default=30.0, show_default=True, help="How long reports may need to catch up.")
@explained
def simulate(**options: Any) -> None:
    """Play MPP days at a running gateway, over HTTP, and compare the reports with what was played.

    Citizens come with a peak in the morning, take numbers, some with priority; counters call, call again, serve; some
    citizens never come, some give their number back, some answer the satisfaction survey. Sites, counters and services
    are those of the catalogue.

    Dates and times are the server's: a simulation cannot move its clock. It presses the shape of a day into real time, so
    everything counts for the server's today, several days too, and waits are as much shorter as the speed says.

    The numbers are real numbers, and counters call whoever is next: do not play where citizens are served. With nobody
    else at work there, `GET /reports/daily` and `/reports/skm` must have changed by exactly what was played; otherwise
    every differing figure is told and the exit status is 1. Ctrl-C ends it with the summary of what was done.

    SSL_CERT_FILE names the authority of a gateway's certificate where the machine does not know it.
    """
    if options["journeys"] is not None and options["per_hour"] is not None:
        raise click.UsageError("Either --journeys or --per-hour.")
    if options["seed"] is None:
        options["seed"] = secrets.randbelow(1_000_000)
    try:
        outcome = _played(Wishes(**{**options, "regencies": tuple(dict.fromkeys(options["regencies"]))}))
    except SimulationError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if outcome.agreed else 1)


def _played(wishes: Wishes) -> Outcome:
    simulation = Simulation(wishes, _tell)
    try:
        _tell(stage(simulation.malls, wishes))
        before = simulation.before()
        with _progress(simulation, wishes) as look:
            outcome = simulation.play(look)
        try:
            simulation.compare(outcome, before)
        except SimulationError as error:
            outcome.troubles.append(f"The reports cannot be read: {error}")
        except KeyboardInterrupt:
            outcome.troubles.append("The reports were not compared.")
        if outcome.played:
            click.echo("\n" + table(outcome) + "\n")
        click.echo("\n".join(closing(outcome)))
        return outcome
    finally:
        simulation.close()


@contextmanager
def _progress(simulation: Simulation, wishes: Wishes) -> Iterator[Callable[[], None]]:
    """Show how many have been served: a bar on a terminal, else a line for each tenth."""
    if sys.stderr.isatty() and wishes.minutes is None:
        with click.progressbar(length=simulation.expected, label="Visitors", file=sys.stderr, show_pos=True) as bar:
            yield lambda: bar.update(simulation.ended - bar.pos)
        return
    shown = [0]

    def look() -> None:
        ended = simulation.ended
        if ended >= shown[0] + max(1, simulation.expected * PLAIN_STEP):
            shown[0] = ended
            of = "" if wishes.minutes is not None else f" of {simulation.expected}"
            _tell(f"{ended}{of} visitors")

    yield look


def _tell(line: str) -> None:
    click.echo(line, err=True)
