"""`kuva refusal`: what a refusal means and whose turn it is, without asking any gateway."""

from dataclasses import asdict
from typing import Annotated

import typer

from gateway.cli.explaining import answer_of, example_comment, facts
from gateway.cli.speaking import Exit, Json, fail, output, print_json, table
from gateway.model.refusal import Family, Refusal
from gateway.settings import nearest
from gateway.wire.dicom.refusals import CATALOGUE

app = typer.Typer(no_args_is_help=True, help="Explain refusals: what a sender was told, and how to mend it.")


@app.command("list")
def list_(
    *,
    family: Annotated[Family | None, typer.Option(help="Only these.")] = None,
    json: Json = False,
) -> None:
    """List every code with what the peer gets and whose turn it is.

    Example: kuva refusal list --family content
    """
    chosen = [refusal for refusal in CATALOGUE.values() if family in (None, refusal.family)]
    if json:
        return print_json({"refusals": [_plain(refusal) for refusal in chosen]})
    shown = table("Code", "Peer gets", "Turn", "What")
    for refusal in chosen:
        shown.add_row(refusal.code, answer_of(refusal), refusal.turn.value, refusal.text)
    return output.print(shown)


@app.command()
def show(
    code: Annotated[str, typer.Argument(help="A code, as the log and `kuva refusal list` write it.")],
    *,
    json: Json = False,
) -> None:
    """Say what a code means, whose turn it is and how to mend it.

    Example: kuva refusal show data-set-truncated
    """
    refusal = CATALOGUE.get(code)
    if refusal is None:
        near = nearest(code, CATALOGUE)
        fail(f"no refusal has the code {code[:70]!r}{near}; `kuva refusal list` has them all", Exit.USAGE)
    if json:
        return print_json(_plain(refusal))
    shown = table("", "", title=refusal.code)
    shown.show_header = False
    for heading, sentence in facts(refusal):
        shown.add_row(heading, sentence)
    return output.print(shown)


def _plain(refusal: Refusal) -> dict[str, object]:
    return {**asdict(refusal), "peer_gets": answer_of(refusal), "comment": example_comment(refusal)}
