"""An outside checker of volumes: plain TAR, SHA-256 and DICOM, and nothing of ours."""

import hashlib
import tarfile
from pathlib import Path

from pydicom import dcmread


def check(tar: Path) -> dict[str, Path | bytes]:
    """SOP Instance UID -> data set, of a volume that is a valid BagIt bag (RFC 8493). AssertionError otherwise."""
    assert tar.is_file(), f"{tar.name} is not in the store"
    files: dict[str, bytes] = {}
    with tarfile.open(tar, "r:") as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            files[member.name.partition("/")[2]] = file.read()
    assert files["bagit.txt"].startswith(b"BagIt-Version: 1.0\n")
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        for line in files[manifest].decode().splitlines():
            digest, name = line.split(maxsplit=1)
            assert hashlib.sha256(files[name]).hexdigest() == digest, name
    payload = {name for name in files if name.startswith("data/")}
    assert payload == {
        line.split(maxsplit=1)[1] for line in files["manifest-sha256.txt"].decode().splitlines()
    }
    return {_uid(files[name]): _data_set(files[name]) for name in payload}


def _uid(part10: bytes) -> str:
    from io import BytesIO

    return str(dcmread(BytesIO(part10), stop_before_pixels=True).SOPInstanceUID)


def _data_set(part10: bytes) -> bytes:
    """Behind the preamble and the file meta group, whose length its first element says (PS3.10 7.1)."""
    assert part10[:132] == bytes(128) + b"DICM"
    assert part10[132:140] == b"\x02\x00\x00\x00UL\x04\x00"
    return part10[144 + int.from_bytes(part10[140:144], "little") :]
