"""The commands of ``mpp`` and their help. What they do is elsewhere."""

from __future__ import annotations

import sys

import click

from deploy.cli.audit import audit
from deploy.cli.backup import backup, restore
from deploy.cli.consumers import consumers
from deploy.cli.dead_letters import dead_letters
from deploy.cli.events import events
from deploy.cli.failures import explained
from deploy.cli.holidays import holidays
from deploy.cli.keys import keys
from deploy.cli.operators import operator
from deploy.cli.rebuild import rebuild
from deploy.cli.regency import migrate, regency, seed_command
from deploy.cli.simulate import simulate
from deploy.parts import PARTS
from services.chassis.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="mpp", prog_name="mpp")
def mpp() -> None:
    """The MPP platform: queues of public service malls, for many regencies.

    Commands read MPP_* variables from the environment; `mpp up` needs none.
    """


@mpp.command()
@click.argument("service", type=click.Choice(list(PARTS)))
@explained
def run(service: str) -> None:
    """Run one part of a deployed platform as this process, until SIGTERM.

    Needs MPP_BROKER_URL; a service also its MPP_<SERVICE>_DATABASE_URL; catalog MPP_TOKEN_SECRET;
    ticketing MPP_TICKET_TOKEN_SECRET; notification MPP_ENCRYPTION_KEYS. Health and metrics are served on
    MPP_PROBE_HOST:MPP_PROBE_PORT (9100).
    """
    from deploy.parts import service_class
    from deploy.running import run_part

    sys.exit(run_part(service, service_class))


@mpp.command()
@click.option("--broker", type=click.Choice(["embedded", "rabbitmq"]), default="embedded", show_default=True)
@explained
def up(broker: str) -> None:
    """Run the whole platform in this process, with its own PostgreSQL and demo data.

    MPP_HTTP_PORT (8000), MPP_HTTP_HOST (127.0.0.1) and MPP_DATA_DIR (.mpp) override the defaults. With
    `--broker rabbitmq` a private RabbitMQ carries the messages, so that other programs can subscribe to events.
    """
    from deploy.embedded.installation import Installation
    from deploy.embedded.interruption import Interruption
    from deploy.embedded.platform import run as run_platform

    def progress(line: str) -> None:
        click.echo(line, err=False)
        sys.stdout.flush()

    interruption = Interruption()
    with Installation(Settings.from_environment().data_dir, broker, progress) as installation:
        status = run_platform(installation, progress, heed=interruption.heed)
    click.echo("Stopped.")
    sys.exit(status)


mpp.add_command(migrate)
mpp.add_command(seed_command)
mpp.add_command(regency)
mpp.add_command(holidays)
mpp.add_command(operator)
mpp.add_command(keys)
mpp.add_command(events)
mpp.add_command(consumers)
mpp.add_command(dead_letters)
mpp.add_command(rebuild)
mpp.add_command(simulate)
mpp.add_command(audit)
mpp.add_command(backup)
mpp.add_command(restore)
