"""Odil (C++, by its Python bindings, which the system's interpreter has): EchoSCU, StoreSCU, GetSCU."""

from collections.abc import Sequence
from pathlib import Path

from tests.instances import Instance
from tests.interop.material import ENCAPSULATED, UNCOMPRESSED
from tests.interop.peers.peer import CALLED, CALLING, ROOT, Peer, PeerFailedError, run

PYTHON = "/usr/bin/python3"
PROGRAM = ROOT / "tests" / "interop" / "odil_peer.py"


class Odil(Peer):
    name = "odil"
    sends = gets = (*UNCOMPRESSED, *ENCAPSULATED)  # it cannot inflate
    alters = ENCAPSULATED  # those samples hold decimals, which it writes anew
    tells_failure = False

    def missing(self) -> str:
        try:
            run(PYTHON, "-c", "import odil")
        except (PeerFailedError, OSError):
            return "python3-odil"
        return ""

    def version(self) -> str:
        return run("dpkg-query", "-W", "-f=${Version}", "python3-odil").partition("-")[0]

    def echo(self, port: int) -> None:
        run(PYTHON, PROGRAM, "echo", port, CALLED, CALLING)

    def store(self, port: int, files: Sequence[Path]) -> None:
        run(PYTHON, PROGRAM, "store", port, CALLED, CALLING, *files)

    def get(self, port: int, study: Sequence[Instance], folder: Path) -> None:
        kinds = sorted({f"{one.sop_class}/{one.transfer_syntax}" for one in study})
        run(PYTHON, PROGRAM, "get", port, CALLED, CALLING, study[0].study, folder, *kinds)
