"""`kuva volume`: what is kept in the object store."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.asking import ask, fetch
from gateway.cli.exporting import Receiving
from gateway.cli.speaking import Config, Data, Exit, Json, fail, output, print_json, settings_of, size, table
from gateway.cli.values import file, ulid
from gateway.cli.values import uid as study_uid
from gateway.errors import VolumeMismatchError

app = typer.Typer(no_args_is_help=True, help="Look at volumes: the TAR files in which studies are kept.")

Id = Annotated[str, typer.Argument(help="The volume's id.", parser=ulid, metavar="ID")]


@app.command("list")
def list_(
    *,
    study: Annotated[
        str | None, typer.Option(help="Of this study, abandoned ones too.", parser=study_uid, metavar="UID")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="planned, stored, verified, abandoned or all; default: all but abandoned."),
    ] = None,
    damaged: Annotated[bool, typer.Option("--damaged", help="Only what a check found damaged.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    after: Annotated[
        str | None, typer.Option(help="Where the page before ended.", parser=ulid, metavar="ID")
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List volumes, newest first.

    Example: kuva volume list --state abandoned
    """
    query = {
        "study": study, "state": state, "limit": limit, "after": after, "damaged": "yes" if damaged else None,
    }  # fmt: skip
    found = ask(settings_of(config, data).data, "/volumes", query=query)
    if json:
        return print_json(found)
    shown = table("Volume", "State", "Study Instance UID", ">Instances", ">Size", "Planned", "")
    for one in found:
        shown.add_row(
            one["id"], _state(one), one["study_uid"], str(one["instances"]), size(one["length"] or 0),
            one["planned_at"], one["reason"] or one["damage"],
        )  # fmt: skip
    output.print(shown if found else "no volumes")
    if study is None and len(found) == limit:
        output.print(f"more: --after {found[-1]['id']}")
    return None


@app.command()
def show(volume: Id, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Show one volume: what it is, how far it is, where it lies.

    Example: kuva volume show 01K9RZ4M2Y8Q3T5V7W9X1Z3B5D
    """
    one = ask(settings_of(config, data).data, f"/volumes/{volume}")
    if json:
        return print_json(one)
    output.print(f"Volume {one['id']}: {_state(one)}")
    for name, value in _facts(one):
        output.print(f"  {name:<18} {value}", soft_wrap=True)
    return None


@app.command()
def check(volume: Id, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Read a volume from its medium, all of it, and compare it with its own manifests and with the catalogue.

    Exit code 3 if anything differs; from then on nothing rests on that volume.

    Example: kuva volume check 01K9RZ4M2Y8Q3T5V7W9X1Z3B5D
    """
    found = ask(settings_of(config, data).data, f"/volumes/{volume}/check", body={})
    if json:
        print_json(found)
    elif not found["findings"]:
        output.print(
            f"volume {volume}: {found['instances']} instances, {size(found['length'])}, all as it should be"
        )
    else:
        for finding in found["findings"]:
            output.print(f"volume {volume}: {finding}", style="red", soft_wrap=True)
    if found["findings"]:
        raise typer.Exit(Exit.ATTENTION)


@app.command()
def export(
    volume: Id,
    *,
    to: Annotated[
        Path | None, typer.Option(help="File to write; default: ID.tar here.", parser=file, metavar="FILE")
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy a volume's TAR file out, checked on the way. It is a BagIt bag: `tar` and `sha256sum` can read it.

    Example: kuva volume export 01K9RZ4M2Y8Q3T5V7W9X1Z3B5D --to study.tar
    """
    folder = settings_of(config, data).data
    one = ask(folder, f"/volumes/{volume}")
    target = to or Path(f"{volume}.tar")
    if target.exists():
        fail(f"{target} is there already; nothing is overwritten", Exit.USAGE)
    try:
        with Receiving(target, expected=one["digest"]) as receiving:
            fetch(folder, f"/volumes/{volume}/tar", receiving.take)
            receiving.finish()
    except VolumeMismatchError as error:
        fail(f"volume {volume} is damaged, and nothing was kept of it: {error}")
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror or error}")
    done = {
        "volume": volume,
        "file": os.fspath(target),
        "length": one["length"],
        "study_uid": one["study_uid"],
    }
    if json:
        return print_json(done)
    output.print(f"{target}: {size(one['length'])}, checked", soft_wrap=True)
    return None


@app.command()
def retry(
    study: Annotated[str, typer.Argument(help="Study Instance UID.", parser=study_uid, metavar="UID")],
    *,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a volume of what waits of a study, now; also after too many of its volumes failed.

    Example: kuva volume retry 1.2.826.0.1.3680043.8.498.1
    """
    done = ask(settings_of(config, data).data, "/volumes/retry", body={"study": study})
    if json:
        return print_json(done)
    output.print(f"study {study}: a volume is planned")
    return None


def _state(one: dict[str, Any]) -> str:
    words = [one["state"]]
    words += ["quarantined"] if one["kind"] == "quarantined" else []
    words += ["DAMAGED"] if one["damaged_at"] else []
    return ", ".join(words)


def _facts(one: dict[str, Any]) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [
        ("study", one["study_uid"]), ("vault", one["vault"]), ("node", one["node"]), ("key", one["key"]),
        ("instances", f"{one['instances']}, {one['instances'] - one['uncommitted']} of them committed"
         if one["verified_at"] and one["kind"] == "kept" else one["instances"]),
    ]  # fmt: skip
    because = f" ({one['planned_because']})" if one.get("planned_because") else ""
    moments = [(name, one[f"{name}_at"]) for name in ("planned", "stored", "verified", "abandoned")]
    facts += [(name, f"{at}{because if name == 'planned' else ''}") for name, at in moments if at]
    if one["length"]:
        facts += [("size", size(one["length"])), ("digest", one["digest"])]
    if one["received_from"]:
        facts.append(("received", f"{one['received_from']} to {one['received_to']}"))
    others = (("because", "reason"), ("damaged", "damage"), ("superseded by", "superseded_by"))
    return facts + [(name, one[key]) for name, key in others if one[key]]
