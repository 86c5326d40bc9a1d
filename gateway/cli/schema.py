"""`kuva schema`: the catalogue's schema."""

import asyncio

import typer

from gateway.cli.speaking import Config, Exit, Json, fail, output, plain_errors, print_json, settings_of

app = typer.Typer(no_args_is_help=True, help="Bring the catalogue's schema up to date.")


@app.command()
def migrate(*, config: Config = None, json: Json = False) -> None:
    """Bring the schema of one's own PostgreSQL up to date (an embedded one does so by itself at start).

    Example: kuva schema migrate --config kuva.toml
    """
    from gateway.catalogue import Address
    from gateway.catalogue.migrator import migrate as run

    dsn = settings_of(config).catalogue.migration_dsn
    if dsn is None:
        fail(
            "catalogue.migration_dsn is not set: the URL of the role that owns the schema. "
            "Without catalogue.dsn there is nothing to do: an embedded PostgreSQL migrates itself at start.",
            Exit.USAGE,
        )
    with plain_errors():
        applied = [str(step) for step in asyncio.run(run(Address(dsn=dsn.get_secret_value())))]
    if json:
        print_json({"applied": applied})
    else:
        output.print("\n".join(f"applied {step}" for step in applied) or "up to date", markup=False)
