"""`kuva serve`: runs the gateway until SIGTERM."""

import asyncio
import sys
from dataclasses import asdict
from typing import Annotated

import typer
import uvloop

from gateway.cli.speaking import Config, Data, Json, output, plain_errors, print_json, settings_of
from gateway.cli.values import host as address_of
from gateway.telemetry import set_up_log


def serve(
    *,
    config: Config = None,
    data: Data = None,
    host: Annotated[
        str | None, typer.Option(help="Address for DICOM.", parser=address_of, metavar="HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", "-p", min=0, max=65535, help="Port for DICOM.")
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port for health and metrics.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the gateway: DICOM in, journal, catalogue, C-GET out, health over HTTP.

    Without --config everything is on loopback, in the folder .kuva, with an embedded PostgreSQL, and any
    caller may store. SIGTERM or Ctrl-C lets what is under way finish; a second one hurries.

    Example: kuva serve --data /tmp/archive --port 11112
    """
    from gateway.app import Gateway, Ready  # late: other commands need not load the core

    settings = settings_of(config, data, dicom={"host": host, "port": port}, http={"port": http_port})
    set_up_log(settings.log_level, settings.log_format)
    machine = json or not sys.stdout.isatty()

    def ready(found: Ready) -> None:
        if machine:
            print_json({"event": "ready", **asdict(found)})
        else:
            _tell(found)

    async def run() -> None:
        await Gateway(settings, ready).run()

    with plain_errors(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _tell(found: "object") -> None:
    from gateway.app import Ready

    assert isinstance(found, Ready)
    title = found.ae_titles[0]
    who = "any caller on this machine may store" if found.open_access else "known callers only (kuva ae list)"
    output.print("\nKuvavaranto is ready.\n", style="bold")
    for name, value in (
        (
            "DICOM",
            f"{found.dicom_host}:{found.dicom_port}, called AE title {', '.join(found.ae_titles)}; {who}",
        ),
        ("health", f"http://{found.http_host}:{found.http_port}/health, /ready, /metrics"),
        ("data", f"{found.data} (journal: {found.write_mode}; {found.recovered} instances found in it)"),
        (
            "catalogue",
            "embedded PostgreSQL in the data folder" if found.embedded else "PostgreSQL of the settings",
        ),
        ("node", f"{found.node}, epoch {found.epoch}"),
    ):
        output.print(f"  {name:<10} {value}", soft_wrap=True)
    output.print(
        f"\n  Try: kuva send FOLDER --to {found.dicom_host}:{found.dicom_port} --called {title}\n"
        "  Stop: Ctrl-C\n",
    )
