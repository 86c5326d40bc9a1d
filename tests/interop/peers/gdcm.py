"""GDCM: gdcmscu. It has no C-GET, and its storage SCP serves its own C-MOVE only."""

from collections.abc import Sequence
from pathlib import Path
from signal import SIGABRT

from tests.interop.material import ENCAPSULATED, UNCOMPRESSED
from tests.interop.peers.peer import CALLED, CALLING, Peer, missing_of, run

# gdcmscu 3.0 ends by abort() once the association is released, whoever the acceptor was (DCMTK's too):
# what it made of the answers is seen on the wire only.
_ENDS = (0, -SIGABRT)


class Gdcm(Peer):
    name = "GDCM"
    sends = (*UNCOMPRESSED, *ENCAPSULATED)  # for a deflated file it proposes no context at all
    tells_failure = False

    def missing(self) -> str:
        return missing_of("gdcmscu")

    def version(self) -> str:
        return run("gdcmscu", "--version").split()[2]

    def echo(self, port: int) -> None:
        run("gdcmscu", "--echo", "--aetitle", CALLING, "--call", CALLED, "127.0.0.1", port, accepted=_ENDS)

    def store(self, port: int, files: Sequence[Path]) -> None:
        inputs = [word for file in files for word in ("-i", file)]
        run(
            "gdcmscu",
            "--store",
            "--aetitle",
            CALLING,
            "--call",
            CALLED,
            "127.0.0.1",
            port,
            *inputs,
            accepted=_ENDS,
        )
