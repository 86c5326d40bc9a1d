"""All commands together."""

import typer

from gateway.cli import ae, commitment, config, incident, journal, refusal, schema, study, volume
from gateway.cli.bench import bench
from gateway.cli.flame import flame
from gateway.cli.rebuild import rebuild
from gateway.cli.send import send
from gateway.cli.serve import serve

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold what patients' data sets say
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Kuvavaranto: an imaging archive that keeps what it acknowledged, and can prove it.\n\n"
    "Exit codes: 0 done; 1 failed; 2 wrong usage or settings; 3 done, but something waits for a person; "
    "4 no gateway runs on that data folder.",
)
app.command()(serve)
app.command()(send)
app.command()(bench)
app.command()(flame)
app.command()(rebuild)
for name, family in (
    ("study", study), ("volume", volume), ("commitment", commitment), ("incident", incident),
    ("journal", journal), ("ae", ae), ("config", config), ("schema", schema), ("refusal", refusal),
):  # fmt: skip
    app.add_typer(family.app, name=name)
