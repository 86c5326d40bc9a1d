"""The errors of the core: every class that Rust imports by name exists in the one tree."""

import re
from pathlib import Path

import pytest

from gateway import _core, errors

TABLE = Path(__file__).parents[3] / "rust_core" / "python" / "src" / "error.rs"


def imported() -> list[str]:
    return re.findall(r"import_exception!\(gateway\.errors, (\w+)\)", TABLE.read_text())


def test_every_class_that_rust_raises_is_in_the_tree() -> None:
    names = imported()
    assert len(names) > 5
    for name in names:
        assert issubclass(getattr(errors, name), errors.GatewayError)


def test_a_file_that_is_no_part_10_file_is_refused_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no DICOM here")
    with pytest.raises(errors.UnreadableFileError, match="not a DICOM Part 10 file"):
        _core.InstanceSource.from_file(str(path))
