"""Speaking: other people's words are printed, and steer nothing."""

from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.cli.speaking import printable


def test_what_would_steer_a_terminal_is_made_visible() -> None:
    assert printable("å\n\x1b[31m\x00") == "å\n\\x1b[31m\\x00"


def test_keys_that_look_like_markup_are_told_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "kuva.toml"
    path.write_text('"[/nope]" = 1\n"\\u001b[31mred" = 1\n')
    result = CliRunner().invoke(app, ["config", "check", str(path)])
    assert result.exit_code == 2
    assert "[/nope]: unknown key" in result.stderr
    assert "\\x1b[31mred: unknown key" in result.stderr
