"""`kuva ae`: who may associate, and which vault is theirs."""

from enum import Enum
from typing import Annotated, Any

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Json, output, print_json, settings_of, table
from gateway.cli.values import ae_title, words
from gateway.model.association import ReportMode, Role
from gateway.model.refusal import Preset, Severity

app = typer.Typer(no_args_is_help=True, help="Application entities and their grants.")

SHOWN = {
    "transfer_syntax_preference": "prefer",
    "idle_seconds": "idle-seconds",
    "rule_preset": "preset",
    "rule_overrides": "rules",
    "report_host": "report-host",
    "report_port": "report-port",
    "report_mode": "report-mode",
    "parking_seconds": "parking-seconds",
}
"""Recorded fields as the options call them, where they differ."""

Calling = Annotated[str, typer.Argument(help="Calling AE title.", parser=ae_title, metavar="CALLING")]


class Reset(Enum):
    """Options that can go back to their defaults."""

    DESCRIPTION = "description"
    IDLE_SECONDS = "idle-seconds"
    PREFER = "prefer"
    PRESET = "preset"
    RULES = "rules"
    REPORT_HOST = "report-host"
    REPORT_PORT = "report-port"
    REPORT_MODE = "report-mode"
    PARKING_SECONDS = "parking-seconds"


Vault = Annotated[
    str | None,
    typer.Option(
        help="Vault, by name or id; made if there is none of that name. Default: the one it has.",
        parser=words, metavar="VAULT",
    ),
]  # fmt: skip
Called = Annotated[
    str | None, typer.Option(help="Called AE title; default: our first.", parser=ae_title, metavar="TITLE")
]
Granted = Annotated[
    Role | None, typer.Option("--role", help="processor: on behalf of the vault's owner. A new grant: own.")
]
IdleSeconds = Annotated[
    float | None, typer.Option(min=1, max=24 * 3600, help="Idle time of its associations.")
]
Rules = Annotated[
    list[str] | None,
    typer.Option(help="CODE=refuse or CODE=flag, over the preset; may be repeated.", metavar="CODE=HOW"),
]
Prefer = Annotated[
    list[str] | None,
    typer.Option(
        help="Transfer syntax to prefer, by UID or keyword; may be repeated, in order.",
        parser=words, metavar="SYNTAX",
    ),
]  # fmt: skip
ReportHost = Annotated[
    str | None,
    typer.Option(
        help="Where it takes reports of storage commitment, name or address.", parser=words, metavar="HOST"
    ),
]
ReportPort = Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of that; default: 104.")]
Mode = Annotated[
    ReportMode | None,
    typer.Option(
        help="Association for reports: the one it asked on, a new one of ours, or the one and then the other."
    ),
]
ParkingSeconds = Annotated[
    float | None,
    typer.Option(min=0, max=24 * 3600, help="How long its requests wait for what is not verified yet."),
]


