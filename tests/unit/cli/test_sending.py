"""Sending: what is grouped, what is remembered."""

from collections import deque
from pathlib import Path

import pytest

from gateway.cli import sending
from gateway.cli.sending import CONTEXTS_MAX, File, Outcome, ResumeList, _contexts, _groups, walk


def file(number: int, sop_class: str, syntax: str = "1.2") -> File:
    return File(Path(f"{number}.dcm"), sop_class, f"1.{number}", syntax, 10)


def test_an_association_never_proposes_more_contexts_than_it_may():
    files = [file(n, f"1.2.{n % 300}", f"1.{n % 2}") for n in range(1_000)]
    groups = list(_groups(files))
    assert sorted(f.sop_instance for g in groups for f in g) == sorted(f.sop_instance for f in files)
    for group in groups:
        contexts = _contexts(group)
        assert len(contexts) <= CONTEXTS_MAX
        assert [number for number, _, _ in contexts] == list(range(1, 2 * len(contexts), 2))
        kinds = {(f.sop_class, f.transfer_syntax) for f in group}
        assert {(abstract, syntaxes[0]) for _, abstract, syntaxes in contexts} == kinds


def test_an_acknowledged_file_is_skipped_until_it_changes(tmp_path: Path):
    listed, sent = tmp_path / "resume", tmp_path / "a.dcm"
    sent.write_bytes(b"one")
    before = ResumeList(listed)
    assert sent not in before
    before.add(Outcome(str(sent), "1.2", 0, ""))
    before.close()
    after = ResumeList(listed)
    assert sent in after
    sent.write_bytes(b"another")
    assert sent not in after
    after.close()


def test_a_list_that_was_cut_off_still_serves(tmp_path: Path):
    listed, sent = tmp_path / "resume", tmp_path / "a.dcm"
    sent.write_bytes(b"one")
    kept = ResumeList(listed)
    kept.add(Outcome(str(sent), "1.2", 0, ""))
    kept.close()
    with listed.open("ab") as end:
        end.write(b'{"path": "/b.dcm", "len')
    again = ResumeList(listed)
    assert sent in again
    again.close()


def test_success_and_warning_are_acknowledged_and_nothing_else():
    acknowledged = [
        s for s in (0, 0xB000, 0xB007, 0xA700, 0xC0D1, 0x0122, None) if Outcome("", "", s, "").acknowledged
    ]
    assert acknowledged == [0, 0xB000, 0xB007]


def test_folders_are_walked_in_order(tmp_path: Path):
    for name in ("b/2", "b/1", "a/9", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in walk([tmp_path])]
    assert names == ["c", "a/9", "b/1", "b/2"]


async def test_an_association_that_comes_when_all_is_sent_is_only_released(monkeypatch: pytest.MonkeyPatch):
    waiting = deque([file(1, "1.2.3")])
    released = []

    class SlowPeer:
        async def open(self, contexts: object) -> str:
            waiting.clear()  # another association sent the rest while this one waited for its turn
            return "association"

    async def release(association: str) -> None:
        released.append(association)

    monkeypatch.setattr(sending, "release", release)
    await sending._Worker(SlowPeer(), waiting, []).run()  # type: ignore[arg-type]
    assert released == ["association"]
