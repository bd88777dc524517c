"""`gatehouse migrate`: bring the database up to date."""

from __future__ import annotations

import click

from app.adapters.embedded import embedded_stores
from app.adapters.postgres import migrate as runner
from app.settings import Settings


@click.command()
@click.option("--check", is_flag=True, help="Only list what is missing; exit status 1 if anything is.")
@click.pass_context
def migrate(context: click.Context, check: bool) -> None:
    """Apply the SQL migrations that the database lacks, in order, once each."""
    with embedded_stores(Settings.from_environment(), redis=False) as urls:
        if check:
            missing = runner.pending(urls.database)
            for name in missing:
                click.echo(f"pending {name}")
            context.exit(1 if missing else 0)
        applied = runner.migrate(urls.database)
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("the database is up to date")
