"""`kuva` and `python -m gateway`."""

import importlib
import importlib.util
import io
import os
import sys

from gateway.cli.commands import app
from gateway.cli.speaking import Exit, complaint


def main() -> None:
    """Runs the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names are seldom all of an old terminal's set
    if importlib.util.find_spec("gateway.demo") is not None:
        app.command("demo")(importlib.import_module("gateway.demo").command)
    try:
        app(prog_name="kuva")
    except OSError as error:  # a disk that is full, a folder that may not be read
        where = f": {error.filename}" if error.filename else ""
        complaint.print(f"kuva: {error.strerror or error}{where}", style="red", soft_wrap=True)
        os._exit(Exit.FAILED)  # not through standard output's last flush, which may be what failed


if __name__ == "__main__":
    main()
