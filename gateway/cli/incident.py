"""`kuva incident`: what waits for a person, and how it ends."""

import getpass
from enum import Enum
from typing import Annotated, Any

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Exit, Json, fail, output, print_json, settings_of, size, table
from gateway.cli.values import uid, words
from gateway.model.incident import IncidentKind

app = typer.Typer(no_args_is_help=True, help="List, show and resolve incidents.")


class State(Enum):
    """Which incidents are listed."""

    OPEN = "open"
    RESOLVED = "resolved"
    ALL = "all"


class Preferred(Enum):
    """Which of two contents that had both been answered 0000H."""

    KEPT = "kept"
    NEWCOMER = "newcomer"


Number = Annotated[int, typer.Argument(min=1, max=10**18 - 1, help="The incident's id.")]


@app.command("list")
def list_(
    *,
    state: Annotated[State, typer.Option(help="Which of them.")] = State.OPEN,
    kind: Annotated[IncidentKind | None, typer.Option(help="Only of this kind.")] = None,
    study: Annotated[str | None, typer.Option(help="Study Instance UID.", parser=uid, metavar="UID")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 3 if there are any.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List incidents, newest first.

    Example: kuva incident list --kind quarantine
    """
    query = {"state": state.value, "kind": kind and kind.value, "study": study, "limit": limit}
    found = ask(settings_of(config, data).data, "/incidents", query=query)
    if json:
        print_json(found)
    else:
        shown = table(">Id", "Kind", "Outcome", "SOP Instance UID", "From", "Differs in", "Opened")
        for one in found:
            sender = one["newcomer"]["sender"]["calling"] if one["newcomer"] else ""
            shown.add_row(
                str(one["id"]), one["kind"], one["resolution"] or one["state"], one["sop_uid"], sender,
                _summary(one), one["opened_at"],
            )  # fmt: skip
        output.print(shown if found else "no incidents")
    if found and exit_code:
        raise typer.Exit(Exit.ATTENTION)


@app.command()
def show(
    number: Number,
    *,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one incident, with the field-level difference of a quarantined newcomer.

    Example: kuva incident show 7
    """
    one = ask(settings_of(config, data).data, f"/incidents/{number}")
    if json:
        return print_json(one)
    output.print(f"Incident {one['id']}: {one['kind']}, {one['state']}")
    for name, value in _facts(one):
        output.print(f"  {name:<18} {value}", soft_wrap=True)
    if one["difference"]:
        shown = table("Element", "", "Kept", "Newcomer", title="\nHow the newcomer differs from what is kept")
        for item in one["difference"]:
            shown.add_row(item["path"], item["kind"], item["before"], item["after"])
        output.print(shown)
    elif one["difference"] is None and one["kind"] == "quarantine":
        output.print("  not compared yet")
    return None


@app.command()
def resolve(
    number: Number,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept for ever.", parser=words, metavar="TEXT")],
    discard: Annotated[
        bool, typer.Option("--discard", help="Give the quarantined newcomer up (it never got 0000H).")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep both as they are; of a damaged instance: it is known as lost, until it is sent again.",
        ),
    ] = False,
    prefer: Annotated[
        Preferred | None, typer.Option(help="Of a disputed UID: which content is the instance.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Who decides; default: who you are logged in as.", parser=words, metavar="NAME"),
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Resolve an incident. Only what never got 0000H may be discarded; the reason is kept.

    Example: kuva incident resolve 7 --discard --reason "sent by mistake, sender confirmed"
    """
    chosen = [how for how, said in (("discard", discard), ("keep", keep)) if said]
    chosen += [f"prefer_{prefer.value}"] if prefer else []
    if len(chosen) != 1:
        fail("say one of --discard, --keep and --prefer", Exit.USAGE)
    body = {"resolution": chosen[0], "reason": reason, "by": by or _who()}
    resolved = ask(settings_of(config, data).data, f"/incidents/{number}/resolve", body=body)
    if json:
        return print_json(resolved)
    output.print(f"incident {number}: {resolved['resolution']}, by {resolved['resolved_by']}")
    if discard and not resolved["discarded_at"]:
        output.print("decided; its node discards the bytes as soon as it can (see the incident, and the log)")
    return None


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        fail("say who decides: --by NAME", Exit.USAGE)


def _summary(one: dict[str, Any]) -> str:
    difference = one["difference"]
    if difference is None:
        return "not compared" if one["kind"] == "quarantine" else ""
    if not difference:
        return "nothing"
    more = f" and {len(difference) - 1} more" if len(difference) > 1 else ""
    return f"{difference[0]['path']}{more}"


def _facts(one: dict[str, Any]) -> list[tuple[str, object]]:
    place = "{node}/{epoch}/{position}"
    facts: list[tuple[str, object]] = [
        ("reason", one["reason"]), ("study", one["study_uid"]), ("SOP instance", one["sop_uid"]),
        ("vault", one["vault"]), ("opened", one["opened_at"]),
        ("damaged" if one["kind"] == "damaged" else "newcomer", place.format(**one["receive_id"])),
    ]  # fmt: skip
    if one["kept"]:
        facts.append(("kept", place.format(**one["kept"])))
    if one["newcomer"]:
        sender = one["newcomer"]["sender"]
        facts.append(("sent by", f"{sender['calling']} at {sender['address']} to {sender['called']}"))
        facts.append(("size", size(one["newcomer"]["length"])))
    if one["resolution"]:
        facts.append(("resolved", f"{one['resolution']} by {one['resolved_by']} at {one['resolved_at']}"))
        facts.append(("because", one["resolution_reason"]))
    if one["rescued"]:
        facts.append(("kept again", place.format(**one["rescued"])))
    if one["resolution"] == "discard":
        facts.append(
            ("bytes", f"discarded at {one['discarded_at']}" if one["discarded_at"] else "not discarded yet")
        )
    return facts
