"""`kuva` and `python -m gateway`."""

from gateway.cli.commands import app


def main() -> None:
    """Runs the command line."""
    app(prog_name="kuva")


if __name__ == "__main__":
    main()
