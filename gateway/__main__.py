"""`kuva` and `python -m gateway`."""

import importlib
import importlib.util

from gateway.cli.commands import app


def main() -> None:
    """Runs the command line."""
    if importlib.util.find_spec("gateway.demo") is not None:
        app.command("demo")(importlib.import_module("gateway.demo").command)
    app(prog_name="kuva")


if __name__ == "__main__":
    main()
