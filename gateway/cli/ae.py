"""`kuva ae`: who may associate, and which vault is theirs."""

from typing import Annotated

import typer

from gateway.cli.asking import ask
from gateway.cli.speaking import Config, Data, Exit, Json, fail, output, print_json, settings_of, table

app = typer.Typer(no_args_is_help=True, help="Application entities and their grants.")


@app.command()
def add(
    calling: Annotated[str, typer.Argument(help="Calling AE title.")],
    *,
    vault: Annotated[
        str | None, typer.Option(help="Vault, by name or id; made if there is none of that name.")
    ] = None,
    called: Annotated[str | None, typer.Option(help="Called AE title; default: our first.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    role: Annotated[str, typer.Option(help="own, or processor (on behalf of the vault's owner).")] = "own",
    idle_seconds: Annotated[float | None, typer.Option(min=1, help="Idle time of its associations.")] = None,
    preset: Annotated[str | None, typer.Option(help="Content rules: strict or migration.")] = None,
    rule: Annotated[list[str] | None, typer.Option(help="CODE=refuse or CODE=flag; may be repeated.")] = None,
    prefer: Annotated[
        list[str] | None, typer.Option(help="Transfer syntax to prefer; may be repeated, in order.")
    ] = None,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Grant a caller a vault. Takes effect at its next association.

    Example: kuva ae add CT_ROOM1 --vault "District hospital" --preset migration
    """
    settings = settings_of(config, data)
    pairs = [text.partition("=") for text in rule or []]
    if any(not sign for _, sign, _ in pairs):
        fail("write a rule as CODE=refuse or CODE=flag", Exit.USAGE)
    body = {
        "calling": calling, "called": called or settings.dicom.ae_titles[0], "vault": vault, "role": role,
        "description": description, "idle_seconds": idle_seconds, "rule_preset": preset,
        "rules": {code: how for code, _, how in pairs}, "transfer_syntaxes": prefer or [],
    }  # fmt: skip
    grant = ask(settings.data, "/ae", body=body)
    if json:
        return print_json(grant)
    output.print(
        f"{grant['caller']['title']} may associate with {grant['called']}; vault {grant['vault']}",
        markup=False,
    )
    return None


@app.command("list")
def list_(*, config: Config = None, data: Data = None, json: Json = False) -> None:
    """List the grants.

    Example: kuva ae list
    """
    found = ask(settings_of(config, data).data, "/ae")
    if json:
        return print_json(found)
    names = {vault["id"]: vault["name"] for vault in found["vaults"]}
    shown = table("Calling", "Called", "Vault", "Role", "Rules", ">Idle s", "From", "Until")
    for grant in found["grants"]:
        caller = grant["caller"]
        own = [f"{code}={how}" for code, how in caller["rule_overrides"]]
        rules = [caller["rule_preset"] or "profile's", *own]
        shown.add_row(
            caller["title"], grant["called"], names.get(grant["vault"], grant["vault"]), grant["role"],
            ", ".join(rules), "" if caller["idle_seconds"] is None else f"{caller['idle_seconds']:g}",
            grant["valid_from"], grant["valid_until"] or "",
        )  # fmt: skip
    output.print(shown if found["grants"] else "no grants")
    return None
