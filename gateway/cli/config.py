"""`kuva config`: what is set, and whether it is right."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.speaking import Config, Data, Json, output, plain_errors, print_json, settings_of

app = typer.Typer(no_args_is_help=True, help="Show and check the settings.")


@app.command()
def show(*, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Print every setting in force with its meaning, as a kuva.toml; passwords are masked.

    Example: kuva config show > kuva.toml
    """
    settings = settings_of(config, data)
    if json:
        print_json(settings.model_dump(mode="json"))
    else:
        output.print(settings.render(), end="", soft_wrap=True)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="The settings file (kuva.toml).")], *, json: Json = False
) -> None:
    """Check a settings file, its profile included, without starting anything.

    Example: kuva config check kuva.toml
    """
    from gateway.app import profile_of

    settings = settings_of(config)
    with plain_errors():
        profile = profile_of(settings)
    if json:
        print_json({"ok": True, "config": str(config), "profile": profile.lineage})
    else:
        output.print(f"{config}: good; profile {' <- '.join(profile.lineage)}")
