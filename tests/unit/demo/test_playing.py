"""Playing: the exit code says what happened, and nothing is overwritten."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import typer

from gateway.demo import playing
from gateway.demo.outcome import Outcome
from gateway.demo.running import GatewayFailed

GOOD, BAD = Outcome("good", 3, 100, 1.0), Outcome("bad", 3, 100, 1.0, findings=("a [flipped] byte",))


def played(*outcomes: Outcome | GatewayFailed) -> object:
    async def play(*_: object) -> AsyncIterator[Outcome]:
        for outcome in outcomes:
            if isinstance(outcome, GatewayFailed):
                raise outcome
            yield outcome

    return play


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((GOOD, GOOD), 0),
        ((GOOD, BAD), 3),
        ((GOOD, GatewayFailed("gone")), 1),
        ((BAD, GatewayFailed("gone")), 1),
    ],
)
async def test_the_exit_code_says_what_happened(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
    outcomes: tuple[Outcome | GatewayFailed, ...],
    code: int,
) -> None:
    monkeypatch.setattr(playing, "play", played(*outcomes))
    assert await playing.perform(keep=False, folder=tmp_path, as_json=True) == code
    said = orjson.loads(capfdbinary.readouterr().out)
    assert said["exit"] == code
    assert [act["title"] for act in said["acts"]] == [o.title for o in outcomes if isinstance(o, Outcome)]


async def test_a_mismatch_is_told_word_for_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(playing, "play", played(BAD))
    await playing.perform(keep=False, folder=tmp_path, as_json=False)
    assert "MISMATCH bad: a [flipped] byte" in capfd.readouterr().out


async def test_a_folder_that_holds_an_archive_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(typer.BadParameter):
        await playing.perform(keep=False, folder=tmp_path, as_json=False)


@pytest.mark.parametrize(("outcome", "stays"), [(GOOD, False), (BAD, True)])
async def test_the_temporary_folder_stays_only_as_evidence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcome: Outcome, stays: bool
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(playing, "play", played(outcome))
    monkeypatch.setattr(playing.tempfile, "mkdtemp", lambda **_: str(place))
    await playing.perform(keep=False, folder=None, as_json=False)
    assert place.exists() is stays