@app.command()
def add(
    calling: Calling,
    *,
    vault: Vault = None,
    called: Called = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    role: Granted = None,
    idle_seconds: IdleSeconds = None,
    preset: Annotated[Preset | None, typer.Option(help="Content rules to begin with.")] = None,
    rule: Rules = None,
    prefer: Prefer = None,
    report_host: ReportHost = None,
    report_port: ReportPort = None,
    report_mode: Mode = None,
    parking_seconds: ParkingSeconds = None,
    reset: Annotated[
        list[Reset] | None, typer.Option(help="What goes back to its default; may be repeated.")
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Grant a caller a vault, or change what is recorded of it. Takes effect at its next association.

    Options that are not given leave what is recorded as it is; --rule changes the rules that it names,
    --prefer the whole list. A caller has one vault for each called AE title at a time.

    Example: kuva ae add CT_ROOM1 --vault "District hospital" --preset migration --report-host 10.1.2.3
    """
    body = {
        "calling": calling, "called": called, "vault": vault, "description": description,
        "role": role and role.value, "idle_seconds": idle_seconds, "preset": preset and preset.value,
        "rules": dict(map(_severity, rule)) if rule else None, "prefer": prefer or None,
        "report_host": report_host, "report_port": report_port,
        "report_mode": report_mode and report_mode.value, "parking_seconds": parking_seconds,
        "reset": [one.value for one in reset] if reset else None,
    }  # fmt: skip
    granted = ask(settings_of(config, data).data, "/ae", body=body)
    if json:
        return print_json(granted)
    return _tell(granted)


@app.command()
def end(
    calling: Calling,
    *,
    called: Annotated[
        str | None,
        typer.Option(help="Only its grants for this called AE title.", parser=ae_title, metavar="TITLE"),
    ] = None,
    vault: Annotated[
        str | None,
        typer.Option(help="Only its grants to this vault, by name or id.", parser=words, metavar="VAULT"),
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """End a caller's grants, all or some, from now on. They stay listed, with --all, for history.

    Takes effect at the caller's next association; one that is open goes on.

    Example: kuva ae end CT_ROOM1 --called KUVA
    """
    body = {"calling": calling, "called": called, "vault": vault}
    found = ask(settings_of(config, data).data, "/ae/end", body=body)
    if json:
        return print_json(found)
    names = _names(found)
    for grant in found["ended"]:
        name = names.get(grant["vault"], grant["vault"])
        output.print(f"{calling} -> {grant['called']}, vault {name}: ended {grant['valid_until']}")
    return None


@app.command("list")
def list_(
    *,
    ended: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the grants that are in force or yet to come.

    Example: kuva ae list --all
    """
    found = ask(settings_of(config, data).data, "/ae", query={"ended": 1 if ended else None})
    if json:
        return print_json(found)
    names = _names(found)
    shown = table("Calling", "Called", "Vault", "Role", "Rules", ">Idle s", "From", "Until", "Description")
    for grant in found["grants"]:
        caller = grant["caller"]
        own = [f"{code}={how}" for code, how in caller["rule_overrides"]]
        rules = [caller["rule_preset"] or "profile's", *own]
        shown.add_row(
            caller["title"], grant["called"], names.get(grant["vault"], grant["vault"]), grant["role"],
            ", ".join(rules), "" if caller["idle_seconds"] is None else f"{caller['idle_seconds']:g}",
            grant["valid_from"], grant["valid_until"] or "", caller["description"],
        )  # fmt: skip
    output.print(shown if found["grants"] else "no grants")
    return None


def _severity(text: str) -> tuple[str, str]:
    """CODE=refuse or CODE=flag."""
    code, _, how = text.partition("=")
    if not code or how not in [one.value for one in Severity]:
        raise typer.BadParameter(f"{text[:70]!r}: write CODE=refuse or CODE=flag", param_hint="--rule")
    return code, how


def _names(found: dict[str, Any]) -> dict[str, str]:
    return {vault["id"]: vault["name"] for vault in found["vaults"]}


def _tell(granted: dict[str, Any]) -> None:
    """The grant as it is now, then what was changed to make it so."""
    vault = f"vault {granted['vault_name']} ({'new, ' if granted['vault_made'] else ''}{granted['vault']})"
    until = f", until {granted['valid_until']}" if granted["valid_until"] else ""
    title = granted["caller"]["title"]
    output.print(f"{title} may associate with {granted['called']}; {vault}{until}", soft_wrap=True)
    for change in granted["changes"]:
        name = SHOWN.get(change["name"], change["name"])
        output.print(f"  {name}: {_words(change['before'])} -> {_words(change['after'])}", soft_wrap=True)
    if not granted["new"] and not granted["changes"]:
        output.print("  all of it was recorded already; nothing is changed")


def _words(value: object) -> str:
    """A recorded value for people; the default is said as such."""
    if isinstance(value, list):
        value = ", ".join("=".join(one) if isinstance(one, list) else str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value or "(default)")
