"""Sending: what is grouped, what is remembered."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import sending as room
from gateway.cli.send import _tell
from gateway.cli.sending import (
    CONTEXTS_MAX,
    File,
    Outcome,
    Report,
    ResumeList,
    ResumeListError,
    Sender,
    _contexts,
    _groups,
    read,
    walk,
)
from tests.instances import ct


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


def test_what_is_no_dicom_and_what_cannot_be_read_are_told_apart(tmp_path: Path):
    good = ct().write(tmp_path)
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "short").write_bytes(bytes(128) + b"DIC")
    (tmp_path / "torn.dcm").write_bytes(good.read_bytes()[:150])
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: whoever opens it waits for ever
    reading = read(walk([tmp_path]))
    assert [file.path for file in reading.files] == [good]
    assert {Path(one.path).name for one in reading.not_dicom} == {"notes.txt", "short", "pipe"}
    assert {Path(one.path).name for one in reading.unreadable} == {"torn.dcm", "dangling"}


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").touch()

    def closed(path: Any) -> Any:
        if os.fspath(path).endswith("a"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", closed)  # whoever runs this may be root, who reads everything
    told: list[Outcome] = []
    assert [path.name for path in walk([tmp_path], told.append)] == ["b"]
    (outcome,) = told
    assert outcome.path == str(tmp_path / "a")
    assert outcome.comment == "folder cannot be read: Permission denied"


def test_a_name_that_is_not_utf8_is_read_and_remembered(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"\xff.dcm")
    shutil.move(ct().write(tmp_path), path)
    assert [file.path for file in read([path]).files] == [path]
    before = ResumeList(tmp_path / "list")
    before.add(Outcome(str(path), "1.2", 0, ""))
    before.close()
    after = ResumeList(tmp_path / "list")
    assert path in after
    after.close()


def test_a_file_that_is_gone_is_neither_known_nor_a_fault_of_the_list(tmp_path: Path):
    kept = tmp_path / "a"
    kept.touch()
    listed = ResumeList(tmp_path / "list")
    listed.add(Outcome(str(kept), "1.2", 0, ""))
    listed.add(Outcome(str(tmp_path / "gone"), "1.2", 0, ""))
    listed.close()
    again = ResumeList(tmp_path / "list")
    assert kept in again
    kept.unlink()
    assert kept not in again
    again.close()


def test_a_list_that_cannot_be_kept_is_an_error_of_ours(tmp_path: Path):
    with pytest.raises(ResumeListError, match="No such file or directory"):
        ResumeList(tmp_path / "nowhere" / "list")
    full = ResumeList(None)
    full._file = Path("/dev/full").open("ab")  # noqa: SIM115 - closed by the list
    with pytest.raises(ResumeListError, match="No space left on device"):
        full.add(Outcome(str(tmp_path), "1.2", 0, ""))
    with pytest.raises(ResumeListError, match="No space left on device"):
        full.close()


async def test_a_worker_that_opens_when_all_is_taken_just_releases(monkeypatch: pytest.MonkeyPatch):
    """Two workers for two files: one of them takes both while the other is still being accepted."""
    released = 0

    async def opened(self: Sender, contexts: Sequence[object]) -> object:
        if not waiting_room:
            waiting_room.append("first")
            await room.asyncio.sleep(0)  # the other begins to open
            return object()
        while len(told) < 2:
            await room.asyncio.sleep(0)
        return object()

    async def release(association: object) -> None:
        nonlocal released
        released += 1

    async def sent(self: room._Worker, association: object, file: File) -> None:
        self._sender.tell(file, 0, "")

    waiting_room: list[str] = []
    told: list[Outcome] = []
    monkeypatch.setattr(Sender, "open", opened)
    monkeypatch.setattr(room, "release", release)
    monkeypatch.setattr(room._Worker, "_send", sent)
    sender = Sender(host="", port=1, called="A", calling="B", associations=2, on_outcome=told.append)
    await sender.send([file(1, "1.2"), file(2, "1.2")])
    assert (len(told), released) == (2, 2)


def test_failures_are_told_with_what_is_known_of_each_in_lines_of_their_own(
    capsys: pytest.CaptureFixture[str],
):
    failed = [
        Outcome("a [b].dcm", "1.2", 0xC0D1, "kept already with other content", sent=True),
        Outcome("b.dcm", "1.2", None, "no answer in time", sent=True),
        Outcome("c.dcm", "1.2", None, "the peer does not accept this SOP class"),
    ]
    _tell(Report(failed=failed, left=7, ended="nobody listens"), 1.0)
    told = capsys.readouterr().out.splitlines()
    at = told.index("3 were not acknowledged:")
    assert told[at + 1 : at + 7] == [
        "a [b].dcm", "  C0D1H conflicting content: kept already with other content",
        "b.dcm", "  no answer: no answer in time",
        "c.dcm", "  not sent: the peer does not accept this SOP class",
    ]  # fmt: skip
    assert "7 not tried, since sending ended: nobody listens" in told
