"""`kuva commitment`: who asked the archive to answer for what, and whether the answer was taken."""

from typing import Annotated, Any

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Exit, Json, output, print_json, settings_of, table
from gateway.cli.values import ae_title, uid

LISTED_MAX = 50

app = typer.Typer(no_args_is_help=True, help="Storage commitment requests and their reports.")

Number = Annotated[int, typer.Argument(min=1, max=10**18 - 1, help="The request's id.")]


@app.command("list")
def list_(
    *,
    calling: Annotated[
        str | None, typer.Option(help="Only of this caller.", parser=ae_title, metavar="TITLE")
    ] = None,
    transaction: Annotated[
        str | None, typer.Option(help="Transaction UID.", parser=uid, metavar="UID")
    ] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only those without a result.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List storage commitment requests, newest first, and whose turn it is.

    Example: kuva commitment list --pending
    """
    query = {
        "calling": calling,
        "transaction": transaction,
        "pending": 1 if pending else None,
        "limit": limit,
    }
    found = ask(settings_of(config, data).data, "/commitments", query=query)
    if json:
        return print_json(found)
    shown = table(">Id", "From", "Asked", ">Instances", ">Committed", ">Failed", "Waits for")
    for one in found:
        shown.add_row(
            str(one["id"]), one["calling"], one["asked_at"], str(one["instances"]),
            _count(one["committed"]), _count(one["failed"]), one["waits_for"],
        )  # fmt: skip
    output.print(shown if found else "no storage commitment requests")
    return None


@app.command()
def show(number: Number, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Show one request: its result, what failed and why, and what became of its reports.

    Example: kuva commitment show 7
    """
    one = ask(settings_of(config, data).data, f"/commitments/{number}")
    if json:
        return print_json(one)
    output.print(f"Storage commitment {one['id']} of {one['calling']}")
    for name, value in _facts(one):
        output.print(f"  {name:<16} {value}", soft_wrap=True)
    if one["reports"]:
        _print_reports(one["reports"])
    if one["failures"]:
        _print_failures(one)
    return None


@app.command()
def missing(
    *,
    days: Annotated[
        float | None,
        typer.Option(min=0, max=36_500, help="Verified longer ago; default: the profile's time."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many volumes.")] = 100,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 3 if there are any.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List what is kept in verified volumes and was never committed for too long, the oldest first.

    Nothing of it is deleted. Its senders may have forgotten to ask, or may not know how.

    Example: kuva commitment missing
    """
    query = {"days": None if days is None else str(days), "limit": limit}
    found = ask(settings_of(config, data).data, "/commitments/missing", query=query)
    if json:
        print_json(found)
    else:
        _print_missing(found)
    if found["missing"] and exit_code:
        raise typer.Exit(Exit.ATTENTION)


@app.command()
def retry(number: Number, *, config: Config = None, data: Data = None, json: Json = False) -> None:
    """Bring the reports of a request now, also those that were given up.

    Exits 1 if nothing is owed.

    Example: kuva commitment retry 7
    """
    done = ask(settings_of(config, data).data, f"/commitments/{number}/retry", body={})
    if json:
        return print_json(done)
    output.print(f"{done['reports']} report{'s' if done['reports'] != 1 else ''} on the way")
    return None


def _print_missing(found: dict[str, Any]) -> None:
    days = f"{found['after_days']:g} days"
    if not found["missing"]:
        return output.print(f"everything that was verified more than {days} ago is committed")
    shown = table("Vault", "Study", "Volume", ">Instances", "Verified")
    for one in found["missing"]:
        shown.add_row(
            one["vault_name"], one["study_uid"], one["volume"], f"{one['instances']} of {one['of']}",
            one["verified_at"],
        )  # fmt: skip
    output.print(shown)
    return output.print(
        f"verified more than {days} ago and never committed: {found['instances']:,} instances in "
        f"{found['volumes']:,} volume{'s' if found['volumes'] != 1 else ''}"
    )


def _facts(one: dict[str, Any]) -> list[tuple[str, str]]:
    resolved = one["resolved_at"] is not None
    result = f"{one['committed']} committed, {one['failed']} failed" if resolved else "none yet"
    return [
        ("transaction", one["transaction_uid"]),
        ("called", one["called"]),
        ("asked", one["asked_at"]),
        ("deadline", one["deadline_at"]),
        ("instances", str(one["instances"])),
        ("result", f"{result}{', ' + one['resolved_at'] if resolved else ''}"),
        ("waits for", one["waits_for"] or "nothing: the report was taken"),
    ]


def _print_reports(reports: list[dict[str, Any]]) -> None:
    shown = table("Report", "To", ">Attempts", "State", "Last error", title="\nReports")
    for report in reports:
        shown.add_row(
            report["kind"], report["destination"], str(report["attempts"]), _state(report),
            report["last_error"],
        )  # fmt: skip
    output.print(shown)


def _state(report: dict[str, Any]) -> str:
    if report["delivered_at"]:
        return f"delivered {report['delivered_at']}"
    if report["given_up_at"]:
        return "given up: kuva commitment retry"
    return "waits for the store" if report["waits_for_fact"] else f"next try {report['next_attempt_at']}"


def _print_failures(one: dict[str, Any]) -> None:
    failures = one["failures"]
    shown = table("SOP Instance UID", "Reason", title=f"\n{one['failed']} failed")
    for failure in failures[:LISTED_MAX]:
        shown.add_row(failure["sop_instance"], f"{failure['reason']} {failure['words']}")
    output.print(shown)
    if one["failed"] > LISTED_MAX:
        output.print(f"... and {one['failed'] - LISTED_MAX} more; --json lists up to 1,000")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)
