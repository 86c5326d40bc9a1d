"""DICOM-rs (Rust): dicom-echoscu, dicom-storescu; dicom-storescp as acceptor. It has no C-GET."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.interop.material import ENCAPSULATED, UNCOMPRESSED
from tests.interop.peers.peer import CALLED, CALLING, Peer, a_port, missing_of, run, running


class DicomRs(Peer):
    name = "DICOM-rs"
    sends = accepts = (*UNCOMPRESSED, *ENCAPSULATED)  # built without deflate
    tells_failure = False

    def missing(self) -> str:
        return missing_of("dicom-echoscu", "dicom-storescu", "dicom-storescp")

    def version(self) -> str:
        return run("dicom-storescu", "--version").split()[-1]

    def echo(self, port: int) -> None:
        titles = ("--calling-ae-title", CALLING, "--called-ae-title", CALLED)
        run("dicom-echoscu", *titles, f"127.0.0.1:{port}")

    def store(self, port: int, files: Sequence[Path]) -> None:
        titles = ("--calling-ae-title", CALLING, "--called-ae-title", CALLED)
        run("dicom-storescu", *titles, "--never-transcode", f"127.0.0.1:{port}", *files)

    def accept(self, folder: Path) -> AbstractContextManager[int]:
        port = a_port()
        return running("dicom-storescp", "--promiscuous", "-o", folder, "-p", port, port=port, folder=folder)
