"""`kuva study`: what studies there are, and all of one."""

from typing import Annotated, Any

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Exit, Json, fail, output, print_json, settings_of, size, table
from gateway.cli.values import date, words
from gateway.cli.values import uid as study_uid

app = typer.Typer(no_args_is_help=True, help="List and show studies.")

PatientId = Annotated[str | None, typer.Option(help="Patient ID, exactly.", parser=words, metavar="ID")]
PatientName = Annotated[
    str | None, typer.Option(help="Beginning of the patient's name.", parser=words, metavar="NAME")
]
AccessionNumber = Annotated[
    str | None, typer.Option(help="Accession number, exactly.", parser=words, metavar="NUMBER")
]
DateFrom = Annotated[str | None, typer.Option(help="Study date from.", parser=date, metavar="YYYYMMDD")]
DateTo = Annotated[str | None, typer.Option(help="Study date to.", parser=date, metavar="YYYYMMDD")]


@app.command("list")
def list_(
    *,
    patient_id: PatientId = None,
    patient_name: PatientName = None,
    accession_number: AccessionNumber = None,
    date_from: DateFrom = None,
    date_to: DateTo = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    after: Annotated[
        int | None, typer.Option(min=0, max=10**18 - 1, help="Where the page before ended.")
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List studies, newest first.

    Example: kuva study list --patient-name mäk
    """
    if date_from and date_to and date_from > date_to:
        fail(f"--date-from {date_from} is after --date-to {date_to}: no study is between", Exit.USAGE)
    query = {
        "patient_id": patient_id, "patient_name": patient_name, "accession_number": accession_number,
        "date_from": date_from, "date_to": date_to, "limit": limit, "after": after,
    }  # fmt: skip
    page = ask(settings_of(config, data).data, "/studies", query=query)
    if json:
        return print_json(page)
    shown = table(
        "Study Instance UID", "Vault", "Patient ID", "Patient", "Date", "Modality", ">Instances", ">Size"
    )
    for study in page["studies"]:
        of = study["attributes"]
        shown.add_row(
            study["uid"], page["vaults"][study["vault"]], of["patient_id"], of["patient_name"],
            of["study_date"], of["modality"], str(study["instances"]), size(study["length"]),
        )  # fmt: skip
    output.print(shown if page["studies"] else "no studies")
    if page["after"] is not None:
        output.print(f"more: --after {page['after']}")
    return None


@app.command()
def show(
    uid: Annotated[str, typer.Argument(help="Study Instance UID.", parser=study_uid, metavar="UID")],
    *,
    instances: Annotated[bool, typer.Option("--instances", "-i", help="Each instance too.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show one study: series, instances, bytes, flags, where it lies, whether it can be found.

    Example: kuva study show 1.2.826.0.1.3680043.8.498.1 --instances
    """
    found = ask(settings_of(config, data).data, f"/studies/{uid}")
    if json:
        return print_json(found)
    for one in found:
        _show(one, instances=instances)
    return None


def _show(shown: dict[str, Any], *, instances: bool) -> None:
    study = shown["study"]
    output.print(f"Study {study['uid']} in vault {study['vault']}")
    for name, value in study["attributes"].items():
        if value:
            output.print(f"  {name.replace('_', ' '):<20} {value}")
    found = "findable" if shown["findable"] else "not findable yet"
    output.print(
        f"  {study['instances']} instances, {size(study['length'])}, {found}, since {study['first_seen']}",
    )
    _show_lifecycle(shown["lifecycle"], study["uid"])
    if shown["flags"]:
        output.print(f"  flags: {', '.join(shown['flags'])}")
    series = table("Series Instance UID", "Modality", "Description", ">Number", ">Instances", ">Size")
    for one in shown["series"]:
        number = "" if one["number"] is None else str(one["number"])
        series.add_row(
            one["uid"], one["modality"], one["description"], number, str(len(one["instances"])),
            size(one["length"]),
        )  # fmt: skip
    output.print(series)
    if instances:
        each = table("SOP Instance UID", "Transfer syntax", ">Size", "Flags", "Where")
        for one in shown["series"]:
            for instance in one["instances"]:
                each.add_row(
                    instance["sop_instance"], instance["transfer_syntax"], size(instance["length"]),
                    ", ".join(instance["flags"]), instance["place"],
                )  # fmt: skip
        output.print(each)


def _show_lifecycle(so_far: dict[str, Any], study: str) -> None:
    stages = ("received", "planned", "stored", "verified", "committed")
    output.print("  " + ", ".join(f"{stage} {so_far[stage]}" for stage in stages))
    for wait in so_far["waits"]:
        count = f"{wait['instances']} wait for " if wait["instances"] else "waits for "
        since = f", since {wait['since']}" if wait["since"] else ""
        what = wait["what"].replace("{study}", study)
        output.print(f"  {wait['turn']}'s turn: {count}{what}{since}", soft_wrap=True)
