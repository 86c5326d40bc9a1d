"""Commands as a hostile newcomer types them: the right exit code, plain words, and never a traceback."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner, Result

import gateway.demo
from gateway.cli.ae import Reset
from gateway.cli.commands import app
from gateway.listeners.callers import RESETS

BRACKETS = "[/red] [bold]x[/bold] :smile:"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("KUVA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def kuva(*words: str) -> Result:
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    return done


def commands(group: click.Command, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from commands(command, *above, name)
        else:
            yield (*above, name), command


def every_command() -> dict[tuple[str, ...], click.Command]:
    whole = typer.Typer()
    whole.add_typer(app, name="kuva")
    whole.command("demo")(gateway.demo.command)
    return dict(commands(typer.main.get_command(whole)))


def test_every_command_has_help_an_example_and_json():
    found = every_command()
    assert ("kuva", "ae", "end") in found
    assert len(found) >= 15
    for words, command in found.items():
        name = " ".join(words)
        assert re.search(rf"Example: (kuva )?{name}\b", command.help or ""), name
        assert any("--json" in parameter.opts for parameter in command.params), name
        undescribed = [one.name for one in command.params if not getattr(one, "help", None)]
        assert not undescribed, (name, undescribed)


WRONG = (
    "serve --port 70000",
    "serve --http-port x",
    "serve --host a..b",
    "send nowhere",
    "send . --to nobody",
    "send . --to :11112",
    "send . --to 127.0.0.1:0",
    "send . --to a..b:104",
    "send . --calling A\\B",
    "send . --called SEVENTEEN_LETTERS",
    "send . --associations 0",
    "send . --resume .",
    "send . --resume nowhere/list",
    "send . --resume /dev/null",
    "study list --date-from 20260230",
    "study list --date-to 2026-01-01",
    "study list --limit 0",
    "study list --after -1",
    "study show ../incidents",
    "study show 1.2.x",
    "incident list --state ajar",
    "incident list --kind unkind",
    "incident list --study x",
    "incident show 0",
    "incident show 1000000000000000000",
    "incident show x",
    "incident resolve 1 --reason x",
    "incident resolve 1 --reason x --keep --discard",
    "journal show --limit -1",
    "ae add A\\B --vault v",
    "ae add A --role owner",
    "ae add A --preset lax",
    "ae add A --rule tag-order",
    "ae add A --rule tag-order=ignore",
    "ae add A --rule =flag",
    "ae add A --reset everything",
    "ae add A --idle-seconds 0",
    "ae add A --idle-seconds nan",
    "ae add A --idle-seconds inf",
    "ae add A --called A\\B",
    "ae end A\\B",
    "ae list --data kuva.lock",
    "config show --config nowhere",
    "config check nowhere",
    "config check .",
    "schema migrate",
    "nonsense",
)


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_is_2(line: str, tmp_path: Path):
    (tmp_path / "kuva.lock").touch()
    done = kuva(*line.split(" "))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip()


@pytest.mark.parametrize(
    "line",
    ["study list --patient-id", "study list --patient-name", "study list --accession-number",
     "incident resolve 1 --keep --reason", "incident resolve 1 --keep --reason x --by", "ae add A --vault",
     "ae end A --called", "study list --data", "study show", "serve --host", "send . --calling"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["", "\x1b[31m\x00"])
def test_an_empty_value_or_one_of_control_characters_is_2(line: str, value: str):
    done = kuva(*line.split(" "), value)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "\x1b" not in done.stderr


ASKING = ("study list", "study show 1.2", "incident list", "incident show 1", "journal show", "ae list",
          "incident resolve 1 --keep --reason x", "ae add A --vault v", "ae end A")  # fmt: skip


@pytest.mark.parametrize("line", ASKING)
@pytest.mark.parametrize("how", [(), ("--json",)])
def test_without_a_gateway_it_is_4_and_standard_output_is_empty(line: str, how: tuple[str, ...]):
    done = kuva(*line.split(" "), *how, "--data", BRACKETS)
    assert (done.exit_code, done.stdout) == (4, "")
    assert BRACKETS in done.stderr  # control: square brackets are shown as they are


def test_findings_with_square_brackets_are_shown_as_they_are(tmp_path: Path):
    wrong = tmp_path / "[x] kuva.toml"
    wrong.write_text('[dicom]\n"[/red]" = 1\nhost = 3\n')
    for words in (("config", "check", str(wrong)), ("serve", "--config", str(wrong))):
        done = kuva(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "[x] kuva.toml" in done.stderr
        assert "dicom.[/red]: unknown key" in done.stderr


def test_settings_with_square_brackets_are_printed_as_they_are(tmp_path: Path):
    config = tmp_path / "kuva.toml"
    config.write_text(f'[node]\nname = "{BRACKETS}"\n')
    assert BRACKETS in kuva("config", "show", "--config", str(config)).stdout
    again = kuva("config", "show", "--config", str(config), "--json")
    assert json.loads(again.stdout)["node"]["name"] == BRACKETS


def test_what_can_be_reset_is_what_the_gateway_resets():
    assert {one.value for one in Reset} == set(RESETS)


@pytest.mark.parametrize(
    "words",
    [
        ["send", ""],
        ["send", "/nowhere/at/all"],
        ["demo", "--folder", ""],
        ["bench", "--peers", "nosuch"],
        ["bench", "--workload", "nosuch"],
        ["bench", "--associations", "x"],
    ],
    ids=" ".join,
)
def test_a_word_that_names_nothing_is_wrong_usage(words: list[str]):
    assert kuva(*words).exit_code == 2


def test_a_range_of_dates_that_ends_before_it_begins_is_told_before_anything_is_asked(tmp_path: Path):
    words = ["study", "list", "--date-from", "20260102", "--date-to", "20260101", "--data", str(tmp_path)]
    asked = CliRunner().invoke(app, words)
    assert asked.exit_code == 2
    assert "--date-from 20260102 is after --date-to 20260101" in " ".join(asked.output.split())
