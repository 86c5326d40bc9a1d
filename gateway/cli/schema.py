"""`kuva schema`: the catalogue's schema."""

import asyncio
from typing import Annotated

import typer

from gateway.cli.speaking import Config, Exit, Json, fail, output, plain_errors, print_json, settings_of
from gateway.telemetry import set_up_log

app = typer.Typer(no_args_is_help=True, help="Bring the catalogue's schema up to date.")


@app.command()
def migrate(
    *,
    config: Config = None,
    pre: Annotated[
        bool, typer.Option("--pre", help="Only what the program that still runs can live with.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the schema of one's own PostgreSQL up to date (an embedded one does so by itself at start).

    Example: kuva schema migrate --config kuva.toml
    """
    from gateway.catalogue import Address
    from gateway.catalogue.migrator import migrate as run

    settings = settings_of(config)
    set_up_log(settings.log_level, settings.log_format)
    dsn = settings.catalogue.migration_dsn
    if dsn is None:
        fail(
            "catalogue.migration_dsn is not set: the URL of the role that owns the schema. "
            "Without catalogue.dsn there is nothing to do: an embedded PostgreSQL migrates itself at start.",
            Exit.USAGE,
        )
    with plain_errors():
        address = Address(dsn=dsn.get_secret_value())
        applied = [str(step) for step in asyncio.run(run(address, through="pre" if pre else "post"))]
    if json:
        print_json({"applied": applied})
    else:
        output.print("\n".join(f"applied {step}" for step in applied) or "up to date")
