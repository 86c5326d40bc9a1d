"""`kuva journal`: the running node's journal."""

from typing import Annotated

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Json, output, print_json, settings_of, size, table

app = typer.Typer(no_args_is_help=True, help="Look at the node's journal.")


@app.command()
def show(
    *,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Newest instances to list.")] = 20,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show the journal's state and room, its counters, and the newest instances in it.

    Example: kuva journal show --limit 5
    """
    found = ask(settings_of(config, data).data, "/journal", query={"limit": limit})
    if json:
        return print_json(found)
    space = found["space"]
    state = "takes instances" if space["writable"] else f"READ-ONLY: {space['why']}"
    output.print(f"Node {found['node']}, epoch {found['epoch']}: {state}")
    output.print(
        f"  {space['fill']:.1%} of {size(space['capacity'])} in use "
        f"({size(space['live'])} live, {size(space['dead'])} dead), written {space['write_mode']}",
    )
    for name, value in found["counters"].items():
        output.print(f"  {name.replace('_', ' '):<28} {value:>14,}")
    newest = table(">Epoch", ">Position", "SOP Instance UID", "Transfer syntax", ">Size", "Verdict")
    for one in found["newest"]:
        newest.add_row(
            str(one["epoch"]), str(one["position"]), one["sop_instance"], one["transfer_syntax"],
            size(one["length"]), one["verdict"],
        )  # fmt: skip
    output.print(newest)
    return None
